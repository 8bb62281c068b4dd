"""Where a line of ours comes to stand in a Caddyfile: behind the global options, in front of every site."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.proxies.caddy.tokens import BYTE_ORDER_MARK, Token, Unreadable, lines


def room(text: str, imported: int = 0) -> int:
    """Return the line in front of which ours can come, from 1; 0 where it cannot.

    Global options have to be the first block of a Caddyfile, and the sites may have any order. The last one may do
    without braces, and then has all that follows it; so ours come before all of them.

    Args:
        text: the Caddyfile.
        imported: the line of it that imports the global options, 0 where none does.
    """
    try:
        written = lines(text)
    except Unreadable:
        return 0
    before = max(_behind_options(written), imported + 1)
    if before == 1 and text.startswith(BYTE_ORDER_MARK):
        # Anywhere but in front of everything it would count as part of a name.
        before = 2 if written and written[0][0].line > 1 else 0
    if not 0 < before <= text.count("\n") + (not text.endswith("\n")) or not text:
        return 0
    split = text.split("\n")
    changed = lines("\n".join([*split[: before - 1], "import ours", *split[before - 1 :]]))
    words = [[token.text for token in line] for line in changed]
    words.remove(["import", "ours"]) if ["import", "ours"] in words else words.append([])
    return before if words == [[token.text for token in line] for line in written] else 0


def _behind_options(written: Sequence[Sequence[Token]]) -> int:
    """Return the line behind the block of global options, 1 where there is none; only snippets may stand before it."""
    depth, within = 0, False
    for line in written:
        within |= depth == 0 and line[0].opens
        depth += line[-1].opens - line[0].closes
        if within and depth == 0:
            return line[0].line + 1
    return 1
