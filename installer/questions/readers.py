"""From what was typed, or stands in a file, to typed values. A value that is typed already is read as itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from palpo_installer import naming, validation
from palpo_installer.answers import Address, CertificateFiles
from palpo_installer.errors import AnswersError
from palpo_installer.secret import Secret

WORDS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


def text(read: Callable[[str], object]) -> Callable[[object], object]:
    """Return a reader of text."""

    def reader(raw: object) -> object:
        return read(_text(raw))

    return reader


def number(read: Callable[[str | int], int]) -> Callable[[object], object]:
    """Return a reader of whole numbers and their notations."""

    def reader(raw: object) -> object:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return read(raw)
        return read(_text(raw))

    return reader


def address(raw: object) -> Address:
    """Read an address with a port."""
    return raw if isinstance(raw, Address) else validation.address(_text(raw))


def path(raw: object) -> Path:
    """Read an absolute path."""
    return validation.path(str(raw) if isinstance(raw, Path) else _text(raw))


def secret(read: Callable[[str], str]) -> Callable[[object], object]:
    """Return a reader of secrets, whose errors say nothing of them."""

    def reader(raw: object) -> object:
        return Secret(read(raw.reveal() if isinstance(raw, Secret) else _text(raw)))

    return reader


def flag(raw: object) -> bool:
    """Read true or false."""
    value = raw if isinstance(raw, bool) else WORDS.get(_text(raw).lower())
    if value is None:
        raise AnswersError("it is neither true nor false", next="Type true or false")
    return value


def choice(kind: type[StrEnum]) -> Callable[[object], object]:
    """Return a reader of one of an enumeration's values."""
    read = one_of(tuple(kind))

    def reader(raw: object) -> object:
        return kind(str(read(raw)))

    return reader


def one_of(values: tuple[str, ...]) -> Callable[[object], object]:
    """Return a reader of one of some words."""

    def reader(raw: object) -> object:
        word = _text(raw)
        if word not in values:
            near = get_close_matches(word, values, n=1)
            following = f"Did you mean {near[0]}" if near else f"Choose {', '.join(values)}"
            raise AnswersError("there is no such choice", next=following)
        return word

    return reader


def urls(raw: object) -> tuple[str, ...]:
    """Read a list of https URLs, or text that separates them by commas."""
    parts = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(parts, list | tuple):
        raise AnswersError(f"a list is needed, not {_type(raw)}", next='Write it as in ["https://example.com"]')
    return tuple(validation.https_url(_text(part)) for part in parts)


def files(raw: object) -> dict[str, CertificateFiles]:
    """Read the table of certificates: by name a chain and a key, each an absolute path."""
    if not isinstance(raw, Mapping):
        raise AnswersError(f"a table by name is needed, not {_type(raw)}", next="Give each name a chain and a key")
    certificates = {}
    for typed, row in raw.items():
        name = _certificate_name(_text(typed))
        certificates[name] = _certificate(name, row)
    return certificates


def _certificate_name(typed: str) -> str:
    name = naming.server_name(typed)
    if re.search(r":[0-9]+$", name):
        raise AnswersError("a certificate is for a name without a port", next=f"Type {name.rpartition(':')[0]}")
    return name


def _certificate(name: str, raw: object) -> CertificateFiles:
    where = f'certificates.files."{name}"'
    if isinstance(raw, CertificateFiles):
        raw = {"chain": raw.chain, "key": raw.key}
    if not isinstance(raw, Mapping):
        raise AnswersError(f"a chain and a key are needed, not {_type(raw)}", where=where)
    paths = {}
    for part in ("chain", "key"):
        if part not in raw:
            raise AnswersError("an answer is needed", where=f"{where}.{part}", next="Type the path of a PEM file")
        try:
            paths[part] = path(raw[part])
        except AnswersError as error:
            raise AnswersError(error.what, where=f"{where}.{part}", next=error.next) from None
    return CertificateFiles(**paths)


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise AnswersError(f"text is needed, not {_type(raw)}", next="Put it in quotes")
    return str(raw)


def _type(raw: object) -> str:
    match raw:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a table"
        case _:
            return f"a {type(raw).__name__}"
