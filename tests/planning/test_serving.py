"""The part of a plan that the proxy and its certificates need, with a real CA's directory over TLS."""

from __future__ import annotations

import json
import shutil
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from palpo_installer import matrix_site
from palpo_installer.certificates import authority, store
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.names import Name
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, WriteFile
from palpo_installer.planning.inputs import EDITED, Inputs
from palpo_installer.planning.obstacles import obstacles
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.steps import Steps
from tests.facts.made import certificate
from tests.lab.pebble import web_certificate
from tests.planning.made import again, applied_nginx, inputs_on, real_inputs

NAMES = ("matrix.example.com", "example.com")
CA = "ca.example"


class Resource(BaseHTTPRequestHandler):
    """A directory as a CA shows it (RFC 8555, section 7.1.1)."""

    def do_GET(self) -> None:
        """Answer with the directory, whatever is asked."""
        meta = {"termsOfService": "https://ca.example/terms", "caaIdentities": [CA]}
        new = {name: f"https://ca.example/{name}" for name in ("newNonce", "newAccount", "newOrder")}
        body = json.dumps({**new, "meta": meta}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, object]]:
    """Return the answers for a CA that is there."""
    chain, key = web_certificate(tmp_path_factory.mktemp("ca"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Resource) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield {
            "certificates.method": "http-01",
            "certificates.directory": f"https://127.0.0.1:{server.server_address[1]}/directory",
            "certificates.ca_file": str(chain),
            "certificates.agree_terms": True,
        }
        server.shutdown()
        thread.join()


def serving(inputs: Inputs) -> Serving:
    """Return the part of the plan."""
    return Serving(inputs, matrix_site.build(inputs.answers, inputs.layout))


def named(text: str, *addresses: str, caa: tuple[str, ...] = ()) -> Name:
    """Return what DNS says of a name."""
    return Name(text, addresses or ("192.0.2.10",), "", (), (), caa, "")


def with_names(inputs: Inputs, *names: Name) -> Serving:
    """Return the part of the plan for a host whose names lead there."""
    return serving(replace(inputs, facts=replace(inputs.facts, names=names)))


def place(inputs: Inputs, name: str) -> None:
    """Put a usable certificate where an order would put it."""
    made, wanted = authority.issue(name, inputs.layout), store.ordered(inputs.layout, name)
    wanted.chain.parent.mkdir(parents=True)
    shutil.copy(made.chain, wanted.chain)
    shutil.copy(made.key, wanted.key)


def test_every_name_is_ordered_and_the_way_probed_once(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """One probe with all names on every socket of port 80, ahead of the orders that depend on it."""
    probe, *orders = Steps(serving(inputs_on(tmp_path, ca))).orders()
    (operation,) = probe.operations
    assert isinstance(operation, ProbeChallenge)
    assert operation.names == NAMES
    assert set(operation.sockets) == {("192.0.2.10", 80, False), ("127.0.0.1", 80, False)}
    assert operation.webroot == inputs_on(tmp_path).layout.webroot
    ordered = [order.operations[0] for order in orders]
    assert [order.name for order in ordered if isinstance(order, OrderCertificate)] == list(NAMES)


def test_a_certificate_that_can_be_used_is_used(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """No wasted order: it is named as it is, and only the other name is probed and ordered."""
    inputs = inputs_on(tmp_path, ca)
    place(inputs, "example.com")
    part = serving(inputs)
    probe, order = Steps(part).orders()
    assert isinstance(probe.operations[0], ProbeChallenge)
    assert probe.operations[0].names == ("matrix.example.com",)
    assert order.title == "a certificate for matrix.example.com"
    (kept,) = part.certificates.reused
    assert kept.subject == "certificate for example.com"
    assert str(store.ordered(inputs.layout, "example.com").chain) in kept.reason
    place(inputs, "matrix.example.com")
    assert Steps(serving(inputs)).orders() == ()


def test_trying_out_needs_no_ca(tmp_path: Path) -> None:
    """The local authority issues, nothing is probed, and nobody is asked."""
    part = serving(inputs_on(tmp_path))
    assert [type(change.operations[0]) for change in Steps(part).orders()] == [IssueSelfSigned, IssueSelfSigned]
    assert obstacles(part) == ((), ())


@pytest.mark.parametrize(("days", "why"), [(0, "it expired"), (10**4, "and not for matrix.example.com")])
def test_brought_files_are_looked_at(tmp_path: Path, days: int, why: str) -> None:
    """One that is expired, or for another name, is refused with its path before anything is planned."""
    made = certificate(*(NAMES if days == 0 else ("example.com",)), days=max(days, 1))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    made.write(chain, key)
    files = {name: {"chain": str(chain), "key": str(key)} for name in NAMES}
    part = serving(inputs_on(tmp_path, {"certificates.method": "files", "certificates.files": files}))
    with pytest.raises(RefusedPlan, match=why) as refused:
        Steps(part).orders()
    assert refused.value.where == str(chain)


def test_brought_files_that_fit_are_kept(tmp_path: Path) -> None:
    """They are shown where they lie; nothing is ordered or issued."""
    certificate(*NAMES, days=10**4).write(tmp_path / "chain.pem", tmp_path / "key.pem")
    files = {name: {"chain": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")} for name in NAMES}
    part = serving(inputs_on(tmp_path, {"certificates.method": "files", "certificates.files": files}))
    assert Steps(part).orders() == ()
    assert {entry.subject for entry in part.certificates.reused} == {f"certificate for {name}" for name in NAMES}
    assert str(tmp_path / "chain.pem") in part.rendering.secure.files[0].text


def test_names_that_lead_here_are_no_obstacle(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """The terms that were agreed to are told."""
    allowed = (f"0 issue {CA}",)
    part = with_names(inputs_on(tmp_path, ca), *(named(name, caa=allowed) for name in NAMES))
    assert obstacles(part) == ((), ("You agreed to the terms of service at https://ca.example/terms",))


def test_what_dns_forbids_is_an_obstacle(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """A name without an address, and CAA records for another CA, each with what to do."""
    nowhere = Name("matrix.example.com", (), "", (), (), (), "")
    part = with_names(inputs_on(tmp_path, ca), nowhere, named("example.com", caa=("0 issue other.example",)))
    (first, second), _ = obstacles(part)
    assert first.startswith("matrix.example.com has no address in DNS. Add an A record")
    assert "the CAA records of example.com forbid the order: they allow other.example only" in second


def test_only_the_names_that_are_ordered_count(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """What DNS says of a name whose certificate is there keeps nobody back."""
    inputs = inputs_on(tmp_path, ca)
    place(inputs, "example.com")
    nowhere = Name("example.com", (), "", (), (), (), "")
    blocking, _ = obstacles(with_names(inputs, nowhere, named("matrix.example.com")))
    assert blocking == ()


def test_an_address_elsewhere_is_told_and_keeps_nobody_back(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """Behind address translation that is right, so only the CA can tell."""
    blocking, other = obstacles(with_names(inputs_on(tmp_path, ca), named(NAMES[0], "93.184.216.34")))
    assert blocking == ()
    assert "93.184.216.34, which no interface of this host has" in other[0]


@pytest.mark.parametrize(("account", "blocked"), [("one", False), ("two", True)])
def test_records_bound_to_an_account_are_held_against_ours(
    tmp_path: Path, ca: Mapping[str, object], account: str, blocked: bool
) -> None:
    """The account on this host is looked up: its own records are right, another's forbid the order."""
    inputs = inputs_on(tmp_path, ca)
    authority_of = str(ca["certificates.directory"]).removeprefix("https://")
    registration = inputs.layout.acme / "accounts" / authority_of / "0123" / "regr.json"
    registration.parent.mkdir(parents=True)
    registration.write_text('{"body": {}, "uri": "https://ca.example/acct/one"}')
    bound = (f"0 issue {CA}; accounturi=https://ca.example/acct/{account}",)
    blocking, other = obstacles(with_names(inputs, named("example.com", caa=bound)))
    assert bool(blocking) is blocked
    assert not [finding for finding in other if "account" in finding]


def test_a_ca_that_does_not_answer_is_an_obstacle(tmp_path: Path, ca: Mapping[str, object]) -> None:
    """The sentence says why and what to check; the plan itself can still be looked at."""
    url = "https://127.0.0.1:1/directory"
    blocking, _ = obstacles(serving(inputs_on(tmp_path, {**ca, "certificates.directory": url})))
    assert len(blocking) == 1
    assert blocking[0].startswith(f"{url}: the CA cannot be reached: the connection is refused")


def test_debians_files_are_linked_and_their_directory_made(tmp_path: Path) -> None:
    """The recorded host has no sites-available, which somebody removed: the plan makes it first."""
    (change,), unchanged = Steps(serving(inputs_on(tmp_path))).plain()
    assert [type(operation) for operation in change.operations] == [MakeDirectory, WriteFile, MakeLink]
    assert change.operations[0] == MakeDirectory(tmp_path / "etc/nginx/sites-available", 0o755)
    assert unchanged == ()


def test_without_nginx_there_is_nothing_to_serve_with(tmp_path: Path) -> None:
    """Asking for it is refused, not an attribute of nothing."""
    with pytest.raises(RefusedPlan, match="is not installed on this host"):
        Steps(serving(inputs_on(tmp_path, recording="another_on_80"))).plain()


def test_a_hand_edit_of_a_live_part_is_not_reloaded_over(tmp_path: Path) -> None:
    """What its editor wants is served, or will be: no change of that part, and the TLS half is not touched either."""
    with applied_nginx(tmp_path) as host:
        edited = serving(real_inputs(host)).rendering.plain.files[0].path
        edited.write_text(edited.read_text() + "# mine\n")
        part = serving(real_inputs(host))
        assert Steps(part).plain()[0] == Steps(part).secure(started=False)[0] == ()
        assert [entry.reason for entry in Steps(part).plain()[1]] == [EDITED]


def test_a_certificate_that_is_not_shown_is_seen(tmp_path: Path) -> None:
    """The sockets are compared with the files: a newer certificate on disk is one that nginx does not show yet."""
    with applied_nginx(tmp_path) as host:
        assert Steps(serving(real_inputs(host))).shows_the_certificates()
        authority.issue("example.com", host.layout)
        part = serving(real_inputs(host))
        assert not Steps(part).shows_the_certificates()
        (change,), _ = Steps(part).secure(started=False)
        assert change.operations == ()


def test_another_look_makes_the_same_part(tmp_path: Path) -> None:
    """Nothing of the time or of chance is in it: the same facts and answers give the same changes."""
    inputs = inputs_on(tmp_path)
    assert Steps(serving(inputs)).plain() == Steps(serving(again(inputs))).plain()
    assert Steps(serving(inputs)).secure(started=True) == Steps(serving(again(inputs))).secure(started=True)
