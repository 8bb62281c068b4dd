"""The sections of Apache's configuration that count or not before it is read: by module, name, version, file. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

SECTIONS = frozenset({"<ifmodule", "<ifdefine", "<ifversion", "<iffile"})

SOURCES = {"mpm_event_module": "event.c", "mpm_worker_module": "worker.c", "mpm_prefork_module": "prefork.c"}
"""The source files that name modules in ``<IfModule>``, where they are not ``mod_NAME.c``."""


def names_of_module(identifier: str, file: str) -> set[str]:
    """Return by what names ``<IfModule>`` knows a module: its identifier and its source file.

    Args:
        identifier: e.g. ``ssl_module``.
        file: its shared object without the ending, e.g. ``mod_ssl``; empty where that is not known.
    """
    name = identifier.removesuffix("_module")
    names = {identifier, SOURCES.get(identifier, f"mod_{name}.c"), f"{file or f'mod_{name}'}.c"}
    return names | ({"mod_php.c", f"mod_{name}.c"} if file.startswith("libphp") else set())


def holds(words: tuple[str, ...], given: Callable[[str], bool]) -> bool:
    """Return whether a condition with one word holds; ``!`` before the word turns it round."""
    wanted = words[0] if words else ""
    return given(wanted.removeprefix("!")) != wanted.startswith("!")


def compares(version: tuple[int, int, int], words: tuple[str, ...]) -> bool:
    """Return whether ``<IfVersion>`` applies; what compares by a regular expression counts as applying."""
    operator, text = (words[0], words[1]) if len(words) > 1 else ("=", words[0] if words else "")
    unless, operator = operator.startswith("!"), operator.removeprefix("!")
    numbers = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
    if numbers is None or operator == "~":
        return True
    wanted = tuple(int(each or 0) for each in numbers.groups())
    given = {
        ">": version > wanted,
        ">=": version >= wanted,
        "<": version < wanted,
        "<=": version <= wanted,
    }.get(operator, version == wanted)
    return given != unless
