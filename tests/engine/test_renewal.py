"""Renewal on a real nginx: what is due is made, taken up and proven."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates import authority, store
from palpo_installer.engine.lock import hold
from palpo_installer.engine.renewal import renew
from palpo_installer.errors import AnswersError, Locked
from palpo_installer.gates.markers import leaf_of
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.probe import Question, ask
from tests.planning.made import OfflineHost, applied_nginx
from tests.trees import tree

NAMES = ("matrix.example.com", "example.com")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host on which everything was applied, with nginx at work."""
    with applied_nginx(tmp_path) as host:
        yield host


def files(host: Host, name: str) -> CertificateFiles:
    """Return where a name's certificate is."""
    return store.self_signed(host.layout, name)


def shown(host: Host, name: str) -> str:
    """Return the fingerprint of the certificate that nginx shows for a name."""
    return ask(Question("127.0.0.1", host.layout.https_port, tls=True, host=name, sni=name)).certificate


def age(host: Host, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a name's certificate be one that is due."""
    with monkeypatch.context() as patched:
        patched.setattr(authority, "LEAF_LIFETIME", timedelta(minutes=10))
        authority.issue(name, host.layout)


def test_nothing_due_changes_nothing(host: Host, tmp_path: Path) -> None:
    """Each name is said, the sockets are asked, and no file of the host is another one."""
    before = tree(tmp_path / "etc")
    said: list[str] = []
    assert renew(host, said.append) == 0
    assert said == [
        "done  matrix.example.com: nothing to renew here",
        "done  example.com: nothing to renew here",
        "done  every address shows the certificates on disk",
    ]
    assert tree(tmp_path / "etc") == before


def test_what_is_due_is_made_and_taken_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only that name gets another certificate, and every address shows it afterwards."""
    age(host, "example.com", monkeypatch)
    old = {name: leaf_of(host, files(host, name).chain) for name in NAMES}
    said: list[str] = []
    assert renew(host, said.append) == 0
    assert "done  example.com: issued again" in said
    assert said[-1] == "done  every address shows the certificates on disk now"
    new = {name: leaf_of(host, files(host, name).chain) for name in NAMES}
    assert new["matrix.example.com"] == old["matrix.example.com"]
    assert new["example.com"] != old["example.com"]
    assert {name: shown(host, name) for name in NAMES} == new


def test_what_was_not_taken_up_last_time_is_taken_up_now(host: Host) -> None:
    """Disk and sockets are compared whether or not anything is due."""
    authority.issue("example.com", host.layout)
    assert shown(host, "example.com") != leaf_of(host, files(host, "example.com").chain)
    assert renew(host, lambda _: None) == 0
    assert shown(host, "example.com") == leaf_of(host, files(host, "example.com").chain)


def test_one_name_keeps_no_other_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that fails is told, with exit code 1, and the other one is renewed and shown."""
    for name in NAMES:
        age(host, name, monkeypatch)
    files(host, "matrix.example.com").key.write_text("no key")
    old = leaf_of(host, files(host, "example.com").chain)
    said: list[str] = []
    assert renew(host, said.append) == 1
    assert "done  example.com: issued again" in said
    assert any(line.startswith("FAIL  matrix.example.com: ") and "is no private key" in line for line in said)
    assert leaf_of(host, files(host, "example.com").chain) != old


def test_a_proxy_that_does_not_take_it_up_fails(host: Host) -> None:
    """Where nginx does not load its configuration, that is said with the line, and the exit code is 1."""
    authority.issue("example.com", host.layout)
    broken = host.layout.at("/etc/nginx/conf.d/broken.conf")
    broken.write_text("listen nonsense;\n")
    said: list[str] = []
    assert renew(host, said.append) == 1
    assert said[-1].startswith(f"FAIL  {broken}:1: nginx's configuration does not load")


def test_a_run_at_work_comes_first(tmp_path: Path) -> None:
    """Renewal holds the same lock, and waits for its own next time."""
    layout = Layout(tmp_path)
    with hold(layout, "run 0007"), pytest.raises(Locked, match="run 0007 is at work"):
        renew(Host(layout), lambda _: None)


def test_without_answers_there_is_nothing_to_renew(tmp_path: Path) -> None:
    """Only names of the answers in force are touched: without any, none is."""
    with pytest.raises(AnswersError):
        renew(OfflineHost(Layout(tmp_path)), lambda _: None)
