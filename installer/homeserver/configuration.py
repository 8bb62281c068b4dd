"""Writing palpo.toml: settings merged into what is there, with its comments, order and line endings."""

from __future__ import annotations

import codecs
import copy
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver import editing, listeners
from palpo_installer.homeserver.reading import FILE, look_up, text_of, values
from palpo_installer.homeserver.settings import LISTENER, PLACEHOLDER_NAME, Setting
from palpo_installer.secret import SecretReference

HEADER = """\
# palpo.toml, the configuration of the Palpo homeserver. Begun by palpo-installer, and yours to edit: a later
# run changes only what its answers decide, and shows that first; everything else stays, comments too.
# Palpo reads this file when it starts, so restart it after a change. Let nobody else read it.
"""
"""How a new file begins. Neither it nor the comments of settings have a word that masking hides."""


@dataclass(frozen=True, repr=False)
class _Change:
    """A setting that the file does not say yet; ``value`` is the revealed one, None to remove the key."""

    key: tuple[str, ...]
    value: editing.Value | None
    comment: str
    former: str


def merge(
    existing: bytes | None,
    settings: tuple[Setting, ...],
    reveal: Callable[[SecretReference], str],
    former_name: str = "",
) -> bytes:
    """Return palpo.toml with the settings in it.

    A file that already says all this comes back as it is, so merging twice is merging once.

    Args:
        existing: the file as it is, None for none.
        settings: what must stand in it.
        reveal: gives the text that stands for a reference: the secret, or its placeholder.
        former_name: the server name that may be given up for another one, empty for none.

    Raises:
        RefusedPlan: the file is for another server, is no UTF-8 or no TOML (``where`` has the line), has a value
            where a table must be, or cannot be edited without touching other lines.
    """
    before = values(existing)
    _require_same_server(before, settings, former_name)
    revealed = (_Change(each.key, _revealed(each, reveal), each.comment, each.former) for each in settings)
    changes = tuple(change for change in revealed if _differs(before, change))
    after = _with(before, changes)
    if existing is None:
        return _edited(HEADER, changes, after).encode()
    if not changes:
        return existing
    text = text_of(existing)
    mark = codecs.BOM_UTF8 if existing.startswith(codecs.BOM_UTF8) else b""
    windows = text.count("\n") == text.count("\r\n") > 0
    edited = _edited(text.replace("\r\n", "\n") if windows else text, changes, after)
    return mark + (edited.replace("\n", "\r\n") if windows else edited).encode()


def _revealed(setting: Setting, reveal: Callable[[SecretReference], str]) -> editing.Value | None:
    return reveal(setting.value) if isinstance(setting.value, SecretReference) else setting.value


def _require_same_server(before: dict[str, object], settings: tuple[Setting, ...], former_name: str) -> None:
    wanted = next((setting.value for setting in settings if setting.key == ("server_name",)), None)
    name = before.get("server_name", PLACEHOLDER_NAME)
    if wanted is not None and name not in (wanted, PLACEHOLDER_NAME, former_name):
        raise RefusedPlan(
            f"the file is for the server name {name}, the answers are for {wanted}",
            where=f"{FILE}, server_name",
            next="A server name is for ever: correct names.server_name, or name another file in homeserver.config",
        )


def _differs(before: dict[str, object], change: _Change) -> bool:
    key, value = change.key, change.value
    if key == LISTENER:
        after = copy.deepcopy(before)
        return _listen(after, change) != before.get("listeners")
    _require_tables(before, key)
    present = look_up(before, key)
    if isinstance(present, int | float) and isinstance(value, int | float):
        return present != value or isinstance(present, bool) != isinstance(value, bool)
    return type(present) is not type(value) or present != value


def _require_tables(before: dict[str, object], key: tuple[str, ...]) -> None:
    for length in range(1, len(key)):
        section = look_up(before, key[:length])
        if section is not None and not isinstance(section, dict):
            name = ".".join(key[:length])
            raise RefusedPlan(f"{name} must be a table, [{name}]", where=f"{FILE}, {name}", next="Correct it there")


def _listen(after: dict[str, object], change: _Change) -> list[dict[str, object]]:
    entries = after.setdefault("listeners", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RefusedPlan(
            "listeners must be a list of tables, [[listeners]]", where=f"{FILE}, listeners", next="Correct it there"
        )
    listeners.place(entries, str(change.value), lambda new: {"address": new}, change.former)
    return entries


def _with(before: dict[str, object], changes: tuple[_Change, ...]) -> dict[str, object]:
    """Return the plain values as they must be after the changes."""
    after = copy.deepcopy(before)
    for change in changes:
        if change.key == LISTENER:
            _listen(after, change)
            continue
        place = after
        for section in change.key[:-1]:
            place = cast("dict[str, object]", place.setdefault(section, {}))
        if change.value is None:
            del place[change.key[-1]]
        else:
            place[change.key[-1]] = change.value
    return after


def _edited(text: str, changes: tuple[_Change, ...], after: dict[str, object]) -> str:
    """Return the text with the changes made, once it is proven that it says what it must and nothing else."""
    try:
        document = tomlkit.parse(text)
        untouched = document.as_string() == text
        for change in changes:
            _apply(document, change)
        edited = document.as_string()
        if untouched and tomllib.loads(edited) == after:
            return edited
    except (TOMLKitError, tomllib.TOMLDecodeError):
        pass
    keys = ", ".join(".".join(change.key) for change in changes)
    raise RefusedPlan(
        "the file is written in a way that cannot be edited without touching other lines",
        where=FILE,
        next=f"Write it more plainly, or change these keys yourself: {keys}",
    )


def _apply(document: tomlkit.TOMLDocument, change: _Change) -> None:
    if change.key == LISTENER:
        editing.listen(document, str(change.value), change.comment, change.former)
    elif change.value is None:
        editing.remove(document, change.key)
    else:
        editing.assign(document, change.key, change.value, change.comment)
