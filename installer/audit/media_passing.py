"""How a proxy passes media on to a media repository: by which name, and whether all families of paths. Pure.

Source: matrix-media-repo, ``api/_routers/03-host_detection.go``, CHANGELOG 1.3.5; each measured with the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.audit.passing import Cure, MediaPassage

MEDIA_FORWARDED = Trap(
    "media-forwarded-host",
    Severity.BREAKS,
    "A media repository believes X-Forwarded-Host more than Host, and answers 502 to a name that it does not serve "
    "(measured).",
)
MEDIA_HOST = Trap(
    "media-host",
    Severity.BREAKS,
    "A media repository chooses the server by Host, and answers 502 to a name that it does not serve (measured): no "
    "upload, no picture.",
)
MEDIA_MISSING = Trap(
    "media-path-missing",
    Severity.BREAKS,
    "The homeserver answers there, and has none of the media: clients of today ask for pictures with their token "
    "(Matrix 1.11), and other servers with their signature.",
)
FAMILIES = {
    "/_matrix/media": "/_matrix/media/v3/upload",
    "/_matrix/client/v1/media": "/_matrix/client/v1/media/download/example.com/a",
    "/_matrix/federation/v1/media": "/_matrix/federation/v1/media/download/a",
}
"""Each family of paths with one of it."""

API = "/_matrix/client/v3/sync"
"""A path that is the homeserver's in any case."""


def judged(
    subject: str,
    passage: Callable[[str], MediaPassage | None],
    server_name: str,
    cures: Mapping[str, Cure],
    *,
    believes_forwarded: bool,
) -> Iterator[Finding]:
    """Yield what is wrong with the way of media through one site.

    Args:
        subject: the name of the site.
        passage: how a path reaches the media repository, None where it does not.
        server_name: Palpo's, empty when not known.
        cures: what to do, by rule, in the words of the proxy.
        believes_forwarded: whether the repository looks at X-Forwarded-Host (``repo.useForwardedHost``).
    """
    if passage(API) is not None:
        return  # The homeserver itself is somewhere else than is known, and media may well go to it.
    ways = {family: passage(path) for family, path in FAMILIES.items()}
    found = tuple(dict.fromkeys(way for way in ways.values() if way is not None))
    for way in found if server_name else ():
        forwarded = bool(way.forwarded) and believes_forwarded
        name = way.forwarded if forwarded else way.host
        if name is not None and name != server_name:
            trap = MEDIA_FORWARDED if forwarded else MEDIA_HOST
            what = f"the media repository is told {name}, and not the server name {server_name}"
            yield _finding(trap, subject, way, what, cures)
    missing = [family for family, way in ways.items() if way is None]
    if found and missing:
        what = f"{', '.join(missing)} does not lead to the media repository"
        yield _finding(MEDIA_MISSING, subject, found[0], what, cures)


def _finding(trap: Trap, subject: str, way: MediaPassage, what: str, cures: Mapping[str, Cure]) -> Finding:
    cure = cures[trap.rule]
    return trap.at(way.place.file, way.place.line, subject, what, cure.sentence, *cure.lines)
