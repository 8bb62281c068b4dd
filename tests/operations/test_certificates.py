"""Operations on certificates without a CA; with one: tests/lab/test_certificates.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palpo_installer.answers import Certificates, Method
from palpo_installer.certificates import authority, ledger, store
from palpo_installer.certificates.directory import STAGING
from palpo_installer.certificates.ledger import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from palpo_installer.certificates.workplace import Workplace
from palpo_installer.changes import AnyOperation
from palpo_installer.errors import GateFailed, OrderRefused
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import State, Workbench
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge, instead
from palpo_installer.probe import Answer
from palpo_installer.serialization import converter
from tests.benches import Reports, workbench
from tests.lab.pebble import proofs, running
from tests.ports import free_port
from tests.trees import tree

NAME = "matrix.example.com"
ANSWERS = Certificates(Method.HTTP_01, "a@example.com", True, LETS_ENCRYPT, None, None, "")


def order(layout: Layout) -> OrderCertificate:
    """Return an order at Let's Encrypt; no test here lets it leave the host."""
    return OrderCertificate.for_name(NAME, ANSWERS, layout)


def test_an_order_is_made_of_the_answers() -> None:
    """Let's Encrypt is tried at its staging directory first, others are not."""
    operation = order(Layout())
    assert operation.files == store.ordered(Layout(), NAME)
    assert operation.webroot == Layout().webroot
    assert (operation.directory, operation.staging_directory) == (LETS_ENCRYPT, LETS_ENCRYPT_STAGING)
    other = replace(ANSWERS, directory="https://ca.lan/dir")
    assert OrderCertificate.for_name(NAME, other, Layout()).staging_directory == ""


def test_an_order_shows_itself(tmp_path: Path) -> None:
    """The review says which CA, the trial, the files and why."""
    layout = Layout(root=tmp_path)
    shown = order(layout).describe(Host(layout))
    assert shown.title == f"order a certificate for {NAME}"
    assert f"from {LETS_ENCRYPT}" in shown.details
    assert f"tried first at {STAGING[LETS_ENCRYPT]}" in shown.details
    assert "there is no certificate" in shown.details


def test_a_usable_certificate_is_kept(tmp_path: Path) -> None:
    """Where one is on disk nothing is ordered, no ledger is written, and the state is the one after."""
    bench = workbench(tmp_path)
    layout = bench.host.layout
    made, place = authority.issue(NAME, layout), store.ordered(layout, NAME)
    place.chain.parent.mkdir(parents=True)
    shutil.copy(made.chain, place.chain)
    shutil.copy(made.key, place.key)
    reports = Reports()
    operation, bench = order(layout), replace(bench, report=reports.lines.append)
    before = operation.prepare(bench, 0)
    assert operation.observe(bench, before) is State.AFTER
    done = operation.act(bench, before)
    assert len(str(done["certificate"])) == 64
    assert "nothing is ordered" in reports.lines[-1]
    operation.undo(bench, before)
    assert place.chain.exists()
    assert not layout.ledger.exists()
    assert not Workplace.of(layout).lines.exists()


def test_an_order_that_the_ledger_refuses_changes_nothing(tmp_path: Path) -> None:
    """The refusal comes while preparing, with the time of the next try."""
    bench = workbench(tmp_path)
    layout = bench.host.layout
    now = datetime.now(UTC)
    for minute in range(5):
        ledger.begin(layout.ledger, LETS_ENCRYPT, NAME, "order", now - timedelta(minutes=minute))
    before = tree(tmp_path)
    operation = order(layout)
    with pytest.raises(OrderRefused, match="The next safe time is"):
        operation.prepare(bench, 0)
    assert tree(tmp_path) == before
    assert operation.observe(bench, {}) is State.BEFORE


def test_addresses_are_not_ordered_for(tmp_path: Path) -> None:
    """An IP literal is refused before anything is done."""
    bench = workbench(tmp_path)
    with pytest.raises(OrderRefused, match="ordered for the address"):
        replace(order(bench.host.layout), name="192.0.2.1").prepare(bench, 0)


def test_trying_out_issues_once(tmp_path: Path) -> None:
    """A self-signed certificate is issued where there is none, kept while it can be used, and not taken back."""
    bench = workbench(tmp_path)
    operation = IssueSelfSigned(NAME, store.self_signed(bench.host.layout, NAME))
    before = operation.prepare(bench, 0)
    assert operation.observe(bench, before) is State.BEFORE
    first = operation.act(bench, before)
    assert operation.observe(bench, before) is State.AFTER
    assert operation.act(bench, before) == first
    operation.undo(bench, before)
    assert operation.observe(bench, before) is State.AFTER


def test_they_are_part_of_a_plan(tmp_path: Path) -> None:
    """Each comes back from JSON as what it was."""
    layout = Layout(root=tmp_path)
    operations: tuple[AnyOperation, ...] = (
        replace(order(layout), ca_file=Path("/srv/ca.pem")),
        IssueSelfSigned(NAME, store.self_signed(layout, NAME)),
        ProbeChallenge((NAME,), (("127.0.0.1", 80, False), ("::1", 80, True)), layout.webroot),
    )
    plain = converter.unstructure(operations, unstructure_as=tuple[AnyOperation, ...])
    assert converter.structure(plain, tuple[AnyOperation, ...]) == operations


def probe(bench: Workbench, port: int, *names: str) -> ProbeChallenge:
    """Return a probe of a loopback port."""
    return ProbeChallenge(names or (NAME,), (("127.0.0.1", port, False),), bench.host.layout.webroot)


def test_a_probe_makes_its_place_and_leaves_no_proof(tmp_path: Path) -> None:
    """The directories are made for everyone to read, the proof is found and gone; undo removes what it made."""
    bench = workbench(tmp_path)
    empty = tree(tmp_path)
    with proofs(bench.host.layout.webroot) as server:
        operation = probe(bench, server.port, NAME, "example.com")
        before = operation.prepare(bench, 0)
        assert tree(tmp_path) == empty
        assert operation.observe(bench, before) is State.BEFORE
        operation.act(bench, before)
        operation.act(bench, before)
        assert server.asked.is_set()
    assert operation.observe(bench, before) is State.AFTER
    assert list(operation.directory.iterdir()) == []
    for path in (operation.directory, operation.directory.parent, operation.webroot):
        assert path.stat().st_mode & 0o777 == 0o755
    operation.undo(bench, before)
    operation.undo(bench, before)
    assert tree(tmp_path) == empty


def test_undo_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    """Directories that were there, and those with something in them, stay."""
    bench = workbench(tmp_path)
    operation = probe(bench, free_port())
    operation.webroot.mkdir(parents=True)
    before = operation.prepare(bench, 0)
    with pytest.raises(GateFailed):
        operation.act(bench, before)
    operation.undo(bench, before)
    assert operation.webroot.is_dir()
    assert list(operation.webroot.iterdir()) == []
    with pytest.raises(GateFailed):
        operation.act(bench, before)
    (operation.directory / "another proof").write_text("x")
    operation.undo(bench, before)
    assert (operation.directory / "another proof").exists()


def test_a_failed_probe_says_what_came_instead(tmp_path: Path) -> None:
    """Refused and not found are told apart, with address, port and name, and no proof is left."""
    bench = workbench(tmp_path)
    closed = free_port()
    operation = probe(bench, closed)
    with pytest.raises(
        GateFailed, match=r"the proof for matrix\.example\.com is not served: no answer came \(refused\)"
    ):
        operation.act(bench, operation.prepare(bench, 0))
    with proofs(tmp_path / "elsewhere") as server:
        operation = probe(bench, server.port)
        with pytest.raises(GateFailed, match="it answers 404") as failed:
            operation.act(bench, operation.prepare(bench, 0))
    assert failed.value.where.startswith(f"127.0.0.1 port {server.port}, /.well-known/acme-challenge/palpo-installer-")
    assert list(operation.directory.iterdir()) == []


NGINX = """
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{ listen 127.0.0.1:{port}; server_name good.example; root {webroot}; }}
    server {{ listen 127.0.0.1:{port}; server_name moved.example; return 301 https://$host$request_uri; }}
    server {{ listen 127.0.0.1:{port}; server_name fixed.example; return 200 "welcome"; }}
}}
"""


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("good.example", ""),
        ("moved.example", "it answers 301 and sends on to https://moved.example/.well-known/acme-challenge/"),
        ("fixed.example", "it answers with something else, which begins 'welcome'"),
    ],
)
def test_a_real_nginx_is_asked_by_name(tmp_path: Path, name: str, instead: str) -> None:
    """Three sites on one socket: the name decides which one answers, and a wrong one is described."""
    assert shutil.which("nginx"), "nginx is missing; apt-get install nginx"
    bench, port = workbench(tmp_path), free_port()
    tmp_path.chmod(0o755)
    configuration = tmp_path / "nginx.conf"
    webroot = bench.host.layout.webroot
    configuration.write_text(NGINX.format(root=tmp_path, port=port, webroot=webroot))
    argv = ("nginx", "-c", str(configuration), "-g", "user root;")
    with running(argv, {"PATH": "/usr/sbin:/usr/bin"}, port):
        operation = probe(bench, port, name)
        before = operation.prepare(bench, 0)
        if not instead:
            operation.act(bench, before)
            return
        with pytest.raises(GateFailed) as failed:
            operation.act(bench, before)
    assert instead in failed.value.what


def test_every_answer_has_words() -> None:
    """What came is described by its kind."""
    assert instead(Answer(problem="timed out")) == "no answer came (timed out)"
    assert instead(Answer(status=302, headers=(("location", "/x"),))) == "it answers 302 and sends on to /x"
    assert instead(Answer(status=403)) == "it answers 403"
