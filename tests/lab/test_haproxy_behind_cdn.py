"""A frontend of somebody else's behind a CDN: which client is seen, what an edit of it does, and the way back."""

from __future__ import annotations

import pytest

from tests.lab import names, services, ways
from tests.lab.conformance.served import CLIENT
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until
from tests.lab.upstream import upstream
from tests.lab.wire import Wire

SITE = "/etc/haproxy/conf.d/neighbour.cfg"
LIST = "/etc/haproxy/cdn.lst"
DENIED = f"    http-request deny if {{ path_beg /_matrix }} !{{ hdr(host) -i {services.NEIGHBOUR} }}\n"
TAKEN = f"    http-request set-src hdr({{header}}) if {{{{ src -f {LIST} }}}}\n"
CHOICE = "    use_backend neighbour if { req.hdr"


def seen(header: bytes) -> str:
    """Return the address that the homeserver sees of a client that a CDN names in a header."""
    with upstream(8008) as homeserver:
        wire = Wire(ADDRESS4, 443, CLIENT)
        until(lambda: wire.http1(b"/_matrix/x", [(header, b"203.0.113.7")]).status == 200, "the homeserver", 30)
        return next(each for each in homeserver.requests if each.target == b"/_matrix/x").value("X-Forwarded-For", "")


@pytest.mark.slow
def test_the_whole_way_behind_a_cdn(host: ThrowAwayHost) -> None:
    """Who the CDN names is seen; a further CDN below our line lets it move at the next apply; all is taken back."""
    services.configure_haproxy(host)
    host.write(LIST, "198.18.0.0/15\n")
    first, second = TAKEN.format(header="CF-Connecting-IP"), TAKEN.format(header="Fastly-Client-IP")
    host.write(SITE, host.read(SITE).replace(CHOICE, f"{first}{DENIED}{CHOICE}"))
    services.run_haproxy(host)
    names.serve(host)
    ways.prepare(host, None, "well-known", proxy='kind = "haproxy"')
    before, written = host.snapshot(), host.read(SITE)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    with host.network():
        assert seen(b"CF-Connecting-IP") == "203.0.113.7"
        assert seen(b"Fastly-Client-IP") == ADDRESS4

    applied = host.read(SITE)
    host.write(SITE, applied.replace(DENIED, f"{second}{DENIED}"))
    edited = host.read(SITE)
    ways.done(host, "apply", "--yes")
    with host.network():
        assert {seen(b"CF-Connecting-IP"), seen(b"Fastly-Client-IP")} == {"203.0.113.7"}
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.done(host, "rollback", "--yes")
    assert host.read(SITE) == edited
    host.write(SITE, applied)
    ways.done(host, "rollback", "--yes")
    assert host.read(SITE) == written
    assert ways.untouched(before, host) == {}
