"""What Apache is told, what it says, and what would end it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies import error_log
from palpo_installer.proxies.apache import diagnosis, hazards, process
from palpo_installer.proxies.apache.reading import BOTH
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.opening import refusal_of
from tests.proxies.apache.apaches import apache, httpd

SYNTAX = """AH00558: apache2: Could not reliably determine the server's fully qualified domain name
AH00526: Syntax error on line 12 of /etc/apache2/sites-enabled/x.conf:
Invalid command 'Header', perhaps misspelled or defined by a module not included in the server configuration
Action '-t' failed.
The Apache error log may have more information.
"""
LOG = """[Sat Nov 21 05:05:26.843910 2026] [ssl:info] [pid 3:tid 3] [client 127.0.0.1:1] AH01964: Connection
[Sat] [core:error] [pid 3:tid 3] (98)Address already in use: AH00072: make_sock: could not bind to address [::]:8448
[Sat] [mpm_event:alert] [pid 3:tid 3] no listening sockets available, shutting down
"""


def test_what_it_is_told() -> None:
    """By its unit; without one Debian's by the program that sets its variables, others directly."""
    service = process.service_of(apache())
    assert (service.name, service.manager, service.unit) == ("apache2", "systemd", "apache2.service")
    assert process.reload(service, 30).argv == ("systemctl", "reload", "apache2.service")
    assert process.dry_run(service, 30).argv == ("/usr/sbin/apache2ctl", "-t")
    by_hand = process.service_of(replace(apache(), unit=""))
    assert process.start(by_hand, 30).argv == ("/usr/sbin/apache2ctl", "start")
    assert process.reload(by_hand, 30).argv == ("/usr/sbin/apache2ctl", "graceful")
    other = process.service_of(replace(httpd(), unit=""))
    assert process.reload(other, 30).argv[-2:] == ("-k", "graceful")
    assert other.name == "httpd"


def test_a_verdict_names_file_and_line() -> None:
    """Of its first error; a test that passes has its warnings."""
    failed = diagnosis.verdict(loads=False, said=SYNTAX)
    assert (failed.file, failed.line) == (Path("/etc/apache2/sites-enabled/x.conf"), 12)
    assert failed.error.startswith("Invalid command 'Header'")
    assert failed.error.endswith("server configuration")
    passed = diagnosis.verdict(loads=True, said="AH00112: Warning: DocumentRoot [/x] does not exist\nSyntax OK\n")
    assert passed.warnings == ("AH00112: Warning: DocumentRoot [/x] does not exist",)
    assert diagnosis.verdict(loads=False, said="apache2: cannot open").error == "apache2: cannot open"


def test_the_cause_is_read_from_what_the_log_got_since(tmp_path: Path) -> None:
    """A socket, with who holds it; what was there before does not count."""
    log = tmp_path / "error.log"
    log.write_text(LOG)
    since = error_log.mark(Host(), log)
    assert diagnosis.grave(Host(), log, since) == ()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        log.write_text(LOG + LOG.replace("8448", str(port)))
        said = diagnosis.grave(Host(), log, since)
        assert any("no listening sockets" in each for each in said)
        cause = diagnosis.explain(Host(), said)
    assert cause.startswith(f"Apache could not listen on [::]:{port}: Address already in use, held by ")
    assert diagnosis.explain(Host(), ()) == ""


def test_a_log_that_was_rotated_is_read_from_its_begin(tmp_path: Path) -> None:
    """The same where it was not there before."""
    log = tmp_path / "error.log"
    since = error_log.mark(Host(), log)
    log.write_text(LOG)
    assert len(diagnosis.grave(Host(), log, since)) == 2


def at(address: str, port: int = 443) -> Listen:
    """Return a socket of the configuration."""
    return Listen(address, port, (BOTH,) if address == "::" else (), Path("/etc/apache2/x.conf"), 3)


@pytest.mark.parametrize(
    ("listens", "held", "bad"),
    [
        ((at("::"), at("192.0.2.1")), (), True),
        ((at("0.0.0.0"), at("192.0.2.1")), (), True),
        ((at("0.0.0.0"), at("2001:db8::1")), (), False),
        ((at("::"), at("192.0.2.1", 80)), (), False),
        ((at("::"), at("192.0.2.1")), (("::", 443), ("192.0.2.1", 443)), False),
        ((at("0.0.0.0"), at("::")), (), False),
    ],
)
def test_sockets_that_overlap_are_foreseen(
    listens: tuple[Listen, ...], held: tuple[tuple[str, int], ...], bad: bool
) -> None:
    """All addresses of a port and one of them: Apache's test passes, and it ends; what is open stays open."""
    assert bool(list(hazards.overlaps(listens, held))) == bad


def test_a_socket_that_cannot_be_opened_is_foreseen() -> None:
    """One that another program has, in one family or both, and an address that is not this host's."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert refusal_of(at("127.0.0.1", port)) == "Address already in use"
        assert refusal_of(at("::", port)) == "Address already in use"
        assert refusal_of(at("127.0.0.2", port)) == ""
    assert refusal_of(at("127.0.0.1", port)) == ""
    assert refusal_of(at("203.0.113.99")) == "Cannot assign requested address"
