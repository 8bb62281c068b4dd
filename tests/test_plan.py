"""Facts and answers become a plan: over recorded hosts, and over a host with a real nginx."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import pytest

from palpo_installer.answers import Address, BaseDomain, Delegation
from palpo_installer.changes import AnyOperation, Plan
from palpo_installer.errors import AnswersError, RefusedPlan
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import WriteFile
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.plan import make
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, EDITED, Inputs
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.serialization import dump, load
from tests.planning.made import again, carry_out, inputs_on, real_inputs, real_nginx, without_activations
from tests.ports import free_port
from tests.situations import DATABASE
from tests.trees import tree

ORDERED = {
    "certificates.method": "http-01",
    "certificates.directory": "https://127.0.0.1:1/directory",
    "certificates.agree_terms": True,
}


def is_write(operation: AnyOperation, path: Path) -> TypeGuard[WriteFile]:
    """Return whether an operation writes a file."""
    return isinstance(operation, WriteFile) and operation.path == path


def titles(plan: Plan) -> list[str]:
    """Return what each change brings about."""
    return [change.title for change in plan.changes]


def written(plan: Plan) -> list[Path]:
    """Return the files that a plan writes, in order."""
    operations = [operation for change in plan.changes for operation in change.operations]
    return [operation.path for operation in operations if isinstance(operation, WriteFile | ConfigurePalpo)]


def test_changes_come_in_the_order_in_which_each_needs_the_one_before(tmp_path: Path) -> None:
    """Port 80, the probe, the orders, TLS, palpo.toml, the timer, and the answers last: they say it is complete."""
    plan = make(inputs_on(tmp_path, ORDERED))
    assert titles(plan) == [
        "plain HTTP on port 80",
        "the way of the proof, asked as the certificate authority will",
        "a certificate for matrix.example.com",
        "a certificate for example.com",
        "HTTPS on port 443",
        "Palpo's configuration",
        "renewal of certificates, twice a day",
        "the answers, for the next run",
    ]
    kinds = [type(change.operations[-1]) for change in plan.changes]
    assert kinds[1:4] == [ProbeChallenge, OrderCertificate, OrderCertificate]
    assert kinds[5:] == [ConfigurePalpo, WriteFile, WriteFile]


def test_nothing_is_probed_or_ordered_for_trying_out(tmp_path: Path) -> None:
    """A local authority needs no proof, and its certificates come before the TLS ports as well."""
    plan = make(inputs_on(tmp_path))
    kinds = [type(change.operations[-1]) for change in plan.changes]
    assert kinds[1:3] == [IssueSelfSigned, IssueSelfSigned]
    assert ProbeChallenge not in kinds
    assert titles(plan)[3] == "HTTPS on port 443"


@pytest.mark.parametrize("recording", ["nginx_stopped", "debian_sites"])
def test_planning_changes_nothing(tmp_path: Path, recording: str) -> None:
    """Look first: whatever it finds, the host stays byte for byte as it is."""
    inputs = inputs_on(tmp_path, recording=recording)
    before = tree(tmp_path)
    assert make(inputs).changes
    assert tree(tmp_path) == before


def test_a_host_that_is_as_it_should_be_needs_nothing(tmp_path: Path) -> None:
    """Applied by the engine to a real nginx, and planned again: no change, and every part says that it is right."""
    with real_nginx(tmp_path) as host:
        carry_out(make(first := real_inputs(host)), first)
        applied = tree(tmp_path)
        plan = make(real_inputs(host))
        assert tree(tmp_path) == applied
    assert plan.changes == ()
    assert {entry.reason.partition(":")[0] for entry in plan.unchanged} == {AS_IT_SHOULD_BE}
    left = {Path(entry.subject).name for entry in plan.unchanged}
    assert left == {
        "zz-palpo-installer-http.conf",
        "zz-palpo-installer-tls.conf",
        "certificate for matrix.example.com",
        "certificate for example.com",
        "palpo.toml",
        "palpo-installer",
        "answers.toml",
    }


def test_what_is_on_disk_and_not_served_is_taken_up(tmp_path: Path) -> None:
    """Right files are not enough: where nginx does not show them, a reload and its proof are planned."""
    with real_nginx(tmp_path) as host:
        inputs = real_inputs(host)
        carry_out(without_activations(make(inputs)), inputs)
        plan = make(real_inputs(host))
    assert titles(plan) == [
        f"plain HTTP on port {host.layout.http_port}",
        f"HTTPS on port {host.layout.https_port}",
    ]
    assert all(change.operations == () for change in plan.changes)
    assert all(change.activation is not None for change in plan.changes)


def test_a_stopped_nginx_is_started_by_the_first_change_only(tmp_path: Path) -> None:
    """Port 80 starts it, and makes its unit start at boot where it does not; the TLS ports reload it."""
    activations = [change.activation for change in make(inputs_on(tmp_path)).changes]
    starts = [(each.start, each.enable) for each in activations if isinstance(each, ActivateProxy)]
    assert starts == [(True, True), (False, False)]


@pytest.fixture
def applied(tmp_path: Path) -> Inputs:
    """A host to whose files the first plan was applied."""
    inputs = inputs_on(tmp_path)
    carry_out(without_activations(make(inputs)), inputs)
    return again(inputs)


def test_a_hand_edited_file_is_left_alone_and_said_so(applied: Inputs, tmp_path: Path) -> None:
    """The edit stays, the plan shows it, and other files change; answers that change the file too are merged in."""
    edited = tmp_path / "etc/nginx/sites-available/zz-palpo-installer-tls.conf"
    edited.write_text(edited.read_text() + "# mine\n")
    elsewhere = replace(applied.answers, homeserver=replace(applied.answers.homeserver, storage=tmp_path / "media"))
    plan = make(replace(again(applied), answers=elsewhere))
    assert [entry.reason for entry in plan.unchanged if entry.subject == str(edited)] == [EDITED]
    assert edited not in written(plan)
    assert tmp_path / "etc/palpo-installer/answers.toml" in written(plan)
    (edit,) = plan.edits
    assert (edit.path, edit.theirs.splitlines()[-1], edit.ours, edit.kept) == (edited, "+# mine", "", ())
    answers = replace(applied.answers, homeserver=replace(applied.answers.homeserver, max_upload_size=64 << 20))
    plan = make(replace(again(applied), answers=answers))
    assert edited in written(plan)
    assert "+    client_max_body_size 67108864;" in plan.edits[0].ours
    text = next(each.text.shown for change in plan.changes for each in change.operations if is_write(each, edited))
    assert text.endswith("# mine\n")
    assert "client_max_body_size 67108864;" in text


def test_a_changed_answer_changes_what_depends_on_it_alone(applied: Inputs) -> None:
    """An open registration touches the TLS half, palpo.toml and the answers, and leaves port 80 as it is."""
    open_to_all = type(applied.answers.homeserver.registration)("open")
    answers = replace(applied.answers, homeserver=replace(applied.answers.homeserver, registration=open_to_all))
    plan = make(replace(applied, answers=answers))
    assert [path.name for path in written(plan)] == ["zz-palpo-installer-tls.conf", "palpo.toml", "answers.toml"]


def test_palpo_moves_before_nginx_is_told(applied: Inputs) -> None:
    """While it is restarted nobody has an answer anyway; told first, nginx would ask in vain during its own proof."""
    there = Address("127.0.0.1", 8010)
    moved = replace(applied.answers.homeserver, listen=there, upstream=there)
    order = titles(make(replace(applied, answers=replace(applied.answers, homeserver=moved))))
    assert order.index("Palpo's configuration") < order.index("HTTPS on port 443")


@pytest.mark.parametrize(
    "name",
    [
        "etc/nginx/sites-available/zz-palpo-installer-http.conf",
        "etc/systemd/system/palpo-installer-renew.timer",
    ],
)
def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """Ours is what a run recorded, whatever a file's name or header says; a stranger's is named and refused."""
    inputs = inputs_on(tmp_path)
    carry_out(without_activations(make(inputs)), inputs)
    place = tmp_path / name
    place.write_text(place.read_text() + "# edited\n")
    stranger = replace(again(inputs), ours={})
    with pytest.raises(RefusedPlan, match="is in the way, and palpo-installer did not make it") as refused:
        make(stranger)
    assert refused.value.where == str(place)


def test_a_host_without_nginx_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The sentence says how to get it."""
    with pytest.raises(RefusedPlan, match=r"nginx is not installed on this host. To install it"):
        make(inputs_on(tmp_path, recording="palpo_in_container"))


def test_a_configuration_that_cannot_be_read_is_refused_by_line(tmp_path: Path) -> None:
    """File and line of what to correct."""
    inputs_on(tmp_path)
    broken = tmp_path / "etc/nginx/sites-enabled/broken"
    broken.write_text("server {\n")
    with pytest.raises(RefusedPlan, match="cannot be read") as refused:
        make(again(inputs_on(tmp_path)))
    assert refused.value.where.startswith(f"{broken}:")


def test_the_digest_is_stable(tmp_path: Path) -> None:
    """The same host and answers give the same one, also after a way through JSON; DNS may answer differently."""
    inputs = inputs_on(tmp_path)
    plan = make(inputs)
    assert make(again(inputs)).digest == plan.digest
    assert load(dump(plan), Plan) == plan
    assert load(dump(plan), Plan).digest == plan.digest
    assert replace(plan, findings=("another look at DNS",), summary=()).digest == plan.digest


def test_the_digest_changes_with_what_the_plan_rests_on(tmp_path: Path) -> None:
    """Another site of nginx, a palpo.toml that appears, what is ours, and the answers."""
    inputs = inputs_on(tmp_path)
    plan = make(inputs)
    seen = [plan.digest, replace(plan, ours={"/x": "0"}).digest]
    site = tmp_path / "etc/nginx/sites-enabled/default"
    site.write_text(site.read_text() + "# a comment\n")
    seen.append(make(again(inputs)).digest)
    (tmp_path / "etc/palpo").mkdir()
    (tmp_path / "etc/palpo/palpo.toml").write_text("")
    seen.append(make(again(inputs)).digest)
    answers = replace(inputs.answers, names=replace(inputs.answers.names, client_host="chat.example.com"))
    seen.append(make(replace(again(inputs), answers=answers)).digest)
    assert len(set(seen)) == 5


def test_a_plan_rests_on_every_file_that_was_read(applied: Inputs, tmp_path: Path) -> None:
    """All of nginx's, palpo.toml and the saved answers, each with the hash that the engine compares again."""
    plan = make(applied)
    names = {str(file.path.relative_to(tmp_path)): file.sha256 for file in plan.rests_on}
    assert set(names) >= {
        "etc/nginx/nginx.conf",
        "etc/nginx/sites-enabled/default",
        "etc/nginx/sites-enabled/zz-palpo-installer-tls.conf",
        "etc/palpo/palpo.toml",
        "etc/palpo-installer/answers.toml",
    }
    assert all(digest == applied.host.digest(tmp_path / name) for name, digest in names.items())


def test_secrets_are_references(tmp_path: Path) -> None:
    """The plan as JSON has placeholders where the database password and the signing key will stand."""
    text = dump(make(inputs_on(tmp_path)))
    assert "hunter2" not in text
    assert DATABASE not in text
    assert "<secret: homeserver.database_url>" in text
    assert '"signing key of example.com"' in text


@pytest.mark.parametrize(
    ("delegation", "sentence"),
    [
        ("well-known", "Other servers learn from https://example.com/.well-known/matrix/server to use "),
        ("srv", "Other servers learn from SRV records to use matrix.example.com:8448."),
        ("direct", "Other servers connect to example.com:8448."),
        ("none", "This server does not talk to other servers."),
    ],
)
def test_the_summary_says_how_other_servers_come(tmp_path: Path, delegation: str, sentence: str) -> None:
    """And for ever which name the accounts have, and who trusts the certificates."""
    summary = " ".join(make(inputs_on(tmp_path, {"federation.delegation": delegation})).summary)
    assert sentence in summary
    assert "@user:example.com, and that is for ever" in summary
    assert "no client and no other server trusts them" in summary


def test_other_ports_are_told_where_they_are_used(tmp_path: Path) -> None:
    """A copy of a host on other ports says those, not the usual ones."""
    inputs = inputs_on(tmp_path)
    inputs.host.layout = replace(inputs.host.layout, https_port=(port := free_port()))
    summary = " ".join(make(inputs).summary)
    assert f"https://matrix.example.com:{port}, " in summary
    assert f"to use matrix.example.com:{port}." in summary


def test_what_must_be_done_elsewhere_is_told(tmp_path: Path) -> None:
    """The SRV records, and what another machine must answer for the base domain, to be copied as they are."""
    raw = {"federation.delegation": "srv", "names.base_domain": "elsewhere"}
    findings = "\n".join(make(inputs_on(tmp_path, raw)).findings)
    assert "_matrix-fed._tcp.example.com. IN SRV 10 0 8448 matrix.example.com." in findings
    assert "_matrix._tcp.example.com. IN SRV 10 0 8448 matrix.example.com." in findings
    document = '{"m.homeserver":{"base_url":"https://matrix.example.com"}}'
    assert f"https://example.com/.well-known/matrix/client with: {document}" in findings
    assert "matrix/server with" not in findings


def test_a_base_domain_elsewhere_gets_the_server_document_for_well_known(tmp_path: Path) -> None:
    """Without it nobody would find the server; one that is ours needs nothing elsewhere."""
    inputs = inputs_on(tmp_path)
    assert not [finding for finding in make(inputs).findings if "must answer" in finding]
    answers = replace(inputs.answers, names=replace(inputs.answers.names, base_domain=BaseDomain.ELSEWHERE))
    assert answers.federation.delegation is Delegation.WELL_KNOWN
    findings = "\n".join(make(replace(inputs, answers=answers)).findings)
    assert 'https://example.com/.well-known/matrix/server with: {"m.server":"matrix.example.com:443"}' in findings


def test_answers_without_a_database_are_an_error_of_the_answers(tmp_path: Path) -> None:
    """Neither they nor palpo.toml have one: the key to set is named."""
    inputs = inputs_on(tmp_path)
    answers = replace(inputs.answers, homeserver=replace(inputs.answers.homeserver, database_url=None))
    with pytest.raises(AnswersError) as raised:
        make(replace(inputs, answers=answers))
    assert raised.value.where == "homeserver.database_url"
