from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from palpo_installer.errors import GateFailed
from palpo_installer.gates.markers import (
    Former,
    complaint,
    leaf_of,
    names_of,
    prove,
    prove_former,
    prove_gone,
    questions,
    record,
)
from palpo_installer.host import Host
from palpo_installer.probe import Answer
from palpo_installer.proxies.base import Expectation
from palpo_installer.site import MARKER_PATH
from tests.benches import workbench
from tests.facts.made import certificate
from tests.gates.servers import serving
from tests.ports import free_port

NAME = "matrix.example.com"


def expectation(port: int, marker: str = "new", name: str = NAME) -> Expectation:
    """Return that a port of loopback, without TLS, shows a marker."""
    return Expectation("127.0.0.1", port, False, name, marker, None, False)


def soon(seconds: float = 0.5) -> float:
    """Return a near deadline."""
    return time.monotonic() + seconds


def test_status_and_body_do_not_count(tmp_path: Path) -> None:
    """A 404 with the right header is the proof, three times in a row."""
    asked: list[int] = []

    def answer(number: int) -> tuple[int, dict[str, str]]:
        asked.append(number)
        return 404, {"palpo-installer": "new"}

    with serving(answer) as port:
        prove([expectation(port)], soon(10), workbench(tmp_path))
    assert asked == [0, 1, 2]


def test_an_old_marker_is_told_from_none(tmp_path: Path) -> None:
    """Each socket is named with what it shows, the first one as the place; the next step names its port."""
    with (
        serving(lambda _: (200, {"Palpo-Installer": "old"})) as old,
        serving(lambda _: (200, {})) as none,
    ):
        with pytest.raises(GateFailed) as failure:
            prove([expectation(old), expectation(none)], soon(), workbench(tmp_path))
        with pytest.raises(GateFailed, match=r"new configuration \(new\), got none of ours \(status 200\)"):
            prove([expectation(none)], soon(), workbench(tmp_path))
    assert failure.value.what == (
        f"{NAME}: expected the new configuration (new), got an earlier one (old); "
        "and 1 more addresses or names are not right"
    )
    assert failure.value.where == f"127.0.0.1:{old}"
    assert f"port {old}" in failure.value.next


def test_a_socket_that_refuses_is_no_proof(tmp_path: Path) -> None:
    """Nobody listens there."""
    with pytest.raises(GateFailed, match="no answer: refused"):
        prove([expectation(free_port())], soon(), workbench(tmp_path))


def test_many_failures_are_counted(tmp_path: Path) -> None:
    """One is named."""
    with pytest.raises(GateFailed, match="and 6 more"):
        prove([expectation(free_port()) for _ in range(7)], soon(), workbench(tmp_path))


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    """There is nothing to compare with, so nothing is asked."""
    chain = tmp_path / "chain.pem"
    chain.write_text("nothing")
    tls = Expectation("127.0.0.1", 1, True, NAME, "new", chain, False)
    with pytest.raises(GateFailed, match="no certificate") as failure:
        prove([tls], soon(), workbench(tmp_path))
    assert failure.value.where == str(chain)


def test_the_leaf_shown_must_be_the_one_on_disk(tmp_path: Path) -> None:
    """The right marker under another certificate is not enough; the complaint has that certificate's names."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate(NAME).write(chain, key)
    other = x509.load_pem_x509_certificate(certificate("a.example", "b.example").chain)
    mine = leaf_of(Host(), chain)
    assert mine == x509.load_pem_x509_certificate(chain.read_bytes()).fingerprint(hashes.SHA256()).hex()
    tls = Expectation("127.0.0.1", 1, True, NAME, "new", chain, False)
    shown = Answer(200, (("palpo-installer", "new"),), certificate=mine)
    assert complaint(tls, shown, {chain: mine}) == ""
    wrong = Answer(200, shown.headers, certificate="00", chain=other.public_bytes(Encoding.DER))
    assert complaint(tls, wrong, {chain: mine}).endswith("got another one, for a.example, b.example")
    assert names_of(b"") == "no name"


@pytest.mark.parametrize(("name", "sni"), [(NAME, NAME), ("192.0.2.1", ""), ("[2001:db8::1]", "")])
def test_an_address_is_never_sent_as_sni(name: str, sni: str) -> None:
    """RFC 6066 allows host names only; the Host header is the name in any case."""
    asked = questions([Expectation("127.0.0.1", 443, True, name, "new", None, True)])[0]
    assert (asked.host, asked.sni, asked.target, asked.proxy_protocol) == (name, sni, MARKER_PATH, True)


def test_sockets_are_recorded_and_asked_back(tmp_path: Path) -> None:
    """An old marker, another program's answer, a silent socket and a closed one are all as they were."""
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, serving(lambda _: (200, {"Palpo-Installer": "old"})) as old, serving(lambda _: (200, {})) as other:
        ports = [old, other, free_port(), silent.getsockname()[1]]
        expectations = [expectation(port) for port in ports]
        former = record(expectations, workbench(tmp_path))
        prove_former(expectations, former, soon(10), workbench(tmp_path))
    assert former == (
        Former("old", False, False),
        Former("", False, False),
        Former("", True, False),
        Former("", False, True),
    )


def test_a_change_that_is_still_served_is_not_taken_back(tmp_path: Path) -> None:
    """The new marker where there was none, or a socket that is open and was closed."""
    with serving(lambda _: (200, {"Palpo-Installer": "new"})) as port:
        with pytest.raises(GateFailed, match="expected no marker of ours, still shows new"):
            prove_former([expectation(port)], [Former("", False, False)], soon(), workbench(tmp_path))
        with pytest.raises(GateFailed, match="takes connections now and did not before"):
            prove_former([expectation(port)], [Former("", True, False)], soon(), workbench(tmp_path))
        with pytest.raises(GateFailed, match="still shows new"):
            prove_former([expectation(port)], [Former("", True, False).by_marker], soon(), workbench(tmp_path))


def test_a_socket_that_was_open_must_be_open_again(tmp_path: Path) -> None:
    """Refused now, and an earlier marker before."""
    with pytest.raises(GateFailed, match="refuses connections now and did not before"):
        prove_former([expectation(free_port())], [Former("old", False, False)], soon(), workbench(tmp_path))


def test_what_is_to_go_must_be_gone(tmp_path: Path) -> None:
    """No marker of ours, three times in a row; another one's answer will do, and so does a closed port."""
    served = ["ours", "ours", "", "ours"]
    with serving(lambda n: (200, {"Palpo-Installer": served[n]} if n < len(served) else {})) as port:
        prove_gone([expectation(port), expectation(free_port())], [False, True], soon(10), workbench(tmp_path))
    with (
        serving(lambda _: (200, {"Palpo-Installer": "ours"})) as port,
        pytest.raises(GateFailed, match=r"matrix\.example\.com: still serves what is to go \(ours\)"),
    ):
        prove_gone([expectation(port)], [False], soon(), workbench(tmp_path))


def test_a_port_that_only_we_had_must_be_closed(tmp_path: Path) -> None:
    """An answer without a marker is not enough there."""
    with serving(lambda _: (200, {})) as port, pytest.raises(GateFailed, match="still takes connections"):
        prove_gone([expectation(port)], [True], soon(), workbench(tmp_path))
