"""nginx's configuration for looking at it: also that of a host's copy, and without nginx itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import consult
from palpo_installer.proxies.found import Problem
from palpo_installer.proxies.nginx import reading, tree
from palpo_installer.proxies.nginx.blocks import Server, servers
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.tree import Directive

MAIN = "/etc/nginx/nginx.conf"
DEEPEST = 10
"""Files included by files; nginx itself runs out of files where one includes itself."""

PLAIN = Build((0, 0, 0), (), Path("/usr/share/nginx"), Path(MAIN), "", "", "")
"""A build of which nothing is known: what is looked at here does not rest on it."""


@dataclass(frozen=True, eq=False)
class Written:
    """A configuration as it is written.

    Attributes:
        main: the main file.
        servers: its server blocks.
        problems: what could not be read.
    """

    main: Path
    servers: tuple[Server, ...]
    problems: tuple[Problem, ...]


def load(host: Host, main: Path) -> Written:
    """Read a configuration and all that it includes, below the layout's root."""
    found = tree.load(host, main)
    top, problems = found.top, found.problems
    if host.layout.root != Path("/"):
        met = list(problems)
        top = replace(top, block=tuple(_copied(host, top.block, met, 0)))
        problems = tuple(each for each in dict.fromkeys(met) if _is_of_copy(host, each))
    said = reading.parse(top, PLAIN, lambda name: addresses(host, name))
    return Written(main, servers(top, said.servers), problems)


def _copied(host: Host, block: tuple[Directive, ...], met: list[Problem], depth: int) -> Iterator[Directive]:
    """Yield directives of a copy alone: an absolute ``include`` in it leads below its root; note what was met."""
    root = host.layout.root
    for each in block:
        if not each.file.is_relative_to(root):
            continue
        yield replace(each, block=tuple(_copied(host, each.block, met, depth)))
        pattern = each.arguments[0] if each.name == "include" and each.arguments else ""
        if pattern.startswith("/") and not Path(pattern).is_relative_to(root) and depth < DEEPEST:
            for file in sorted(glob(str(host.layout.at(pattern)))):  # noqa: PTH207  as nginx's own glob(3)
                included = tree.load(host, Path(file))
                met += included.problems
                yield from _copied(host, included.top.block, met, depth + 1)


def _is_of_copy(host: Host, problem: Problem) -> bool:
    """Return whether a problem is one of the copy, and not of a file of this machine that it seems to include."""
    root = host.layout.root
    named = Path(problem.message.partition(":")[0])
    return problem.file.is_relative_to(root) and not (named.is_absolute() and not named.is_relative_to(root))


def addresses(host: Host, name: str) -> tuple[str, ...]:
    """Return a name's addresses as the C library gives them to nginx; those of a copy by its ``/etc/hosts`` alone."""
    if host.layout.root == Path("/"):
        said = consult(host, "getent", "ahosts", name)
        lines = said.stdout.splitlines() if said is not None and said.status == 0 else []
        return tuple(dict.fromkeys(line.split()[0] for line in lines if line.split()))
    rows = (line.partition("#")[0].split() for line in (host.text(host.layout.at("/etc/hosts")) or "").splitlines())
    return tuple(dict.fromkeys(row[0] for row in rows if name in row[1:]))
