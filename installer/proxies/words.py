"""What can stand in a configuration whatever its language: plain words, and the documents of a site."""

from __future__ import annotations

import json
import re

from palpo_installer.errors import RefusedPlan

PLAIN = re.compile(r"[A-Za-z0-9._:/\[\]-]+")
"""Names, paths, addresses and origins of characters that mean something in none of the languages."""


def bare(word: str, where: str) -> str:
    """Return a word that needs no quotes; ``where`` is what it is for, such as ``a Caddyfile``.

    Raises:
        RefusedPlan: it has a character that may mean something there.
    """
    if not PLAIN.fullmatch(word):
        raise RefusedPlan(f"{word!r} cannot stand in {where}", next="Use letters, digits, dots and dashes")
    return word


def parsed(body: str) -> object:
    """Return what a JSON document says.

    Raises:
        RefusedPlan: it is none.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        raise RefusedPlan(f"not a JSON document: {error}", where=body[:40]) from error


def one_line(body: str, title: str) -> str:
    """Return a JSON document for a proxy of this title that reads lines.

    Raises:
        RefusedPlan: it is none, or has line breaks.
    """
    parsed(body)
    if not body.isprintable():
        raise RefusedPlan(f"a JSON document for {title} must be one line", where=body[:40])
    return body
