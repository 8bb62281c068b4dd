"""What is wrong with a palpo.toml: Palpo's schema, and what Palpo refuses when it starts.

The rules are those of ``ServerConfig::check()`` in Palpo's source. No sentence quotes a value, which may be
a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from itertools import combinations

from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.keys import is_signing_key
from palpo_installer.homeserver.listeners import DEFAULT, overlap
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.homeserver.schema import Problem, against_schema

EXAMPLE_PASSWORD = "F670$2CP@Hw8mG7RY1$%!#Ic7YA"  # noqa: S105
"""The emergency password of the public example file, which Palpo refuses."""

REFUSED: tuple[tuple[str, object, str], ...] = (
    ("server_name", "your.server.name", "still the example's name"),
    ("allow_invalid_tls_certificates", True, "true is refused: outgoing requests could be intercepted"),
    ("emergency_password", EXAMPLE_PASSWORD, "the public example's password"),
)
"""Top-level keys with a value that Palpo refuses, and why."""


def check(data: bytes) -> tuple[str, ...]:
    """Return everything that is wrong with a palpo.toml, one sentence each, what stops Palpo first."""
    try:
        file = values(data)
    except RefusedPlan as error:
        return (str(error),)
    return tuple(str(problem) for problem in sorted(problems(file), key=lambda problem: not problem.stops))


def findings(existing: bytes | None) -> tuple[str, ...]:
    """Return what a person should know about a file that Palpo starts with all the same.

    Raises:
        RefusedPlan: it is no TOML.
    """
    file = values(existing)
    found = [str(problem) for problem in problems(file) if not problem.stops]
    if file and "server_name" not in file:
        found.append("server_name: missing; if Palpo ever ran with this file, its database belongs to change.palpo.im")
    if file and "storage" not in file:
        found.append("storage: missing; media that Palpo kept so far lie in the directory `space` where it was started")
    return tuple(found)


def problems(file: dict[str, object]) -> tuple[Problem, ...]:
    """Return the problems of a palpo.toml given as plain values."""
    return tuple(dict.fromkeys((*against_schema(file), *_refused_at_start(file))))


def _refused_at_start(file: dict[str, object]) -> Iterator[Problem]:
    """Yield what ``check()`` and the first steps after it refuse beyond the schema."""
    for key, refused, message in REFUSED:
        if file.get(key) == refused:
            yield Problem(key, message, stops=True)
    jwt = file.get("jwt")
    if isinstance(jwt, dict) and jwt.get("enable", True) is True and jwt.get("validate_signature") is False:
        yield Problem("jwt.validate_signature", "false is refused: any token would be a login", stops=True)
    client = look_up(file, ("well_known", "client"))
    if isinstance(client, str) and not re.match(r"https?://[^/\s]", client):
        yield Problem("well_known.client", "must be a URL, https://…, as clients are told it as it stands", stops=True)
    document = look_up(file, ("keypair", "document"))
    if isinstance(document, str) and not is_signing_key(document):
        yield Problem("keypair.document", "no Ed25519 key in PKCS#8 form and base64", stops=True)
    yield from _refused_origins(file)
    yield from _refused_ranges(file)
    yield from _refused_listeners(file)


def _refused_origins(file: dict[str, object]) -> Iterator[Problem]:
    for number, origin in _texts(file.get("allowed_origins")):
        key = f"allowed_origins {number}"
        if origin == "*":
            yield Problem(key, "* is refused; leave the list empty to allow every origin", stops=True)
        elif not re.fullmatch(r"[\t\x20-\x7e\x80-\U0010ffff]+", origin):
            yield Problem(key, "no value of an HTTP header", stops=True)


def _refused_ranges(file: dict[str, object]) -> Iterator[Problem]:
    for number, text in _texts(file.get("ip_range_denylist")):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            yield Problem(f"ip_range_denylist {number}", "no range of IP addresses, such as 10.0.0.0/8", stops=True)


def _refused_listeners(file: dict[str, object]) -> Iterator[Problem]:
    """Yield listeners that cannot be bound beside an earlier one: Palpo ends when one address is in use."""
    entries = file.get("listeners")
    tables = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    addresses = [(number, str(table.get("address", DEFAULT))) for number, table in enumerate(tables, 1)]
    for (first, one), (second, other) in combinations(addresses, 2):
        if ":" in one and ":" in other and overlap(one, other):
            yield Problem(f"listeners {second}", f"cannot be bound beside listener {first}", stops=True)


def _texts(values: object) -> Iterator[tuple[int, str]]:
    """Yield the texts in a list with their places, counted from 1."""
    if isinstance(values, list):
        yield from ((number, value) for number, value in enumerate(values, 1) if isinstance(value, str))
