"""Paths in all their spellings, as regular expressions that POSIX and Go (RE2) read alike."""

from __future__ import annotations

import re
from collections.abc import Callable

from palpo_installer.site import Match

DOTS = r"(/|%2[fF])(\.|%2[eE])(\.|%2[eE])(/|%2[fF])"
"""A segment ``..`` in any spelling, between two others."""


def spelled(match: Match, bare: Callable[[str], str]) -> str:
    """Return a pattern for a path, each character plain or as its percent escape, with any number of slashes.

    ``bare`` refuses what the configuration cannot hold.
    """
    written = ("[^/?]+" if part == "*" else letters(bare(part)) for part in match.segments)
    return "".join(f"(/|%2[fF])+{part}" for part in written)


def letters(text: str) -> str:
    """Return a pattern for a text, each character plain or as its percent escape."""
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    code = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(letter):02x}")
    return f"({re.escape(letter)}|%{code})"
