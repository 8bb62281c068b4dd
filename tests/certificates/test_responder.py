from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.certificates.responder import address, answer, answering, needed
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.probe import Question, ask
from tests.ports import free_port

PROOFS = ".well-known/acme-challenge"


@pytest.fixture
def webroot(tmp_path: Path) -> Path:
    """A directory with one proof and a secret beside it."""
    (tmp_path / PROOFS).mkdir(parents=True)
    (tmp_path / PROOFS / "token_1-x").write_text("proof")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


@pytest.mark.parametrize(
    "target",
    [
        f"/{PROOFS}/other",
        f"/{PROOFS}/../../secret",
        f"/{PROOFS}/..%2f..%2fsecret",
        f"/{PROOFS}/",
        f"/{PROOFS}",
        "/secret",
        f"/{PROOFS}/token_1-x/",
    ],
)
def test_nothing_but_proofs_can_be_asked_for(webroot: Path, target: str) -> None:
    """Whatever a client writes, no other file is ever opened."""
    assert answer(webroot, target) is None


def test_a_proof_is_answered_meanwhile_only(webroot: Path) -> None:
    """As long as an order lives, to everybody who asks, and not a moment longer."""
    port = free_port()
    question = Question("127.0.0.1", port, tls=False, target=f"/{PROOFS}/token_1-x")
    with answering(f"127.0.0.1:{port}", webroot):
        found = ask(question)
        assert (found.status, found.body, found.header("content-type")) == (200, b"proof", "text/plain")
        assert ask(replace(question, target=f"{question.target}y")).status == 404
    assert ask(question).problem == "refused"


def test_a_port_that_somebody_else_has_is_named(webroot: Path) -> None:
    """With the place and how to see who it is, before anything is ordered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(HostError) as raised, answering(place, webroot):
            pass
    assert raised.value.where == place


def test_only_a_proxy_without_files_needs_it() -> None:
    """The others read the directory themselves, and nothing listens then."""
    assert needed("haproxy", Layout()) == address(Layout()) == "127.0.0.1:10009"
    assert needed("nginx", Layout()) == ""
    with answering("", Path("/nowhere")):
        pass
