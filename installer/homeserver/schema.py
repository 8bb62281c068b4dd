"""What Palpo's schema says against a palpo.toml, in plain words.

No sentence quotes a value, which may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

REMOVED = {
    "listen_addr": "Palpo no longer reads it; the address stands in [[listeners]]",
    "tls": "Palpo no longer reads it; TLS belongs to a listener, [listeners.tls]",
    "db.min_idle": "Palpo reads it only up to version 0.4.0",
    "db.helper_threads": "Palpo reads it only up to version 0.4.0",
    "config_reload_signal": "Palpo reads it only up to version 0.4.0, and it did nothing",
    "client": "Palpo reads no such section; its name is [http_client]",
    "bind_addresses": "Palpo never read it; addresses stand in [[listeners]]",
}
"""Keys that old files or other documentation have."""

FORMS = {
    "server_name": "a host name or bracketed IPv6 address, with a port or not, and no scheme or path",
    "well_known.server": "a host name or bracketed IPv6 address with a port, and no scheme or path",
    "listeners.address": "an address and port such as 127.0.0.1:8008 or [::1]:8008",
    "db.url": "a URL that begins with postgres://",
    "trusted_servers": "a host name or bracketed IPv6 address, with a port or not",
    "auto_join_rooms": "a room id or alias, which begins with ! or #",
    "well_known.support_mxid": "a user id such as @admin:example.com",
    "keypair.version": "letters, digits and underscores",
}
"""What the patterns of the schema ask for, by key."""

TYPES = {
    "string": "text in quotes",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a table",
}


SENTENCES = {
    "const": "must be {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minLength": "must not be empty",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        key: where, e.g. ``db.url``; a place in a list counts from 1.
        message: what, without a full stop.
        stops: whether Palpo does not start with it; otherwise it only does not do what it seems to.
    """

    key: str
    message: str
    stops: bool

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def against_schema(file: dict[str, object]) -> Iterator[Problem]:
    """Yield what the schema says against a palpo.toml given as plain values."""
    document: Any = file
    for error in _validator().iter_errors(document):
        yield from _in_words(error)
    yield from _without_effect(_schema(), file, ())


@cache
def _schema() -> dict[str, object]:
    text = files("palpo_installer.homeserver").joinpath("palpo.schema.json").read_text(encoding="utf-8")
    schema: dict[str, object] = json.loads(text)
    return schema


@cache
def _validator() -> Validator:
    # JSON Schema takes 1.0 for an integer; Palpo, like TOML, does not.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    strict: type[Validator] = extend(Draft202012Validator, type_checker=whole)  # type: ignore[no-untyped-call]
    return strict(_schema())


def _in_words(error: ValidationError) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    present: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known: Any = error.schema
            for extra in sorted(set(present) - set(known.get("properties", ()))):
                name = _name((*path, extra))
                reason = REMOVED.get(_without_numbers(name), "unknown to Palpo, which ignores it")
                yield Problem(name, reason, stops=False)
        case "required":
            required: Any = error.validator_value
            for missing in (name for name in required if name not in present):
                yield Problem(_name((*path, missing)), "missing", stops=True)
        case "oneOf":
            branches: dict[object, list[ValidationError]] = {}
            for inner in error.context or ():
                branches.setdefault(inner.schema_path[0], []).append(inner)
            for inner in min(branches.values(), key=lambda found: (_is_another_kind(found), len(found))):
                yield from _in_words(inner)
        case _:
            yield Problem(_name(path), _sentence(error, _name(path)), stops=True)


def _sentence(error: ValidationError, key: str) -> str:
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            return f"must be {TYPES[wanted]}"
        case "pattern":
            return f"must be {FORMS.get(_without_numbers(key), 'of another form')}"
        case "enum":
            return f"must be one of {', '.join(wanted)}"
        case rule:
            form = SENTENCES.get(str(rule), f"is not as Palpo's schema asks ({rule})")
            return form.format(json.dumps(wanted))


def _is_another_kind(found: list[ValidationError]) -> bool:
    """Return whether one of several alternatives is not meant at all: its distinguishing key is another."""
    return any(error.validator == "const" or (error.validator == "type" and not error.path) for error in found)


def _without_numbers(key: str) -> str:
    return re.sub(r" \d+", "", key)


def _name(path: tuple[str | int, ...]) -> str:
    name = ""
    for part in path:
        name += f" {part + 1}" if isinstance(part, int) else f".{part}" if name else part
    return name or "the file"


def _without_effect(schema: object, value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Yield the keys that Palpo reads and never uses, which the schema marks ``dead``."""
    if not isinstance(schema, dict):
        return
    if path and schema.get("x-wired") == "dead":
        yield Problem(_name(path), "Palpo reads it, but it has no effect", stops=False)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _without_effect(schema.get("properties", {}).get(key), inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _without_effect(schema.get("items"), inner, (*path, number))
