"""Secrets that do not show themselves, and texts in which they are still placeholders."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import pytest

from palpo_installer.secret import Secret, SecretReference, Text
from palpo_installer.serialization import dump

URL = SecretReference("homeserver.database_url", "answer", "homeserver.database_url")
TOKEN = SecretReference("token", "file", "/root/token")


@dataclass(frozen=True)
class Holder:
    """A value with a secret in it."""

    secret: Secret


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r:>20}".format], ids=["str", "repr", "f", "f!r"])
def test_a_secret_does_not_print_itself(show: object) -> None:
    """Not alone, not formatted, not inside another value; only when it is asked to."""
    assert callable(show)
    assert "hunter2" not in show(Secret("hunter2"))
    assert "hunter2" not in show(Holder(Secret("hunter2")))
    assert "hunter2" not in show([Secret("hunter2")])
    assert Secret("hunter2").reveal() == "hunter2"


def test_a_reference_has_only_the_name() -> None:
    """What stands for a secret in texts and in JSON names it and holds nothing of it."""
    assert URL.placeholder == "<secret: homeserver.database_url>"
    assert "hunter2" not in dump(URL)


@pytest.mark.parametrize(
    "value",
    ["plain", 'a"b', "back\\slash", "line\nfeed\ttab", "ünïcode 🦀", "bell\x07 and del\x7f", "${x} <secret: y>"],
)
def test_every_value_survives_as_toml(value: str) -> None:
    """Quotes, control characters and all: a TOML parser reads back what was put in."""
    text = Text(f'url = "{URL.placeholder}"\nagain = "{URL.placeholder}"\n', (URL,))
    revealed = text.reveal({URL.name: Secret(value)})
    assert tomllib.loads(revealed) == {"url": value, "again": value}
    assert value not in text.shown


def test_each_secret_goes_to_its_own_place() -> None:
    """Two references are told apart by name, and a text without any stays as it is."""
    text = Text(f'a = "{URL.placeholder}"\nb = "{TOKEN.placeholder}"\n', (URL, TOKEN))
    values = {URL.name: Secret("one"), TOKEN.name: Secret("two")}
    assert tomllib.loads(text.reveal(values)) == {"a": "one", "b": "two"}
    assert list(text) == [URL, TOKEN]
    assert Text("# nothing\n").reveal({}) == "# nothing\n"


def test_a_missing_secret_is_no_placeholder_in_a_file() -> None:
    """Revealing without the value fails; it never leaves the placeholder where the value should be."""
    with pytest.raises(KeyError, match=r"homeserver\.database_url"):
        Text(URL.placeholder, (URL,)).reveal({})
