"""Lines outside every virtual host that answer, in each of them, before what stands in it.

mod_proxy and mod_alias put the lines of the whole server before those of a virtual host (their ``merge`` functions;
measured on 2.4.71), so nothing in a file of ours could be asked before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.configuration import Everywhere
from palpo_installer.proxies.apache.directive import Directive

PREFIXES = ("proxypass", "redirect", "redirectpermanent", "redirecttemp")
PATTERNS = ("proxypassmatch", "redirectmatch")


def everywhere(top: Directive) -> tuple[Everywhere, ...]:
    """Return the lines of the main server that answer for paths."""
    found = (each for each in top.block if each.name in {*PREFIXES, *PATTERNS})
    return tuple(Everywhere(each.file, each.line, (each.name, *each.arguments)) for each in found)


def refuse(lines: Iterable[Everywhere], paths: Iterable[str]) -> None:
    """Refuse a server of which such a line takes one of these paths.

    Raises:
        RefusedPlan: the first that does.
    """
    wanted = tuple(paths)
    for each in lines:
        if any(takes(each, path) for path in wanted):
            raise RefusedPlan(
                f"outside every virtual host stands {' '.join(each.words)}, which would take requests for Palpo before "
                "its own virtual hosts do",
                where=f"{each.file}:{each.line}",
                next="Move it into the virtual hosts that it is for",
            )


def takes(line: Everywhere, path: str) -> bool:
    """Return whether a line takes a path; before that of a redirect its status may stand."""
    name, *rest = line.words
    word = next((each for each in rest if each.startswith(("/", "^", "("))), "")
    if name in PREFIXES:
        return bool(word) and f"{path}/".startswith(f"{word.rstrip('/')}/")
    try:
        return bool(word) and re.search(word, path) is not None
    except re.error:
        return False
