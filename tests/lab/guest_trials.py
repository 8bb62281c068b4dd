"""Sites of a real proxy that are to take a guest: what answers there with our line, and what without it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.operations.lines import AddedLine, directive, edited
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.virtual_hosts import Conflict, Leaflet, VirtualHosts
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    NOTHING,
    Challenge,
    Closed,
    FixedJson,
    Marker,
    Match,
    Route,
    Scope,
)
from tests.lab.nginx_with_neighbours import LOOPBACK

NAME = "example.com"
DOCUMENT = "/.well-known/matrix/client"
CLOSED = "/.well-known/matrix/server"
TOKEN = f"{CHALLENGE_PATH}/Proof_of-1"
OWN_TOKEN = f"{CHALLENGE_PATH}/Own"
THEIRS = (*((path, NAME) for path in ("/", "/old", OWN_TOKEN, f"{DOCUMENT}/below", "/.well-known/matrix/other")),)
"""What stays the site's own, each with the name it is asked for: its own proofs are among it."""


def routes(body: str, webroot: Path | None = None) -> tuple[Route, ...]:
    """Return what a guest answers: a document, a closed path, and proofs where the proxy serves files."""
    closed = Closed(Match(CLOSED, Scope.EXACT), NOTHING)
    return (Marker(), FixedJson(DOCUMENT, body, 60), closed, *((Challenge(webroot),) if webroot else ()))


def write_pages(root: Path) -> None:
    """Write a page and a proof of the site, and a proof of ours."""
    for place, text in ((f"webroot{TOKEN}", "proof"), (f"www{OWN_TOKEN}", "own"), ("www/index.html", "site")):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass(frozen=True)
class Trial:
    """A site that is to take a guest.

    Attributes:
        sites: those of the proxy.
        block: the site.
        port: where it answers.
        leaflet: what it takes.
        body: the guest's document.
    """

    sites: VirtualHosts
    block: ServerBlock
    port: int
    leaflet: Leaflet
    body: str

    @property
    def said(self) -> tuple[Conflict, ...]:
        """What is certainly in the way."""
        return tuple(each for each in self.sites.conflicts(self.leaflet, self.block) if each.certain)

    @property
    def line(self) -> AddedLine:
        """The line of the guest, and where it goes."""
        found = self.sites.place(self.leaflet, self.block)
        assert isinstance(found, AddedLine)
        return found

    def ask(self, path: str, name: str = NAME) -> Answer:
        """Return the answer at a path, asked for as browsers do."""
        return ask(Question(LOOPBACK, self.port, tls=False, host=f"{name}:{self.port}", target=path))

    def ours(self) -> dict[str, object]:
        """Return what is not as the guest says, empty where all is."""
        # A name may be written with capitals, and some clients leave out the port.
        document = ask(Question(LOOPBACK, self.port, tls=False, host="Example.com", target=DOCUMENT))
        marker, refusal, proof = self.ask(MARKER_PATH), self.ask(CLOSED), self.ask(TOKEN)
        seen = {
            "document": (document.status, document.body.decode(), document.all("content-type")),
            "origin": (document.all("access-control-allow-origin"), refusal.all("access-control-allow-origin")),
            "refusal": (refusal.status, refusal.all("content-type"), b"M_UNRECOGNIZED" in refusal.body),
            "marker": marker.all("palpo-installer"),
            "status of the marker": marker.status,
            "stranger": self.ask(MARKER_PATH, "www.example.com").all("palpo-installer"),
            "proof": (proof.status, proof.body),
        }
        wanted = {
            "document": (200, self.body, ("application/json",)),
            "origin": (("*",), ("*",)),
            "refusal": (404, ("application/json",), True),
            "marker": (self.leaflet.marker,),
            "status of the marker": 204,
            "stranger": (),
            "proof": (200, b"proof"),
        }
        return {key: value for key, value in seen.items() if value != wanted[key]}

    def theirs(self, asked: Sequence[tuple[str, str]] = THEIRS) -> tuple[tuple[int, str, bytes, str], ...]:
        """Return what the site answers elsewhere."""
        found = (self.ask(*each) for each in asked)
        return tuple((each.status, each.header("location"), each.body, each.problem) for each in found)


def put_in(found: Mapping[str, Trial]) -> dict[Path, bytes]:
    """Write the guests' files, and their lines into all sites at once; return the sites' files as they were."""
    lines: dict[Path, dict[int, str]] = {}
    for each in found.values():
        each.leaflet.file.path.parent.mkdir(exist_ok=True)
        each.leaflet.file.path.write_text(each.leaflet.file.text)
        lines.setdefault(each.block.file, {})[each.line.before] = each.line.text
    originals = {path: path.read_bytes() for path in lines}
    for path, added in lines.items():
        path.write_bytes(edited(originals[path], added, ()))
    return originals


def answers_beside(
    found: Mapping[str, Trial],
    serve: Callable[[], AbstractContextManager[None]],
    asked: Sequence[tuple[str, str]] = THEIRS,
    deviations: Collection[str] = (),
) -> Mapping[str, object]:
    """Check that our paths answer with the line and theirs as before, and that the line goes byte for byte.

    Args:
        found: sites where nothing certain is in the way.
        serve: runs the proxy.
        asked: what stays the sites' own.
        deviations: what this proxy does otherwise than others, of ``Trial.ours``.

    Returns:
        What stays the sites' own, as it was answered before.
    """
    assert {label: each.said for label, each in found.items()} == dict.fromkeys(found, ())
    with serve():
        before = {label: each.theirs(asked) for label, each in found.items()}
    originals = put_in(found)
    with serve():
        ours = {label: each.ours() for label, each in found.items()}
        assert {label: each.theirs(asked) for label, each in found.items()} == before
    assert ours == {label: {key: ours[label].get(key) for key in deviations} for label in found}
    lines = [directive(line) for each in found.values() for line in each.leaflet.line.split("\n")]
    assert {path: edited(path.read_bytes(), {}, lines) for path in originals} == originals
    return before


def no_document_answers(found: Mapping[str, Trial], serve: Callable[[], AbstractContextManager[None]]) -> None:
    """Check that with the lines in them no document of ours answers in these sites."""
    put_in(found)
    with serve():
        assert {label: "document" in each.ours() for label, each in found.items()} == dict.fromkeys(found, True)
