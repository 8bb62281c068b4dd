"""One line in somebody else's frontend: before every rule that may answer, behind those that come first anyway."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.haproxy.configuration import Section
from palpo_installer.proxies.haproxy.tree import parse
from palpo_installer.proxies.virtual_hosts import Impossible

LATER = frozenset(
    {
        "http-request", "http-response", "http-after-response", "redirect", "use_backend", "default_backend",
        "use-server", "server", "balance", "errorfile", "errorloc", "reqadd", "reqrep", "block", "filter",
    }
)  # fmt: skip
"""What HAProxy carries out after, or wants to have written after, the rules on connections."""

DEFAULT_INDENT = "    "
_NOWHERE = Path()


def place(data: bytes, section: Section, text: str) -> AddedLine | Impossible:
    """Return where a line goes in a file: before the first rule on requests of a frontend.

    Args:
        data: the file.
        section: the frontend.
        text: our lines, without indentation.
    """
    written = data.decode(errors="replace").split("\n")
    later = [each for each in section.directives if each.words[0] in LATER and each.file == section.heading.file]
    rest = [each.line for each in section.directives if each.file == section.heading.file]
    before = later[0].front if later else max(rest, default=section.heading.line) + 1
    if before > len(written):
        return Impossible(f"line {before - 1}: the file ends here, without the end of the line")
    if written[before - 2].rstrip("\r").endswith("\\"):
        return Impossible("the line in front of it goes on in the next one")
    near = written[before - 1] if later else written[before - 2] if rest else DEFAULT_INDENT
    indent = near[: len(near) - len(near.lstrip())]
    added = AddedLine("\n".join(indent + line for line in text.split("\n")), before)
    if _read([*written[: before - 1], *added.text.split("\n"), *written[before - 1 :]]) != _expected(
        written, section, added
    ):
        return Impossible("a line cannot be added without changing what is there")
    return added


def _read(written: list[str]) -> list[tuple[str, str, tuple[tuple[str, ...], ...]]]:
    """Return what HAProxy reads: the sections with the words of their lines."""
    sections, _ = parse("\n".join(written), _NOWHERE)
    return [(each.kind, each.name, tuple(line.words for line in each.directives)) for each in sections]


def _expected(
    written: list[str], section: Section, added: AddedLine
) -> list[tuple[str, str, tuple[tuple[str, ...], ...]]]:
    """Return what it reads now, with our lines where they are to be."""
    (only,), _ = parse(f"frontend x\n{added.text}", _NOWHERE)
    ours = [line.words for line in only.directives]
    here = parse("\n".join(written), section.heading.file)[0]
    result = []
    for each in here:
        lines = [line.words for line in each.directives]
        if each.heading.line == section.heading.line:
            place = sum(line.line < added.before for line in each.directives)
            lines[place:place] = ours
        result.append((each.kind, each.name, tuple(lines)))
    return result
