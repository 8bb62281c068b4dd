"""nginx's blocks with what they inherit, which block answers a request, and where it is passed on to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.tree import Directive

RESTRICTING = ("deny", "auth_basic", "auth_request", "internal")
"""What keeps strangers out of a location."""


@dataclass(frozen=True, eq=False)
class Block:
    """A directive with a block, and the block that it stands in.

    Attributes:
        directive: ``server``, ``location`` or ``http``.
        outer: what it stands in, None for ``http``.
    """

    directive: Directive
    outer: Block | None = None

    def all(self, name: str) -> tuple[Directive, ...]:
        """Return the directives of a name that stand in the block itself."""
        return self.directive.all(name)

    def effective(self, name: str) -> tuple[Directive, ...]:
        """Return the directives of a name that are in force.

        Those of the innermost level that has any: nginx inherits "if and only if there are no directives
        defined on the current level" (ngx_http_proxy_module, ``proxy_set_header``; headers and all others alike).
        """
        return self.all(name) or (self.outer.effective(name) if self.outer else ())

    def last(self, name: str) -> Directive | None:
        """Return the directive of a name that is in force, None where nginx's default is."""
        return next((each for each in reversed(self.effective(name)) if each.arguments), None)

    def header(self, directive: str, header: str) -> Directive | None:
        """Return what ``add_header`` or ``proxy_set_header`` says of a header, None where nothing does."""
        found = (each for each in self.effective(directive) if each.arguments)
        return next((each for each in found if each.arguments[0].lower() == header.lower()), None)

    @cached_property
    def locations(self) -> tuple[Location, ...]:
        """The locations in it, in order."""
        return tuple(Location(each, self, *selector(each)) for each in self.all("location"))

    @property
    def below(self) -> Iterator[Location]:
        """All locations in it, nested ones too."""
        for each in self.locations:
            yield each
            yield from each.below

    def valued(self, text: str) -> str:
        """Return a text with the variables that ``set`` gives a value here, or in an outer block, replaced."""
        for each in self.all("set"):
            if len(each.arguments) == 2:
                name, value = each.arguments[0].removeprefix("$"), each.arguments[1]
                text = re.sub(rf"\$(?:{re.escape(name)}\b|{{{re.escape(name)}}})", value.replace("\\", r"\\"), text)
        return self.outer.valued(text) if self.outer else text

    @property
    def restricted(self) -> bool:
        """Whether strangers are kept out."""
        found = (each for name in RESTRICTING for each in self.effective(name))
        return any(each.arguments != ("off",) for each in found)


@dataclass(frozen=True, eq=False)
class Location(Block):
    """A location.

    Attributes:
        modifier: ``=``, ``^~``, ``~``, ``~*``, ``@`` for a named one, or empty.
        path: what follows it.
    """

    modifier: str = ""
    path: str = "/"

    def fits(self, path: str) -> bool:
        """Return whether a regular expression fits a path."""
        pattern = compiled(self.path, ignoring_case=self.modifier == "~*")
        return pattern is not None and pattern.search(path) is not None


def selector(directive: Directive) -> tuple[str, str]:
    """Return modifier and path of a location, which nginx also takes as one word."""
    if len(directive.arguments) > 1:
        return directive.arguments[0], directive.arguments[1]
    word = directive.arguments[0] if directive.arguments else "/"
    match = re.match(r"=|\^~|~\*|~|@", word)
    return (match[0], word[match.end() :]) if match else ("", word)


def compiled(pattern: str, *, ignoring_case: bool = False) -> re.Pattern[str] | None:
    """Return a PCRE pattern as far as Python reads it alike, None otherwise."""
    try:
        return re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", pattern), re.IGNORECASE if ignoring_case else 0)
    except re.error:
        return None


def answering(block: Block, path: str) -> Block:
    """Return the innermost block that answers a path, decoded and with ``..`` resolved; the block itself at last.

    ngx_http_core_module, ``location``: an exact one; else the longest prefix, at once where it has ``^~``; else
    the first regular expression that fits; else that prefix. Of those within a location found by its prefix, an
    exact one or a regular expression is final too (``ngx_http_core_find_location``).
    """
    return _answering(block, path)[0]


def _answering(block: Block, path: str) -> tuple[Block, bool]:
    """Return what answers, and whether the regular expressions around it are not asked any more."""
    usable = [each for each in block.locations if each.modifier != "@"]
    exact = next((each for each in usable if each.modifier == "=" and each.path == path), None)
    if exact is not None:
        return exact, True
    prefixes = [each for each in usable if each.modifier in {"", "^~"} and path.startswith(each.path)]
    best = max(prefixes, key=lambda each: len(each.path), default=None)
    found, final = _answering(best, path) if best is not None else (block, False)
    if final or (best is not None and best.modifier == "^~"):
        return found, final
    fitting = next((each for each in usable if each.modifier in {"~", "~*"} and each.fits(path)), None)
    return (_answering(fitting, path)[0], True) if fitting is not None else (found, False)


def passing(block: Block) -> Directive | None:
    """Return the ``proxy_pass`` of a block, also one in an ``if``; None where a ``return`` comes first."""
    if block.all("return"):
        return None
    inner = (each for condition in block.all("if") for each in condition.all("proxy_pass"))
    return next(iter((*block.all("proxy_pass"), *inner)), None)


@dataclass(frozen=True)
class Target:
    """Where ``proxy_pass`` leads to.

    Attributes:
        origin: scheme, host and port as written.
        host: a name, an address without brackets, or ``unix:`` and a path.
        port: as written or that of the scheme; 0 for a socket.
        uri: what follows, empty for nothing.
    """

    origin: str
    host: str
    port: int
    uri: str


def target(block: Block, passed: Directive) -> Target | None:
    """Return where a ``proxy_pass`` leads to, None where that depends on the request."""
    text = block.valued(passed.arguments[0] if passed.arguments else "")
    socket = re.fullmatch(r"(http://(unix:[^:$]+)):?(.*)", text)
    if socket:
        return Target(socket[1], socket[2], 0, socket[3])
    match = re.fullmatch(r"((https?)://(\[[0-9A-Fa-f:.]+\]|[^/:?$\[\]]+)(?::(\d+))?)(.*)", text)
    if match is None:
        return None
    return Target(match[1], match[3].strip("[]"), int(match[4] or (443 if match[2] == "https" else 80)), match[5])


@dataclass(frozen=True, eq=False)
class Server:
    """A server block.

    Attributes:
        block: what stands in it.
        said: its names, sockets and certificates.
    """

    block: Block
    said: ServerBlock

    @property
    def name(self) -> str:
        """Its first name, or what it is without one."""
        return next((name for name in self.said.names if name not in {"", "_"}), "the default site")

    def listens_on(self, port: int) -> tuple[Listen, ...]:
        """Return its sockets on a port."""
        return tuple(each for each in self.said.listens if each.port == port)

    @property
    def tls(self) -> tuple[Listen, ...]:
        """Its sockets that speak TLS."""
        return tuple(each for each in self.said.listens if "ssl" in each.options)


def servers(top: Directive, known: Iterable[ServerBlock]) -> tuple[Server, ...]:
    """Return the server blocks of a configuration with what is known of each."""
    by_place = {(each.file, each.line): each for each in known}
    return tuple(
        Server(Block(each, Block(http)), by_place[each.file, each.line])
        for http in top.all("http")
        for each in http.all("server")
        if (each.file, each.line) in by_place
    )


def named(found: Iterable[Server], port: int, name: str) -> Server | None:
    """Return the server block that has a name on a port, None where none has.

    ngx_http_core_module, ``server_name``: an exact name, the longest leading wildcard, the longest trailing one, the
    first regular expression.
    """
    ranked = [(each, _rank(each.said.names, name.lower())) for each in found if each.listens_on(port)]
    best = max(ranked, key=lambda pair: pair[1], default=None)
    return best[0] if best and best[1] > (0, 0) else None


def serving(found: Iterable[Server], port: int, name: str) -> Server | None:
    """Return the server block that answers for a name on a port, None where nothing listens there.

    The one that has it, else the ``default_server``, else the first (ngx_http_core_module, ``listen``).
    """
    there = [each for each in found if each.listens_on(port)]
    default = (each for each in there for listen in each.listens_on(port) if _is_default(listen))
    return named(there, port, name) or next(default, next(iter(there), None))


def _is_default(listen: Listen) -> bool:
    return bool({"default_server", "default"} & set(listen.options))


def _rank(names: Iterable[str], name: str) -> tuple[int, int]:
    """Return how well the names of a server block fit a name; zeros for not at all."""
    return max((_fit(each.lower(), name) for each in names), default=(0, 0))


def _fit(pattern: str, name: str) -> tuple[int, int]:
    if pattern == name or (pattern.startswith(".") and pattern[1:] == name):
        return 4, 0
    if pattern.startswith(("*.", ".")) and name.endswith(pattern.removeprefix("*")):
        return 3, len(pattern)
    if pattern.endswith(".*") and name.startswith(pattern[:-1]):
        return 2, len(pattern)
    expression = compiled(pattern[1:], ignoring_case=True) if pattern.startswith("~") else None
    return (1, 0) if expression is not None and expression.search(name) else (0, 0)
