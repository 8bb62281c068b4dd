"""Edits of a TOML document that leave its other lines alone."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any, cast

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.container import Container
from tomlkit.items import AoT, Item, Table, Whitespace

from palpo_installer.homeserver import listeners

Value = str | int | float | bool
Place = MutableMapping[str, object]


def assign(document: TOMLDocument, key: tuple[str, ...], value: Value, comment: str) -> None:
    """Set the value at a key; a key that was not there gets the comment above it."""
    place = _table(document, key[:-1])
    if key[-1] in place:
        place[key[-1]] = value
    else:
        _add(place, key[-1], value)
        _explain(place, key[-1], comment)


def remove(document: TOMLDocument, key: tuple[str, ...]) -> None:
    """Remove a key that is there; comments around it stay."""
    del _table(document, key[:-1])[key[-1]]


def listen(document: TOMLDocument, address: str, comment: str, former: str = "") -> None:
    """Bring an address into ``[[listeners]]``, or into a list of inline tables; ``former`` gives way to it."""
    if "listeners" not in document:
        document["listeners"] = tomlkit.aot()
    above = document.as_string()
    entries = cast("MutableSequence[Any]", document["listeners"])
    before = len(entries)
    styled = isinstance(entries, AoT)
    listeners.place(entries, address, _listener if styled else _inline_listener, former)
    if styled and len(entries) > before:
        added = entries[-1]
        _explain(added, "address", comment)
        above = entries[-2].as_string() if before else above
        added.trivia.indent = "" if above.endswith("\n\n") else "\n"
        if list(document)[-1] != "listeners":
            added.add(tomlkit.nl())


def _table(document: TOMLDocument, sections: tuple[str, ...]) -> Place:
    """Return the table at a key, made where it is missing; the caller saw that nothing else is there."""
    place: Place = document
    for section in sections:
        if section not in place:
            place[section] = tomlkit.table()
        place = cast("Place", place[section])
    return place


def _listener(address: str) -> MutableMapping[str, object]:
    table = tomlkit.table()
    table["address"] = address
    return table


def _inline_listener(address: str) -> MutableMapping[str, object]:
    table = tomlkit.inline_table()
    table["address"] = address
    return table


def _add(place: Place, key: str, value: Value) -> None:
    """Add a key; in a table it comes before the empty lines that part it from the next one."""
    gap: list[Item] = []
    body = place.value.body if isinstance(place, Table) else []
    while body and isinstance(body[-1][1], Whitespace):
        gap.insert(0, body.pop()[1])
    place[key] = value
    body.extend((None, blank) for blank in gap)


def _explain(place: Place, key: str, comment: str) -> None:
    """Put a comment above a key that has a line of its own, apart from what stands before it."""
    if not comment:
        return
    container = place.value if isinstance(place, Table) else place
    if not isinstance(container, Container):
        return
    item = container.item(key)
    if not isinstance(item, Item):
        return
    apart = "" if isinstance(place, Table) and len(place) == 1 else "\n"
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    # tomlkit cannot insert a comment at a place, but writes an item's indent as it stands.
    item.trivia.indent = f"{apart}{lines}{item.trivia.indent}"
