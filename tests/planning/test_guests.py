"""What a plan does to sites that are there, on the files of an nginx; what nginx makes of it is seen in the lab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from palpo_installer.certificates import authority
from palpo_installer.changes import Plan
from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.operations.certificates import IssueSelfSigned
from palpo_installer.operations.files import MakeDirectory, RemoveFile, WriteFile
from palpo_installer.operations.lines import EditLines, edited
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.rendered import rendered
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.steps import Steps
from tests.planning.made import OfflineHost, carry_out, configured, real_inputs, without_activations

NAME = "example.com"
EXISTING: Mapping[str, object] = {"names.base_domain": "existing"}
SRV: Mapping[str, object] = {**EXISTING, "federation.delegation": "srv"}
BLOCK = """\
server {
    listen 127.0.0.1:HTTPS ssl;
    server_name example.com www.example.com;
    ssl_certificate CHAIN;
    ssl_certificate_key KEY;
}
"""


def host_with(root: Path, text: str = BLOCK) -> OfflineHost:
    """Return a host with a site of somebody else's, whose certificate is for example.com."""
    host = configured(root)
    files = authority.issue(NAME, Layout(root / "elsewhere"))
    values = {"HTTPS": host.layout.https_port, "HTTP": host.layout.http_port, "CHAIN": files.chain, "KEY": files.key}
    for word, value in values.items():
        text = text.replace(word, str(value))
    file(host).write_text(text)
    return host


def file(host: Host) -> Path:
    """Return the site's file."""
    return host.layout.at("/etc/nginx/conf.d/10-site.conf")


def leaflet(host: Host) -> Path:
    """Return where the guest's file goes."""
    return host.layout.at(f"/etc/nginx/palpo-installer/{NAME}-{host.layout.https_port}.conf")


def planned(host: Host, raw: Mapping[str, object] = EXISTING) -> Plan:
    """Return the plan."""
    return make(real_inputs(host, raw))


def applied(host: Host, raw: Mapping[str, object] = EXISTING) -> None:
    """Write all that a plan writes, while no nginx runs."""
    inputs = real_inputs(host, raw)
    carry_out(without_activations(make(inputs)), inputs)


def edits(plan: Plan) -> list[EditLines]:
    """Return the edits of sites' files."""
    return [each for change in plan.changes for each in change.operations if isinstance(each, EditLines)]


def serving(host: Host, raw: Mapping[str, object]) -> Serving:
    """Return the part of the plan that is about the proxy."""
    inputs = real_inputs(host, raw)
    return Serving(inputs, build(inputs.answers, inputs.layout))


def refused(host: Host, raw: Mapping[str, object] = EXISTING) -> RefusedPlan:
    """Return why there is no plan."""
    with pytest.raises(RefusedPlan) as raised:
        planned(host, raw)
    return raised.value


def test_the_file_comes_before_the_line_and_both_before_the_tls_ports(tmp_path: Path) -> None:
    """One change of its own, with a file of ours outside every include, and exactly one line."""
    host = host_with(tmp_path)
    plan = planned(host)
    change = next(change for change in plan.changes if edits(replace(plan, changes=(change,))))
    (edit,) = edits(plan)
    kinds = [type(operation) for operation in change.operations]
    assert kinds.index(WriteFile) < kinds.index(EditLines)
    assert plan.changes.index(change) < [c.title.startswith("HTTPS") for c in plan.changes].index(True)
    assert (edit.path, [line.before for line in edit.add], edit.drop) == (file(host), [4], ())
    assert str(leaflet(host).with_suffix(".con[f]")) in edit.add[0].text
    assert any("www.example.com is served by the same block" in finding for finding in plan.findings)
    assert leaflet(host) in {each.path for each in rendered(real_inputs(host, EXISTING), serving(host, EXISTING))}


def test_a_link_is_followed_to_the_file(tmp_path: Path) -> None:
    """The edit is of the file itself; how nginx names it is kept for the review."""
    host = host_with(tmp_path)
    real = tmp_path / "real-site"
    file(host).rename(real)
    file(host).symlink_to(real)
    (edit,) = edits(planned(host))
    assert (edit.path, edit.named) == (real, file(host))


def test_a_rerun_finds_the_line(tmp_path: Path) -> None:
    """Whoever wrote it and however it is spelled: there is nothing to edit, and the socket must show the marker."""
    host = host_with(tmp_path)
    applied(host)
    assert edits(planned(host)) == []
    text = file(host).read_text()
    file(host).write_text(
        text.replace(str(leaflet(host).with_suffix(".con[f]")), f"palpo-installer/{leaflet(host).name}")
    )
    again = serving(host, EXISTING)
    assert list(again.sites.lines.edits()) == []
    assert [(e.address, e.name) for e in again.sites.parts[0].expectations] == [("127.0.0.1", NAME)]


def test_every_block_that_answers_gets_the_line(tmp_path: Path) -> None:
    """A block for each address, in one file: two lines in one edit."""
    host = host_with(tmp_path, BLOCK + BLOCK.replace("127.0.0.1", "127.0.0.2"))
    (edit,) = edits(planned(host))
    assert [line.before for line in edit.add] == [4, 10]


def test_a_block_on_both_ports_gets_both_lines(tmp_path: Path) -> None:
    """A line for the proofs and one for discovery, at one place, in one edit; each shows its own marker."""
    host = host_with(tmp_path, BLOCK.replace("listen", "listen 127.0.0.1:HTTP;\n    listen", 1))
    own = {**SRV, "certificates.base_domain": "ordered", "certificates.method": "http-01"}
    terms = {"certificates.email": "admin@example.com", "certificates.agree_terms": True}
    inputs = real_inputs(host, {**own, **terms})
    found = Serving(inputs, build(inputs.answers, inputs.layout))
    (edit,) = found.sites.lines.edits()
    assert [line.before for line in edit.add] == [5, 5]
    both = edited(file(host).read_bytes(), edit.places, ()).decode()
    assert [f"-{port}.con[f]" in both for port in (host.layout.http_port, host.layout.https_port)] == [True, True]


def test_a_socket_where_nobody_has_the_name_is_told(tmp_path: Path) -> None:
    """There another site answers by chance; no line goes there, and no marker is expected."""
    other = BLOCK.replace("127.0.0.1", "127.0.0.2").replace("example.com www.example.com", "other.example")
    host = host_with(tmp_path, BLOCK + other)
    plan = planned(host)
    assert [line.before for edit in edits(plan) for line in edit.add] == [4]
    told = [finding for finding in plan.findings if "by chance" in finding]
    assert len(told) == 1
    assert f"127.0.0.2:{host.layout.https_port}" in told[0]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("*.com", "every name that fits"),
        ("~^example\\.com$", "every name that fits"),
        ("example.com shop.example", "shop"),
    ],
)
def test_a_block_for_other_names_is_for_a_person(tmp_path: Path, names: str, reason: str) -> None:
    """No edit, the file is still written, and the line is printed with its place; no marker is waited for."""
    host = host_with(tmp_path, BLOCK.replace("example.com www.example.com", names))
    plan = planned(host)
    assert edits(plan) == []
    assert leaflet(host) in {o.path for c in plan.changes for o in c.operations if isinstance(o, WriteFile)}
    assert serving(host, EXISTING).sites.parts[0].expectations == ()
    told = next(finding for finding in plan.findings if "by hand" in finding)
    assert f"{file(host)}:1" in told
    assert reason in told
    assert any("a server block of its own" in finding for finding in plan.findings) is ("shop" not in names)


def test_a_block_on_one_line_is_for_a_person(tmp_path: Path) -> None:
    """There is no place for a line of its own."""
    host = host_with(tmp_path, " ".join(BLOCK.split()) + "\n")
    plan = planned(host)
    assert edits(plan) == []
    assert any("by hand" in finding for finding in plan.findings)


def test_a_name_that_nobody_has_is_refused(tmp_path: Path) -> None:
    """Who answers by chance is named, and that this installation may serve the name."""
    error = refused(host_with(tmp_path, BLOCK.replace("example.com www.example.com", "other.example")))
    assert "by chance" in error.what
    assert "other.example" in error.what
    assert "ours" in error.next


def test_conflicts_are_all_named(tmp_path: Path) -> None:
    """Each with its line and its cure, in one refusal."""
    own = "    location = /.well-known/matrix/client { }\n    location = /.well-known/palpo-installer { }\n}\n"
    host = host_with(tmp_path, BLOCK.removesuffix("}\n") + own)
    error = refused(host)
    assert f"{file(host)}:6" in str(error)
    assert f"{file(host)}:7" in str(error)
    assert "Remove that location" in str(error)


def test_our_own_locations_are_no_conflict(tmp_path: Path) -> None:
    """What the line brought is in the block from then on."""
    host = host_with(tmp_path)
    applied(host)
    sites = serving(host, EXISTING).sites
    sites.refuse()
    assert [hosting.conflicts(place) for hosting in sites.hostings for place in hosting.places] == [()]


def test_another_owner_takes_line_and_file_away(tmp_path: Path) -> None:
    """In the change of the TLS ports, the line first; the site's file is then as it was."""
    host = host_with(tmp_path)
    text = file(host).read_text()
    applied(host)
    plan = planned(host, {"names.base_domain": "elsewhere"})
    (change,) = (change for change in plan.changes if edits(replace(plan, changes=(change,))))
    assert change.title.startswith("HTTPS")
    kinds = [type(operation) for operation in change.operations]
    assert kinds.index(EditLines) < kinds.index(RemoveFile)
    applied(host, {"names.base_domain": "elsewhere"})
    assert file(host).read_text() == text
    assert not leaflet(host).exists()


def test_a_line_in_the_wrong_block_is_moved(tmp_path: Path) -> None:
    """The owner gave the name to another block of the file: the line goes there, and is there once."""
    host = host_with(tmp_path)
    applied(host)
    text = file(host).read_text()
    fresh = "\n".join(line for line in text.splitlines() if "include" not in line)
    file(host).write_text(text.replace("example.com www.example.com", "old.example") + fresh + "\n")
    (edit,) = edits(planned(host))
    assert len(edit.add) == len(edit.drop) == 1
    applied(host)
    lines = file(host).read_text().splitlines()
    (number,) = (n for n, line in enumerate(lines) if "include" in line)
    assert "server_name example.com" in lines[number - 1]


def test_a_pattern_that_takes_our_directory_sends_us_elsewhere(tmp_path: Path) -> None:
    """What nginx includes by itself would answer for everybody. Our own directory is made once, and then open."""
    host = host_with(tmp_path)
    main = host.layout.at("/etc/nginx/nginx.conf")
    main.write_text(main.read_text().replace("    include", "    include palpo-*/*.conf;\n    include"))
    guest = serving(host, EXISTING).sites.hostings[0].leaflet
    assert guest.file.path.parent == host.layout.etc / "nginx"
    plan = make(real_inputs(host, EXISTING))
    made = [each for change in plan.changes for each in change.operations if isinstance(each, MakeDirectory)]
    assert len(made) == len({each.path for each in made})
    assert MakeDirectory(host.layout.etc, 0o755) in made


def orders(plan: Plan) -> Iterator[str]:
    """Yield the names that get a certificate."""
    for change in plan.changes:
        for operation in change.operations:
            if isinstance(operation, IssueSelfSigned):
                yield operation.name


def test_the_sites_certificate_serves_our_port(tmp_path: Path) -> None:
    """The default for srv where it can be used: nothing is ordered for the name, and whose it is is said."""
    host = host_with(tmp_path)
    plan, found = planned(host, SRV), serving(host, SRV)
    assert list(orders(plan)) == ["matrix.example.com"]
    assert found.certificates.files[NAME].chain.is_relative_to(tmp_path / "elsewhere")
    assert found.site.certificates == ("matrix.example.com",)
    assert any("Whoever renews it must reload nginx" in finding for finding in plan.findings)
    shown = {e.certificate for e in found.rendering.secure.expectations if e.port == 8448}
    assert shown == {found.certificates.files[NAME].chain}


def test_a_certificate_of_ones_own_needs_nobody(tmp_path: Path) -> None:
    """As answered, or where the site's cannot be used."""
    host = host_with(tmp_path)
    own = {**SRV, "certificates.base_domain": "ordered"}
    assert list(orders(planned(host, own))) == ["matrix.example.com", NAME]
    key = next((tmp_path / "elsewhere").rglob("example.com/privkey.pem"))
    key.write_bytes(next((tmp_path / "elsewhere").rglob("ca*key*"), key).read_bytes()[:10])
    assert list(orders(planned(host, SRV))) == ["matrix.example.com", NAME]


def test_a_certificate_that_ended_is_refused(tmp_path: Path) -> None:
    """Where the answer says it is to be used all the same."""
    host = host_with(tmp_path)
    inputs: Inputs = real_inputs(host, {**SRV, "certificates.base_domain": "site"})
    later = replace(inputs, now=inputs.now + timedelta(days=10_000))
    with pytest.raises(RefusedPlan, match=r"cannot be used: it expired at .*base_domain = ordered"):
        make(later)


def test_renewal_goes_on_whatever_becomes_of_the_site(tmp_path: Path) -> None:
    """Its name gone, or its certificate ended: what is ours is still taken up."""
    host = host_with(tmp_path)
    inputs = real_inputs(host, SRV)
    found = Serving(replace(inputs, now=inputs.now + timedelta(days=10_000)), build(inputs.answers, host.layout))
    assert leaflet(host) in Steps(found).renewal().own
    file(host).write_text(file(host).read_text().replace("example.com www.example.com", "other.example"))
    assert leaflet(host) in Steps(serving(host, EXISTING)).renewal().own
