"""Where HAProxy sends a path, as far as its conditions are about paths. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from palpo_installer.proxies.haproxy.configuration import Directive, Section

FETCH = re.compile(r"(?:path|base|url)(?P<how>_beg|_dir|_end|_reg|_sub)?(?P<more>,.*)?$")
NAMED = re.compile(
    r"(?:req\.)?f?hdr\(host\S*|(?:ssl_fc_sni|req\.ssl_sni|req_ssl_sni)\S*|var\(\S*host\S*\)", re.IGNORECASE
)
"""What asks for the name that a client wants, or for a variable that holds it."""

ENDING = frozenset({"deny", "return", "reject", "redirect", "tarpit", "silent-drop"})
"""What ends a request in ``http-request`` (manual, "http-request")."""


@dataclass(frozen=True)
class Conditions:
    """The rules of a section, for requests under one name.

    What asks for something else than path and name, such as an address, may be so or not: None.

    Attributes:
        section: a front end or back end.
        name: the host name that is asked for, empty where none is known.
    """

    section: Section
    name: str = ""

    @cached_property
    def lists(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """The tests of each ``acl``, of which one is enough."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for each in self.section.all("acl"):
            if len(each.words) > 2:
                found.setdefault(each.words[1], []).append(each.words[2:])
        return {name: tuple(tests) for name, tests in found.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that its tests compare with, as far as they are plain."""
        tests = (test for each in self.lists.values() for test in each)
        return tuple(
            dict.fromkeys(
                word.partition(":")[0].lower()
                for test in tests
                if NAMED.fullmatch(test[0])
                for word in test[1:]
                if "." in word and not word.startswith("-")
            )
        )

    def passing(self, path: str, backends: Mapping[str, Section]) -> Directive | None:
        """Return what sends a path, as it came, to one of some back ends that takes it; None where nothing does."""
        if self.stops(path):
            return None
        for each in (*self.section.all("use_backend"), *self.section.all("default_backend")):
            applies = self.applies(each, path)
            back = backends.get(each.words[1]) if len(each.words) > 1 else None
            if applies and back is None:
                return None
            if applies is not False and back is not None:
                return None if Conditions(back, self.name).stops(path) else each
        listening = self.section.kind == "listen" and self.section.name in backends
        return next(iter(self.section.all("server")), None) if listening else None

    def stops(self, path: str) -> bool:
        """Return whether a rule of the section itself ends a request; ``allow`` ends its rules, not the request."""
        for each in self.section.all("http-request"):
            action = each.words[1] if len(each.words) > 1 else ""
            if action in {*ENDING, "allow"} and self.applies(each, path):
                return action != "allow"
        return False

    def applies(self, directive: Directive, path: str) -> bool | None:
        """Return whether the condition of a line holds, True where it has none."""
        words = directive.words
        position = next((n for n, word in enumerate(words) if word in {"if", "unless"}), None)
        if position is None:
            return True
        holds = self._condition(words[position + 1 :], path)
        return holds if words[position] == "if" or holds is None else not holds

    def _condition(self, words: Sequence[str], path: str) -> bool | None:
        results = [_every(tuple(self._terms(part, path))) for part in _alternatives(words)]
        return _some(results)

    def _terms(self, words: Sequence[str], path: str) -> Iterator[bool | None]:
        rest = iter(words)
        negated = False
        for word in rest:
            if word == "!":
                negated = True
                continue
            name = word.removeprefix("!")
            turned = negated != word.startswith("!")
            negated = False
            if name == "{":
                test: list[str] = []
                for inner in rest:
                    if inner == "}":
                        break
                    test.append(inner)
                value = _test(tuple(test), path, self.name)
            elif name in {"TRUE", "FALSE"}:
                value = name == "TRUE"
            else:
                value = _some([_test(each, path, self.name) for each in self.lists.get(name, ())] or [None])
            yield value if value is None else value != turned


def _alternatives(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    for word in words:
        if word in {"||", "or"}:
            yield tuple(part)
            part = []
        else:
            part.append(word)
    yield tuple(part)


def _every(values: Sequence[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def _some(values: Sequence[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def _test(words: Sequence[str], path: str, name: str) -> bool | None:
    """Return whether a test about the path or the name holds, None for one about something else."""
    if name and words and NAMED.fullmatch(words[0]):
        plain = "-m" not in words or words[words.index("-m") + 1 : words.index("-m") + 2] == ("str",)
        return any(word.partition(":")[0].lower() == name for word in words[1:]) if plain else None
    match = FETCH.match(words[0]) if words else None
    if match is None or not match[0].startswith("path"):
        return None
    how, more = match["how"] or "", match["more"] or ""
    if more and more.strip(",") not in {"lower", "url_dec"}:
        return None
    patterns, ignoring = [], "lower" in more
    rest = iter(words[1:])
    for word in rest:
        if word == "-i":
            ignoring = True
        elif word == "-m":
            how = f"_{next(rest, '')}"
        elif word == "-f":
            return None
        elif word != "--":
            patterns.append(word)
    subject = path.lower() if ignoring else path
    return any(_fits(how, subject, each.lower() if ignoring and how != "_reg" else each) for each in patterns)


def _fits(how: str, path: str, pattern: str) -> bool:
    if how == "_reg":
        try:
            return re.search(pattern, path) is not None
        except re.error:
            return False
    comparisons = {
        "_beg": path.startswith(pattern),
        "_end": path.endswith(pattern),
        "_sub": pattern in path,
        "_dir": f"/{pattern.strip('/')}/" in f"{path}/",
    }
    return comparisons.get(how, path == pattern)
