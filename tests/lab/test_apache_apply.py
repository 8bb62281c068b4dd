"""Apache as hosts have it: without mod_ssl and virtual hosts, with a port that another program takes meanwhile."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.test_taken_ports import hold

ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")


def prepare(host: ThrowAwayHost, delegation: str) -> None:
    """Put answers that choose Apache on a host; certificates come from a local authority."""
    ways.prepare(host, None, delegation, proxy='kind = "apache"')


def plain_answers(host: ThrowAwayHost) -> list[str]:
    """Return what is answered without a name, and for the main server's own name."""
    asked = (("http://198.18.0.10/",), ("http://[fd10::10]/",), ("http://198.18.0.10/", "--header", "Host: main.org"))
    return [re.sub(r"(?im)^date:.*\r?\n", "", ways.fetch(host, url, *options)) for url, *options in asked]


def test_the_main_server_goes_on_answering_where_no_virtual_host_did(host: ThrowAwayHost) -> None:
    """A fresh httpd is like that; mod_ssl, which Debian does not enable, comes with us and goes with us."""
    host.output(["a2dissite", "000-default", "--quiet"])
    host.write("/etc/apache2/conf-enabled/main.conf", "ServerName main.org\nDocumentRoot /var/www/main\n")
    host.write("/var/www/main/index.html", "the main server\n")
    host.output(["touch", "--date=@1000000000", "/var/www/main/index.html"])
    host.output(["apache2ctl", "start"])
    host.until_listening(80)
    prepare(host, "srv")
    before, answers = host.snapshot(), plain_answers(host)
    assert all("the main server" in each for each in answers)

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert plain_answers(host) == answers
    assert (
        "palpo-installer: "
        in ways.fetch(
            host, "http://198.18.0.10/.well-known/palpo-installer", "--header", "Host: matrix.example.com"
        ).lower()
    )
    assert {port for _, port in host.listening()} >= {80, 443, 8448}
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert plain_answers(host) == answers
    assert not {port for _, port in host.listening()} & {443, 8448}


def test_a_port_that_is_taken_after_planning_does_not_end_apache(apache: ThrowAwayHost) -> None:
    """Apache's own test passes and a reload would end it: the holder is named before it, and all is put back."""
    host = apache
    prepare(host, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    identity = host.output([host.python, ENGINE, "register", ways.ANSWERS]).strip()
    main = host.read("/run/apache2/apache2.pid")
    hold(host, "198.18.0.10/8448")
    host.run([host.python, "-m", "palpo_installer", "run", identity], timeout=120)
    events = host.read(f"/var/lib/palpo-installer/runs/{identity}/events.jsonl")
    assert "a reload would end Apache" in events
    assert re.search(
        r"port 8448 .* cannot be opened: Address already in use, held by python\S* \(process \d+\)", events
    )
    assert host.read("/run/apache2/apache2.pid") == main
    assert ways.neighbour_answers(host) == neighbours
    assert ways.untouched(before, host) == {}


@pytest.mark.slow
def test_a_stopped_apache_is_started_and_stopped_again(host: ThrowAwayHost) -> None:
    """The plan starts it, and taking back stops it."""
    services.configure_apache(host)
    prepare(host, "well-known")
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    ways.start_palpo(host)
    ways.done(host, "verify")
    ways.done(host, "rollback", "--yes")
    assert not {port for _, port in host.listening()} & {80, 443}
    assert ways.untouched(before, host) == {}
