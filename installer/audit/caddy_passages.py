"""What a site of Caddy does with a request: which directive answers, and what was done before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from palpo_installer.audit.caddy_matching import Matchers, Request, request
from palpo_installer.audit.passing import is_homeserver
from palpo_installer.proxies.caddy.tree import Segment

ORDER = (
    "header", "request_body", "redir", "rewrite", "uri", "try_files", "basicauth", "basic_auth", "forward_auth",
    "request_header", "encode", "handle", "handle_path", "route", "abort", "error", "respond", "metrics",
    "reverse_proxy", "php_fastcgi", "file_server",
)  # fmt: skip
"""The order in which Caddy asks directives, whatever that in the file (caddyserver.com, "Directive order")."""

ANSWERING = frozenset({
    "redir", "abort", "error", "respond", "metrics", "reverse_proxy", "php_fastcgi", "file_server"
})  # fmt: skip
NESTING = frozenset({"handle", "handle_path", "route"})
EXCLUSIVE = frozenset({"handle", "handle_path"})
"""Of these, the first that fits is the only one."""


@dataclass(frozen=True)
class Answer:
    """What becomes of a request.

    Attributes:
        by: what answers.
        before: what was done to it, and for its answer, in order.
        sure: whether every matcher on the way could be told.
        chosen: whether a matcher led there, so that it is no answer to just anything.
    """

    by: Segment
    before: tuple[Segment, ...] = ()
    sure: bool = True
    chosen: bool = False


@dataclass(frozen=True)
class Site:
    """A site block of a Caddyfile."""

    segment: Segment
    names: tuple[str, ...]
    matchers: Matchers

    def answer(self, target: str) -> Answer | None:
        """Return what becomes of a request for a target, None where nothing answers: an empty 200."""
        return self._walk(_sorted(self.segment.block, self.matchers), request(target, self.names))

    def proxies(self) -> tuple[Segment, ...]:
        """Return every ``reverse_proxy`` in it."""
        return tuple(self.segment.within("reverse_proxy"))

    def _walk(self, directives: Iterable[Segment], asked: Request) -> Answer | None:
        before: list[Segment] = []
        unsure = handled = False
        for each in directives:
            if each.name.startswith("@"):
                continue
            fits = self.matchers.fits(each, asked)
            if fits is False or (handled and each.name in EXCLUSIVE):
                continue
            if each.name in NESTING:
                found = self._walk(self._inside(each), _stripped(each, asked))
                handled |= fits is True and each.name in EXCLUSIVE
                before += [each] if each.name == "handle_path" and fits else []
            else:
                found = Answer(each) if each.name in ANSWERING else None
                before += [each] if fits and found is None else []
                asked = _stripped(each, asked)
            if found is not None:
                chosen = found.chosen or self.matchers.is_for_some(each)
                sure = found.sure and fits is True and not unsure
                return Answer(found.by, (*before, *found.before), sure, chosen)
        return None

    def _inside(self, nesting: Segment) -> Iterable[Segment]:
        """Return what stands in a directive in the order in which it is asked: ``route`` keeps that of the file."""
        return nesting.block if nesting.name == "route" else _sorted(nesting.block, self.matchers)


def site(segment: Segment, names: tuple[str, ...]) -> Site:
    """Return a site block with its named matchers."""
    return Site(segment, names, Matchers({each.name: each for each in _defined(segment)}))


def _defined(segment: Segment) -> Iterator[Segment]:
    for each in segment.block:
        if each.name.startswith("@"):
            yield each
        yield from _defined(each)


def _sorted(directives: Iterable[Segment], matchers: Matchers) -> list[Segment]:
    # handle and handle_path are asked as one, by their paths.
    place = {name: number for number, name in enumerate(ORDER)} | {"handle_path": ORDER.index("handle")}
    known = [each for each in directives if each.name in place]
    return sorted(known, key=lambda each: (place[each.name], *matchers.specificity(each)))


def _stripped(directive: Segment, asked: Request) -> Request:
    """Return a request as what comes after a directive sees it."""
    words = directive.arguments
    if directive.name == "handle_path" and words:
        prefix = words[0].rstrip("*").rstrip("/")
    elif directive.name == "uri" and "strip_prefix" in words[:-1]:
        prefix = words[words.index("strip_prefix") + 1]
    else:
        return asked
    return replace(asked, path=asked.path.removeprefix(prefix) or "/")


def upstreams(proxy: Segment) -> tuple[str, ...]:
    """Return where a ``reverse_proxy`` leads."""
    words = tuple(word for word in proxy.arguments if not word.startswith(("/", "@", "*")))
    return (*words, *(word for each in proxy.all("to") for word in each.arguments))


def leads_home(proxy: Segment, ports: frozenset[int]) -> bool:
    """Return whether a ``reverse_proxy`` leads to the homeserver, as far as its port tells."""
    found = (word.partition("://")[2] or word for word in upstreams(proxy))
    pairs = (word.rpartition(":") for word in found)
    return any(port.isdigit() and is_homeserver(host or "localhost", int(port), ports) for host, _, port in pairs)
