"""Showing a palpo.toml without its secrets, also one that is no valid TOML."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from palpo_installer.homeserver.scanner import Piece, comments, scan
from palpo_installer.homeserver.secrecy import KeyPath, speaks_of_one

HIDDEN = "<secret>"
CHANGED = "<secret: changed>"

_WORTH_HIDING = 6
"""Characters from which a secret is looked for elsewhere; shorter ones are parts of ordinary words."""

_PASSWORD_IN_URL = re.compile(r"://[^\s:/@]*:([^\s]*)@")


def masked_pair(old: str, new: str, kept: Collection[str] = (), explained: Collection[str] = ()) -> tuple[str, str]:
    """Return two versions of a file with every secret hidden, so that a diff shows where one changed.

    Secret are the values of keys that are secrets by their name or nature, in every form that TOML has and
    also when commented out, URLs with a password, comments that speak of a secret or look like one, whatever
    holds a copy of one of these, and in a text that is no TOML every string and all that cannot be read.

    A secret in ``new`` that ``old`` has with another value at the same place is ``<secret: changed>``, every
    other one ``<secret>``; so is one of ``kept``, which stand in ``new`` for what ``old`` has.

    The comments ``explained`` are shown, unless a secret is a part of one: they are ours (``explaining``).
    """
    before, after = _pieces(old, explained), _pieces(new, explained)
    known = _known(before) | _known(after)
    before, after = _without_copies(before, known), _without_copies(after, known)
    earlier: defaultdict[KeyPath, set[str]] = defaultdict(set)
    for piece in before:
        if piece.kind == "secret":
            earlier[piece.place].add(piece.text)
    return _shown(before, {}, kept), _shown(after, earlier, kept)


def explaining(own: str) -> tuple[str, ...]:
    """Return the comments that speak of secrets and tell none: those of a text that is ours, with placeholders."""
    return tuple(sorted(filter(speaks_of_one, comments(own))))


def _pieces(text: str, explained: Collection[str]) -> tuple[Piece, ...]:
    """Return the pieces of a text; where it is no TOML, strings may be parts of secrets."""
    pieces = scan(text, explained)
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return tuple(_closed(piece) for piece in pieces)
    return pieces


def _closed(piece: Piece) -> Piece:
    quoted = '"' in piece.text or "'" in piece.text
    return replace(piece, kind="secret") if piece.kind in {"string", "comment"} or quoted else piece


def _known(pieces: tuple[Piece, ...]) -> set[str]:
    """Return the secrets, and passwords in them, that are long enough to be looked for elsewhere."""
    secrets = {piece.text for piece in pieces if piece.kind == "secret"}
    passwords = {match[1] for secret in secrets for match in _PASSWORD_IN_URL.finditer(secret)}
    return {secret for secret in secrets | passwords if len(secret) >= _WORTH_HIDING}


def _without_copies(pieces: tuple[Piece, ...], known: Collection[str]) -> tuple[Piece, ...]:
    """Return the pieces, those strings and comments as secrets that hold a copy of one."""
    return tuple(
        replace(piece, kind="secret")
        if piece.kind in {"string", "comment"} and any(secret in piece.text for secret in known)
        else piece
        for piece in pieces
    )


def _shown(pieces: tuple[Piece, ...], earlier: Mapping[KeyPath, Collection[str]], kept: Collection[str]) -> str:
    """Return the text to show; ``earlier`` has the secrets of the version before, by place."""
    shown = []
    for piece in pieces:
        if piece.kind != "secret":
            shown.append(piece.text)
        elif piece.text or piece.around:
            changed = piece.text not in kept and piece.text not in earlier.get(piece.place, (piece.text,))
            shown.append(f"{piece.around}{CHANGED if changed else HIDDEN}{piece.around}")
    return "".join(shown)
