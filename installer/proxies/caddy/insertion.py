"""Where a line of ours comes to stand in a Caddyfile: behind the global options, in front of every site."""

from __future__ import annotations

from palpo_installer.proxies.caddy.tokens import Unreadable, lines


def room(text: str) -> int:
    """Return the line in front of which ours can come, from 1; 0 where it cannot.

    Global options have to be the first block of a Caddyfile, and the sites may have any order.
    """
    try:
        written = lines(text)
    except Unreadable:
        return 0
    before, depth = 1, 0
    if written and written[0][0].opens:
        for line in written:
            depth += line[-1].opens - line[0].closes
            if depth == 0:
                before = line[0].line + 1
                break
    if before > text.count("\n") + (not text.endswith("\n")) or not text:
        return 0
    split = text.split("\n")
    changed = lines("\n".join([*split[: before - 1], "import ours", *split[before - 1 :]]))
    words = [[token.text for token in line] for line in changed]
    words.remove(["import", "ours"]) if ["import", "ours"] in words else words.append([])
    return before if words == [[token.text for token in line] for line in written] else 0
