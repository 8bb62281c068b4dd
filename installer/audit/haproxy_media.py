"""How HAProxy passes media on to a media repository. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from palpo_installer.audit.haproxy_conditions import Conditions
from palpo_installer.audit.passing import MediaPassage, Place
from palpo_installer.proxies.haproxy.configuration import Directive, HAProxy, Section


def passage(haproxy: HAProxy, asked: Sequence[Conditions], path: str, home: Collection[str]) -> MediaPassage | None:
    """Return how a path reaches a back end that is not the homeserver's, None where it does not.

    Args:
        haproxy: as found.
        asked: the rules of the front end, under each of its names.
        path: as it came.
        home: the names of the homeserver's back ends.
    """
    backs = {each.name: each for each in haproxy.sections if each.kind in {"backend", "listen"} and each.all("server")}
    for one in asked:
        line = one.passing(path, backs)
        back = backs.get(line.words[1]) if line is not None and len(line.words) > 1 else None
        if line is not None and back is not None and back.name not in home:
            place, host = Place(line.file, line.line), _sent(one, back, path, "host", one.name)
            return MediaPassage(place, host, _sent(one, back, path, "x-forwarded-host", ""))
    return None


def _sent(front: Conditions, back: Section, path: str, header: str, client: str) -> str | None:
    """Return what arrives in a header; ``client`` is what comes from clients. None where that cannot be told."""
    value: str | None = client
    for rules in (front, Conditions(back, front.name)):
        for line in _about(rules.section, header):
            if rules.applies(line, path) is False:
                continue
            set_to = " ".join(line.words[3:4]) if line.words[1] == "set-header" else ""
            value = None if "%" in set_to or rules.applies(line, path) is None else set_to
    return value.partition(":")[0] if value is not None else None


def _about(section: Section, header: str) -> Iterator[Directive]:
    for each in section.all("http-request"):
        if each.words[1:2] in {("set-header",), ("del-header",)} and "".join(each.words[2:3]).lower() == header:
            yield each
