"""Reading a palpo.toml: bytes to plain values, with errors that say where and never quote the file."""

from __future__ import annotations

import re
import tomllib

from palpo_installer.errors import RefusedPlan

FILE = "palpo.toml"

BYTE_ORDER_MARK = "\ufeff"

_POSITION = re.compile(r"at line (\d+), column (\d+)")


def text_of(data: bytes) -> str:
    """Return the text of a palpo.toml, without a byte order mark.

    Raises:
        RefusedPlan: it is not UTF-8, which TOML requires; ``where`` has the line.
    """
    try:
        return data.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RefusedPlan(
            "the file is not UTF-8, as TOML must be",
            where=f"{FILE}, line {line}",
            next="Save it as UTF-8, or move it away to begin with a new one",
        ) from error


def values(data: bytes | None) -> dict[str, object]:
    """Return what a palpo.toml says as plain values; nothing for no file.

    Raises:
        RefusedPlan: the file is no TOML; ``where`` has the line. The reason is left out of the error, and
            the error chain, because it may quote a secret.
    """
    if data is None:
        return {}
    text = text_of(data)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        position = _POSITION.search(str(error))
        place = f"line {position[1]}, column {position[2]}" if position else "at its end"
    raise RefusedPlan(
        "the file is not valid TOML",
        where=f"{FILE}, {place}",
        next="Correct it there, or move the file away to begin with a new one",
    )


def look_up(values: object, key: tuple[str, ...]) -> object:
    """Return the value at a key, None where there is none."""
    for part in key:
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values
