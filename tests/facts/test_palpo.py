from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from palpo_installer.facts.palpo import parse, parse_versions

PATH = Path("/etc/palpo/palpo.toml")


def test_a_configuration_says_its_name_and_listeners() -> None:
    """The digest is that of the bytes; a listener without an address is left out."""
    data = b'server_name = "example.org"\n[[listeners]]\naddress = "127.0.0.1:8008"\n[[listeners]]\nx = 1\n'
    found = parse(PATH, data)
    assert (found.server_name, found.listeners, found.problem) == ("example.org", ("127.0.0.1:8008",), "")
    assert found.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'server_name = "a"\nlisteners = [\n', "line 2: the file ends too early"),
        (b"a = 1\nb = = 2\n", "line 2: "),
        (b"a = 1\na = 2\n", 'line 2: Key "a" already exists'),
        (b"a = 1\nb = '\xff'\n", "line 2: is not UTF-8"),
    ],
)
def test_a_broken_configuration_says_why_and_where(data: bytes, problem: str) -> None:
    """Nothing is taken from a file that Palpo would not start with."""
    found = parse(PATH, data)
    assert found.problem.startswith(problem)
    assert not found.problem.endswith(".")
    assert found.server_name == ""


@pytest.mark.parametrize("text", ["", "listeners = 3", 'listeners = ["a"]', "[listeners]\naddress = 'a'"])
def test_a_configuration_without_usable_listeners_has_none(text: str) -> None:
    """Values of a wrong type are for the schema to judge."""
    assert parse(PATH, text.encode()).listeners == ()


def test_another_format_is_not_taken_for_toml() -> None:
    """Palpo also reads YAML, JSON and KDL, told by the ending."""
    assert parse(Path("/srv/palpo.yaml"), b"server_name: a\n").problem == "is in the format .yaml, not TOML"


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ({"versions": ["v1.1"], "net.zemos.msc4383.server": {"name": "Palpo", "version": "0.4.0"}}, "0.4.0"),
        ({"net.zemos.msc4383.server": {"name": "Palpo"}}, ""),
        ({"net.zemos.msc4383.server": {"name": "Synapse", "version": "1"}}, None),
        ({"net.zemos.msc4383.server": "Palpo"}, None),
        ({"versions": ["v1.1"]}, None),
        ([1], None),
    ],
)
def test_only_palpo_is_taken_for_palpo(answer: object, version: str | None) -> None:
    """Another homeserver, or any JSON, is not."""
    assert parse_versions(json.dumps(answer).encode()) == version


def test_an_answer_that_is_no_json_is_not_palpos() -> None:
    """A proxy's error page, or nothing."""
    assert parse_versions(b"<html>") is None
    assert parse_versions(b"\xff") is None
