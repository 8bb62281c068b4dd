"""What is wrong with a palpo.toml, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import palpo_installer.homeserver
from palpo_installer.homeserver.inspection import EXAMPLE_PASSWORD, check, findings
from palpo_installer.homeserver.schema import REMOVED
from tests.homeserver.made import merged, said

SCHEMA_FILE = Path(palpo_installer.homeserver.__file__).with_name("palpo.schema.json")
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def test_a_new_file_has_no_problem_and_no_finding() -> None:
    """What we write is what we would accept."""
    assert check(merged(None)) == ()
    assert findings(merged(None)) == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('server_name = "https://example.com"', "server_name: must be a host name or bracketed IPv6 address"),
        ("max_upload_size = 1.0", "max_upload_size: must be a whole number"),
        ("max_upload_size = true", "max_upload_size: must be a whole number"),
        ("max_upload_size = -1", "max_upload_size: must be at least 0"),
        ("max_upload_size = 5000000000", "max_upload_size: must be at most 4294967295"),
        ("default_room_version = 11", "default_room_version: must be text in quotes"),
        ('allow_registration = "yes"', "allow_registration: must be true or false"),
        ("allow_registration = 2020-01-01", "allow_registration: must be true or false"),
        ("listeners = 1", "listeners: must be a list"),
        ("db = 1", "db: must be a table"),
        ("rc_login.per_second = 'x'", "rc_login.per_second: must be a number"),
        ("rc_login.per_second = 1", "rc_login.burst: missing"),
        ("rc_login = {}", "rc_login.per_second: missing"),
        ('[[listeners]]\naddress = "8008"', "listeners 1.address: must be an address and port"),
        ('[[listeners]]\n[[listeners]]\ntls.cert = "a"', "listeners 2.tls.key: missing"),
        ('db.url = "host=x password=hunter2"', "db.url: must be a URL that begins with postgres://"),
        ('logger.span_events = "all"', "logger.span_events: must be one of none, enter, exit, new"),
        ('[storage]\nroot = "/x"', "storage.backend: missing"),
        ('[storage]\nbackend = "s3"', "storage.bucket: missing"),
        ('[storage]\nbackend = "fs"\nroot = 1', "storage.root: must be text in quotes"),
        ("[presence]\nallow_local = false", "presence.allow_outgoing: missing"),
        ("[presence]\nallow_local = false\nallow_outgoing = true", "presence.allow_outgoing: must be false"),
        ('oidc.providers.x.issuer = "a"', "oidc.providers.x.client_id: missing"),
        ('registration_token = ""', "registration_token: must not be empty"),
        ('emergency_password = ""', "emergency_password: must not be empty"),
        (f"emergency_password = '{EXAMPLE_PASSWORD}'", "emergency_password: the public example's password"),
        ('server_name = "your.server.name"', "server_name: still the example's name"),
        ("allow_invalid_tls_certificates = true", "allow_invalid_tls_certificates: true is refused"),
        ("jwt.validate_signature = false", "jwt.validate_signature: false is refused"),
        ('allowed_origins = ["https://a", "*"]', "allowed_origins 2: * is refused"),
        ('allowed_origins = [""]', "allowed_origins 1: no value of an HTTP header"),
        ('ip_range_denylist = ["10.0.0.0/8", "x"]', "ip_range_denylist 2: no range of IP addresses"),
        ('well_known.client = "matrix.example.com"', "well_known.client: must be a URL"),
        ('[keypair]\nversion = "a"\ndocument = "AAAA"', "keypair.document: no Ed25519 key"),
        ('[[listeners]]\n[[listeners]]\naddress = "127.0.0.1:8008"', "listeners 2: cannot be bound beside listener 1"),
        ("a = ]", "palpo.toml, line 1, column 5: the file is not valid TOML"),
    ],
)
def test_what_stops_palpo_is_said_first_with_its_key(text: str, sentence: str) -> None:
    """One sentence for each, which never quotes a value."""
    problems = check(f"{text}\nunknown_key = 1\n".encode())
    assert problems[0].startswith(sentence)
    assert "hunter2" not in "".join(problems)
    assert len(problems) <= 6


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[jwt]\nenable = false\nvalidate_signature = false", None),
        (
            'listen_addr = "127.0.0.1:8008"',
            "listen_addr: Palpo no longer reads it; the address stands in [[listeners]]",
        ),
        ('[tls]\ncert = "a"', "tls: Palpo no longer reads it; TLS belongs to a listener, [listeners.tls]"),
        ("db.min_idle = 1", "db.min_idle: Palpo reads it only up to version 0.4.0"),
        ('[[listeners]]\naddres = "x"', "listeners 1.addres: unknown to Palpo, which ignores it"),
        ("[[listeners]]\nx_forwarded = true", "listeners 1.x_forwarded: Palpo reads it, but it has no effect"),
        ('registration_token_file = "/t"', "registration_token_file: Palpo reads it, but it has no effect"),
        ("[blurhash]\ncomponents_x = 4", "blurhash: Palpo reads it, but it has no effect"),
    ],
)
def test_what_palpo_ignores_is_a_finding(text: str, sentence: str | None) -> None:
    """The file works, but not as somebody thinks."""
    complete = 'server_name = "example.com"\nstorage = { backend = "fs" }\n'
    found = findings(f"{complete}{text}\n".encode())
    assert found == (() if sentence is None else (sentence,))
    assert check(f"{complete}{text}\n".encode()) == found


def test_what_an_old_file_leaves_out_is_a_finding() -> None:
    """Its database and its media are where Palpo's defaults put them."""
    assert [found.partition(":")[0] for found in findings(b"allow_registration = false\n")] == [
        "server_name",
        "storage",
    ]
    assert findings(None) == ()


def test_every_key_that_was_removed_has_a_sentence_of_its_own() -> None:
    """The schema lists them; a new one there must be explained here."""
    assert {name.partition(" ")[0] for name in SCHEMA["x-removed-keys"]} <= set(REMOVED)


def test_a_file_is_without_problems_only_if_the_schema_says_so() -> None:
    """The words leave nothing out: each file that the schema refuses has a problem."""
    for name, inner in SCHEMA["properties"].items():
        wrong = {"string": 1, "boolean": 1, "integer": '"x"', "number": '"x"', "array": 1, "object": 1}
        data = f"{name} = {wrong[inner.get('type', 'object')]}\n".encode()
        assert not Draft202012Validator(SCHEMA).is_valid(said(data))
        assert [problem for problem in check(data) if problem.startswith(f"{name}: must be ")]


def test_the_schema_is_the_one_that_is_shipped() -> None:
    """It lies in the package, where every installation finds it."""
    assert SCHEMA_FILE.samefile(Path(__file__).parents[2] / "installer/homeserver/palpo.schema.json")
