"""Lines outside every virtual host that answer, in each of them, before what stands in it.

mod_proxy and mod_alias put the lines of the whole server before those of a virtual host (their ``merge`` functions;
measured on 2.4.71), so nothing in a file of ours could be asked before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.tree import Directive
from palpo_installer.proxies.found import Problem
from palpo_installer.site import CHALLENGE_PATH

PREFIXES = ("proxypass", "redirect", "redirectpermanent", "redirecttemp")
PATTERNS = ("proxypassmatch", "redirectmatch")
PATHS = ("/_matrix/x", "/_palpo/client/x", "/.well-known/matrix/client", f"{CHALLENGE_PATH}/x")
"""Of each kind that a site of ours answers, one."""


def ahead(top: Directive) -> tuple[Problem, ...]:
    """Return the lines of the main server that take paths of ours."""
    return tuple(
        Problem(each.file, each.line, f"{each.name} {' '.join(each.arguments)}")
        for each in top.block
        if each.name in {*PREFIXES, *PATTERNS} and any(_takes(each, path) for path in PATHS)
    )


def refuse(lines: Iterable[Problem]) -> None:
    """Refuse a server that has such lines.

    Raises:
        RefusedPlan: the first of them.
    """
    for each in lines:
        raise RefusedPlan(
            f"outside every virtual host stands {each.message}, which would take requests for Palpo before its own "
            "virtual hosts do",
            where=f"{each.file}:{each.line}",
            next="Move it into the virtual hosts that it is for",
        )


def _takes(directive: Directive, path: str) -> bool:
    """Return whether a line takes a path; before that of a redirect its status may stand."""
    word = next((each for each in directive.arguments if each.startswith(("/", "^", "("))), "")
    if directive.name in PREFIXES:
        return bool(word) and f"{path}/".startswith(f"{word.rstrip('/')}/")
    try:
        return bool(word) and re.search(word, path) is not None
    except re.error:
        return False
