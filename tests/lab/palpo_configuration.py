"""palpo.toml as the stand-in for Palpo reads it: what Palpo refuses, and how it ends then."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import tomlkit
from tomlkit.exceptions import TOMLKitError

LIMITERS = {"login": "rc_login", "register": "rc_registration", "password": "rc_password"}
SCHEMAS = (
    Path(__file__).with_name("palpo.schema.json"),
    Path(__file__).resolve().parents[2] / "installer" / "homeserver" / "palpo.schema.json",
)


def say(line: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{line}\n")


def panic(message: str) -> NoReturn:
    """End as a Rust panic does."""
    say(f"thread 'main' panicked at palpo:\n{message}")
    raise SystemExit(101)


def invalid(message: str) -> NoReturn:
    """End as Palpo does where the file has a value of a wrong form."""
    say(f"it looks like your config is invalid. The following error occurred: {message}")
    raise SystemExit(1)


class Mismatch(Exception):
    """A value is not of the form that Palpo's configuration has at its place."""


def load(path: Path) -> dict[str, Any]:
    """Return what a palpo.toml says; ends the program where Palpo would."""
    if not path.exists():
        panic(f"config file not found: `{path}`")
    if path.suffix != ".toml":
        panic(f"unsupported config file format: {path.suffix[1:]}")
    schema = json.loads(next(file for file in SCHEMAS if file.exists()).read_text(encoding="utf-8"))
    try:
        file: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
        unknown = list(fit(schema, file, ""))
    except (TOMLKitError, UnicodeDecodeError, Mismatch) as error:
        invalid(f"{error} in {path} TOML file")
    for key in unknown:
        say(f"WARNING: unknown configuration key `{key}` in `{path}`; this key is ignored")
    for key, limits in schema["properties"].items():
        if key in LIMITERS.values():
            file.setdefault(key, limits["default"])
    check(file)
    return file


def fit(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    """Yield the unknown keys in a value, as serde would ignore them; raise Mismatch for what it would not take."""
    if "oneOf" in schema:
        yield from fit(alternative(schema["oneOf"], value, path), value, path)
        return
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int,),
        "number": (int, float),
        "array": (list,),
        "object": (dict,),
    }
    wanted = schema.get("type", "")
    if wanted and (not isinstance(value, types[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        raise Mismatch(f'invalid type: found {type(value).__name__}, expected {wanted} for key "{path}"')
    if wanted == "integer" and not schema.get("minimum", -(2**63)) <= value <= schema.get("maximum", 2**63 - 1):
        raise Mismatch(f'invalid value: integer `{value}` out of range for key "{path}"')
    if wanted == "string" and "A-Za-z0-9.-" in schema.get("pattern", "") and not re.search(schema["pattern"], value):
        raise Mismatch(f'server name is not valid for key "{path}"')
    for number, item in enumerate(value if wanted == "array" else ()):
        yield from fit(schema.get("items", {}), item, f"{path}.{number}")
    if wanted == "object":
        yield from fit_table(schema, value, f"{path}." if path else "")


def fit_table(schema: dict[str, Any], value: dict[str, Any], prefix: str) -> Iterator[str]:
    """Do the same for the keys of a table."""
    for name in schema.get("required", ()):
        if name not in value:
            raise Mismatch(f"missing field `{prefix}{name}`")
    others = schema.get("additionalProperties")
    for name, item in value.items():
        inner = schema.get("properties", {}).get(name, others)
        if isinstance(inner, dict):
            yield from fit(inner, item, f"{prefix}{name}")
        else:
            yield f"{prefix}{name}"


def alternative(branches: list[dict[str, Any]], value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the variant of an enum that a value is meant for."""
    for branch in branches:
        kind = branch.get("properties", {}).get("backend", {}).get("const")
        chosen = isinstance(value, dict) and (
            value.get("backend") == kind if kind else all(name in value for name in branch.get("required", ()))
        )
        if chosen or ("const" in branch and branch["const"] == value):
            return branch
    raise Mismatch(f'unknown variant for key "{path}"')


def check(file: dict[str, Any]) -> None:
    """Refuse what Palpo's ``check()`` refuses, and what it cannot go on with."""
    jwt = file.get("jwt", {"enable": False})
    presence = file.get("presence", {})
    origins = file.get("allowed_origins", [])
    refusals = {
        "allow_invalid_tls_certificates=true is refused in release builds": file.get("allow_invalid_tls_certificates")
        and os.environ.get("PALPO_ALLOW_INSECURE_TLS") != "1",
        "jwt.validate_signature=false is refused in release builds": jwt.get("enable", True)
        and not jwt.get("validate_signature", True)
        and os.environ.get("PALPO_ALLOW_UNSIGNED_JWT") != "1",
        "You must specify a valid server name for production usage of palpo.": file.get("server_name")
        == "your.server.name",
        "The emergency password is not valid": file.get("emergency_password") in {"", "F670$2CP@Hw8mG7RY1$%!#Ic7YA"},
        'Registration token was specified but is empty ("")': file.get("registration_token") == "",
        "Invalid CORS origin in allowed_origins": any(not origin or origin == "*" for origin in origins),
        "Parsing specified IP CIDR range from string failed": not all(map(is_range, file.get("ip_range_denylist", []))),
        "Outgoing presence requires allowing local presence": presence.get("allow_outgoing", True)
        and not presence.get("allow_local", True),
        "db.url: relative URL without a base": not urlsplit(file.get("db", {}).get("url", "")).scheme,
    }
    for message, refused in refusals.items():
        if refused:
            panic(message)


def is_range(text: str) -> bool:
    """Return whether a text is a range of IP addresses."""
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def speaks_tls(listener: dict[str, Any]) -> bool:
    """Return whether one of ``[[listeners]]`` speaks TLS."""
    return "tls" in listener and bool(listener["tls"].get("enable", True))
