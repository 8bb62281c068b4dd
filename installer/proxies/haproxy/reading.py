"""What HAProxy's sections mean: who accepts connections, for which names, with which certificates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.found import Listen, Problem, Rule, ServerBlock
from palpo_installer.proxies.haproxy.binds import of_bind, shown
from palpo_installer.proxies.haproxy.configuration import (
    Directive,
    Frontend,
    RuntimeSocket,
    Section,
)

NAMED = re.compile(
    r"(?:req\.|req_)?(?:f?hdr(?P<how>_dom|_beg|_end|_sub|_reg)?\(host\S*|ssl_sni\S*)|ssl_fc_sni(?P<sni>_end|_reg)?\S*",
    re.IGNORECASE,
)
"""What asks for the name that a client wants, by the header Host or by SNI."""
MAP = re.compile(r"map(?:_str|_dom|_end|_beg)?\((?P<file>[^,)]+)")
HOST_NAME = re.compile(r"\.?(?:[a-z0-9_*-]+\.)*[a-z0-9_-]+", re.IGNORECASE)
EXPECTING = ("tcp-request", "connection", "expect-proxy")
"""Begins a rule by which connections expect a PROXY line; with a condition, those of the balancer alone."""


def frontends(
    host: Host, sections: Sequence[Section], environment: Mapping[str, str] | None = None
) -> tuple[tuple[Frontend, ...], tuple[Problem, ...]]:
    """Return what accepts connections, and the addresses that could not be read.

    Args:
        host: for lists and maps.
        sections: in reading order.
        environment: what the program is started with; ``setenv`` and ``presetenv`` are known by themselves.
    """
    variables = _variables(sections, environment or {})
    found: list[Frontend] = []
    problems: list[Problem] = []
    for number, section in enumerate(sections):
        if section.kind not in {"frontend", "listen"}:
            continue
        listens: list[Listen] = []
        binds = [replace(b, words=tuple(_expanded(w, variables) for w in b.words)) for b in section.all("bind")]
        for bind, expanded in zip(section.all("bind"), binds, strict=True):
            try:
                listens += of_bind(expanded)
            except ValueError as error:
                cure = "; write it out, or set the variable by setenv in the section global" if "$" in str(bind) else ""
                problems.append(Problem(bind.file, bind.line, f"{bind}: {error}{cure}"))
        if section.all(*EXPECTING) and not any("if" in each.words for each in section.all(*EXPECTING)):
            listens = [replace(each, options=(*each.options, "proxy_protocol")) for each in listens]
        names = tuple(dict.fromkeys(_names(host, section)))
        mode = setting(sections, number, "mode") or "tcp"
        certified = tuple(shown(host, bind) for bind in binds)
        found.append(Frontend(section, mode, tuple(listens), names, certified, tuple(_inherited(sections, number))))
    return tuple(found), tuple(problems)


def _variables(sections: Sequence[Section], environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables of the environment, as the configuration changes them (manual, "setenv", "presetenv")."""
    found = dict(environment)
    for line in (line for each in sections if each.kind == "global" for line in each.directives):
        match line.words:
            case ["setenv", name, value]:
                found[name] = value
            case ["presetenv", name, value]:
                found.setdefault(name, value)
    return found


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    """Return a word with its variables; those that are not known stay as written."""

    def value(found: re.Match[str]) -> str:
        name, otherwise = found["name"] or found["bare"], found["otherwise"]
        return variables.get(name, found[0] if otherwise is None else otherwise)

    return re.sub(r"\$(?:\{(?P<name>\w+)(?:-(?P<otherwise>[^}]*))?\}|(?P<bare>\w+))", value, word)


def setting(sections: Sequence[Section], number: int, word: str) -> str:
    """Return a value of a section, be it from its ``defaults``: those it names, else the last before it."""
    section = sections[number]
    own = section.all(word)
    if own:
        return own[-1].words[1] if len(own[-1].words) > 1 else ""
    above = base(sections, number)
    return setting(sections, above, word) if above is not None else ""


def base(sections: Sequence[Section], number: int) -> int | None:
    """Return which ``defaults`` a section is made from: those it names, else the last before it; None for none."""
    section = sections[number]
    if section.kind == "defaults" and not section.base:
        return None
    before = [n for n, each in enumerate(sections[:number]) if each.kind == "defaults"]
    named = [n for n in before if sections[n].name == section.base] if section.base else before
    return named[-1] if named else None


def _inherited(sections: Sequence[Section], number: int) -> Iterator[Section]:
    above = base(sections, number)
    while above is not None:
        yield sections[above]
        above = base(sections, above)


LABEL = "str(palpo-installer)"
"""Stands in the conditions of our lines in files of others: it always holds, and tells whose they are."""


GUEST = "%[str(Palpo-Installer),map("
"""Begins a word of the line of a guest, which says nothing of the frontend's own names (``guests.line``)."""


def ours(directive: Directive) -> bool:
    """Return whether a line is one of ours in a file of somebody else's."""
    return LABEL in directive.words


def of_guest(directive: Directive) -> bool:
    """Return whether a line is one that answers for a guest of ours in somebody else's frontend."""
    return any(word.startswith(GUEST) for word in directive.words)


def _names(host: Host, section: Section) -> Iterator[str]:
    """Yield the names that a section's conditions and maps know."""
    for directive in section.directives:
        if ours(directive) or of_guest(directive):
            continue
        for position, word in enumerate(directive.words):
            asked = NAMED.match(word.removeprefix("%["))
            if asked is None:
                continue
            if mapped := MAP.search(word):
                yield from _keys(host, mapped["file"])
            else:
                how = asked["how"] or asked["sni"] or ""
                yield from (_pattern(value, how) for value in _patterns(host, directive.words[position + 1 :]))


def _patterns(host: Host, words: Sequence[str]) -> Iterator[str]:
    """Yield what a condition compares with, up to its end."""
    rest = iter(words)
    for word in rest:
        if word in {"}", "||", "or", "if", "unless"}:
            return
        if word == "-f":
            yield from _keys(host, next(rest, ""))
        elif word in {"-m", "-M", "-u"}:
            if next(rest, "") in {"reg", "found", "sub", "len"}:
                return
        elif not word.startswith("-") and HOST_NAME.fullmatch(word):
            yield word


def _pattern(value: str, how: str) -> str:
    """Return a name in the words of a ``server_name``."""
    match how:
        case "_end":
            return f"*.{value.lstrip('.')}" if value.startswith(".") else value
        case "_beg":
            return f"{value.rstrip('.')}.*" if value.endswith(".") else value
        case _:
            return value


def _keys(host: Host, file: str) -> Iterator[str]:
    """Yield the first word of each line of a file of patterns, or of a map."""
    for line in (host.text(host.layout.at(file)) or "").splitlines():
        words = line.split()
        if words and not words[0].startswith("#") and HOST_NAME.fullmatch(words[0]):
            yield words[0]


def blocks(host: Host, found: Sequence[Frontend]) -> tuple[ServerBlock, ...]:
    """Return those that speak HTTP in neutral words."""
    return tuple(
        ServerBlock(
            names=each.names,
            listens=each.listens,
            certificates=(chains := tuple(certificates(host, each))),
            # The key is in the same file, or in one beside it (manual, "ssl-load-extra-files").
            keys=tuple(f"{path}.key" if host.status(Path(f"{path}.key")) else path for path in chains),
            file=each.section.heading.file,
            line=each.section.heading.line,
            rules=tuple(
                Rule(" ".join(d.words[:2]), d.words[2:], d.file, d.line)
                for d in each.section.directives
                if d.words[0] in {"http-request", "redirect", "use_backend", "default_backend"} and not ours(d)
            ),
        )
        for each in found
        if each.mode == "http" and each.listens
    )


def certificates(host: Host, frontend: Frontend) -> Iterator[str]:
    """Yield the files of its certificates, those of directories and lists among them."""
    for written in frontend.certificates:
        path = host.layout.at(written)
        if path.is_dir():
            names = (name for name in host.names(path) if not name.startswith("."))
            extra = (".key", ".ocsp", ".issuer", ".sctl", ".dh")
            yield from (str(path / name) for name in sorted(names) if not name.endswith(extra))
        else:
            yield str(path)
    for each in frontend.lists:
        yield from (words[0] for words in each.entries)


def runtime_sockets(sections: Sequence[Section]) -> tuple[RuntimeSocket, ...]:
    """Return the sockets for commands to a running HAProxy (manual, "stats socket")."""
    found = []
    for section in (each for each in sections if each.kind == "global"):
        for directive in section.all("stats", "socket"):
            words = directive.words[3:]
            level = words[words.index("level") + 1] if "level" in words[:-1] else "operator"
            found.append(RuntimeSocket(directive.words[2], level))
    return tuple(found)


def of_global(sections: Sequence[Section], word: str) -> str:
    """Return the value of a global setting, the last one where it is given twice; empty for none."""
    values = [each.words[1] for s in sections if s.kind == "global" for each in s.all(word) if len(each.words) > 1]
    return values[-1] if values else ""
