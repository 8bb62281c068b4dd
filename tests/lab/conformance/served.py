"""A site that ``palpo-installer apply`` brought to a host, and what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from palpo_installer.certificates.responder import needed
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer
from tests.lab import names, services, ways
from tests.lab.conformance.rows import Row
from tests.lab.hosts import ADDRESS4, ADDRESS6, LabHost, ThrowAwayHost
from tests.lab.running import require_programs, require_root, until
from tests.lab.services import Authority
from tests.lab.upstream import Request, Upstream, upstream
from tests.lab.wire import Headers, Wire

CLIENT, BASE = "matrix.example.com", "example.com"
HOMESERVER_PORT, MEDIA_PORT, FEDERATION_PORT = 8008, 8000, 8448
LIMIT = 16 * 2**20
"""Bytes that a body may have."""

SUPPORT = "https://example.com/help?a=%[src]&b=%41"
"""A page whose address a template must quote."""


@dataclass
class Served:
    """The site: federation by SRV, media with a repository of its own, both hosts ours.

    Attributes:
        row: the proxy.
        host: where it runs.
        homeserver: what is behind it on port 8008.
        media: the media repository on port 8000.
    """

    row: Row
    host: LabHost
    homeserver: Upstream = field(init=False)
    media: Upstream = field(init=False)
    _homeserver: ExitStack = field(init=False)

    @property
    def wire(self) -> Wire:
        """To the client host."""
        return Wire(ADDRESS4, 443, CLIENT)

    @property
    def base(self) -> Wire:
        """To the base domain's website."""
        return Wire(ADDRESS4, 443, BASE)

    @property
    def federation(self) -> Wire:
        """To the port that the SRV records name."""
        return Wire(ADDRESS4, FEDERATION_PORT, BASE)

    @property
    def plain(self) -> Wire:
        """To port 80 of the client host."""
        return Wire(ADDRESS6, 80, CLIENT, tls=False)

    @property
    def arrived(self) -> list[Request]:
        """What reached the homeserver or the media repository, health checks left out."""
        requests = (*self.homeserver.requests, *self.media.requests)
        return [request for request in requests if request.target != b"/healthz"]

    def forget(self) -> None:
        """Forget what has arrived."""
        self.homeserver.requests.clear()
        self.media.requests.clear()

    def ask(self, protocol: str, target: str, headers: Headers = ()) -> tuple[Answer, list[bytes]]:
        """Ask the client host for a target; return the answer, and the targets that arrived."""
        self.forget()
        asked = self.wire.http2 if protocol == "HTTP/2" else self.wire.http1
        answer = asked(target.encode(), headers)
        return answer, [request.target for request in self.arrived]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let nobody listen where the homeserver did; it is back in the end."""
        self._go()
        try:
            yield
        finally:
            self._come()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer challenges as an order does, for a proxy that serves no files."""
        place = needed(self.row.kind, Layout())
        if not place:
            yield
            return
        script = (
            "import sys, threading, pathlib; from palpo_installer.certificates.responder import answering\n"
            "with answering(sys.argv[1], pathlib.Path(sys.argv[2])): threading.Event().wait()"
        )
        running = self.host.start([self.host.python, "-c", script, place, str(Layout().webroot)])
        self.host.until_listening(int(place.rpartition(":")[2]))
        try:
            yield
        finally:
            running.close()

    def _come(self) -> None:
        """Let the homeserver listen."""
        self._homeserver = ExitStack()
        self.homeserver = self._homeserver.enter_context(upstream(HOMESERVER_PORT))

    def _reached(self) -> bool:
        return {self.wire.http1(path).status for path in (b"/_matrix/x", b"/_matrix/media/v3/x")} == {200}

    def _go(self) -> None:
        self._homeserver.close()

    @contextmanager
    def behind(self) -> Iterator[None]:
        """Run what is behind the proxy, until the proxy has taken notice."""
        with ExitStack() as stack:
            with self.host.network():
                self._come()
                stack.callback(self._go)
                self.media = stack.enter_context(upstream(MEDIA_PORT))
                until(self._reached, "an answer of the homeserver and of the media repository", 30)
            yield


@contextmanager
def neighboured(row: Row) -> Iterator[tuple[ThrowAwayHost, Authority]]:
    """Give a host with the proxy, its neighbour's site and a certificate authority."""
    require_root()
    require_programs(row.program, "openssl")
    host = ThrowAwayHost()
    try:
        names.serve(host)
        row.start(host)
        host.until_listening(443)
        yield host, services.start_pebble(host)
    finally:
        host.stop()


def prepare(row: Row, host: LabHost, authority: Authority | None, delegation: str, **more: str) -> None:
    """Put answers that choose the proxy on a host; ``more`` are further lines of a section, by its name."""
    ways.prepare(host, authority, delegation, proxy=f'kind = "{row.kind}"', **more)


@contextmanager
def applied(row: Row) -> Iterator[Served]:
    """Apply the answers on a host of its own, and serve."""
    with neighboured(row) as (host, authority):
        media, support = f'upstream = "127.0.0.1:{MEDIA_PORT}"', f'support = "{SUPPORT}"'
        prepare(row, host, authority, "srv", media=media, well_known=support)
        ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
        yield Served(row, host)
