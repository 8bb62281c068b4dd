"""What a virtual host of Apache passes on, path by path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from palpo_installer.audit.passing import Fault, Place, is_homeserver
from palpo_installer.proxies.apache.directive import Directive

SPEAKS_OF_MATRIX = re.compile(r"_matrix|_palpo", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """A directive that passes requests on, or says that some are not.

    Attributes:
        path: what it is for; a pattern for ``ProxyPassMatch`` and ``RewriteRule``.
        url: where to, ``!`` for nowhere.
        options: the rest of its words.
        pattern: whether ``path`` is a regular expression.
        rewriting: whether it is a ``RewriteRule … [P]``.
        place: where it stands.
    """

    path: str
    url: str
    options: tuple[str, ...]
    pattern: bool
    rewriting: bool
    place: Place

    def takes(self, path: str) -> bool:
        """Return whether a path, decoded and with dots resolved, is one of its."""
        if self.pattern:
            try:
                return re.search(self.path, path) is not None
            except re.error:
                return False
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/") or self.path == "/"

    def option(self, name: str) -> str:
        """Return the value of an option such as ``timeout=300``, empty for none."""
        found = (each.partition("=")[2] for each in self.options if each.lower().startswith(f"{name}="))
        return next(found, "")

    def faults(self) -> Iterator[tuple[str, Fault]]:
        """Yield what is wrong with the way in which it passes the target on (measured: 20 of 24 targets change)."""
        if self.url == "!":
            return
        if self.rewriting:
            yield "rewritten-target", Fault(self.place, "a RewriteRule with [P] passes Matrix requests on")
            return
        if "nocanon" not in {each.lower() for each in self.options}:
            yield "decoded-target", Fault(self.place, f"ProxyPass {self.path} has no nocanon")
        leads = urlsplit(self.url).path
        if not self.pattern and leads != self.path:
            what = f"ProxyPass {self.path} leads to {leads or 'no path'}, which is another one"
            yield "rewritten-target", Fault(self.place, what)


def passages(section: Directive, ports: frozenset[int]) -> tuple[Passage, ...]:
    """Return what a virtual host passes on to the homeserver, or in words of Matrix; none where it passes nothing on.

    Exceptions (``!``) are among them, in the order in which Apache asks.
    """
    found = tuple(_all(section, ""))
    spoken = {_socket(each.url) for each in found if SPEAKS_OF_MATRIX.search(each.path) and each.url != "!"}

    def speaks(each: Passage) -> bool:
        return each.url == "!" or bool(SPEAKS_OF_MATRIX.search(each.path)) or _socket(each.url) in spoken

    own = tuple(each for each in found if speaks(each) or leads_home(each.url, ports))
    return own if any(each.url != "!" for each in own) else ()


def _all(section: Directive, path: str) -> Iterator[Passage]:
    """Yield every passage; ``path`` is that of the section around, which stands for the first word."""
    for each in section.block:
        place, words = Place(each.file, each.line), each.arguments
        if each.name in {"proxypass", "proxypassmatch"}:
            inside = bool(path) and not words[0].startswith("/") and not words[0].startswith("^")
            words = (path, *words) if inside else words
            if len(words) > 1:
                pattern = each.name == "proxypassmatch" or (inside and section.name == "locationmatch")
                yield Passage(words[0], words[1], words[2:], pattern, False, place)
        elif each.name == "rewriterule" and len(words) > 2 and "P" in words[2].strip("[]").split(","):
            yield Passage(words[0], words[1], (), True, True, place)
        elif each.name in {"location", "locationmatch"} and each.arguments:
            yield from _all(each, each.arguments[-1])
        elif each.block:
            yield from _all(each, path)


def _socket(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or 80
    except ValueError:
        return "", 0


def leads_home(url: str, ports: frozenset[int]) -> bool:
    """Return whether a URL is the homeserver's, as far as its port tells."""
    return is_homeserver(*_socket(url), ports)


def answering(found: Sequence[Passage], target: str, *, guarded: bool) -> Place | None:
    """Return what passes a target on, the first that fits; None for none.

    Apache chooses by the path decoded and with ``..`` resolved, but for ``%2f``, which ``NoDecode`` leaves. ``guarded``
    says that the request line as it came is looked at, so that only paths as they stand are passed on.
    """
    raw, path = target.partition("?")[0], normalised(target)
    if guarded and path != raw.rstrip("/") and path != raw:
        return None
    fitting = next((each for each in found if each.takes(path)), None)
    return fitting.place if fitting is not None and fitting.url != "!" else None


def normalised(target: str) -> str:
    """Return the path of a target as Apache reads it."""
    kept = re.sub(r"%2f", "%252f", target.partition("?")[0], flags=re.IGNORECASE)
    return re.sub("^//+", "/", normpath(unquote(kept)))
