"""Merging settings into palpo.toml."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import tomlkit
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

import palpo_installer.homeserver
from palpo_installer.answers import Delegation, Registration
from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.settings import Setting, key_version, settings
from palpo_installer.layout import Layout
from palpo_installer.secret import Secret, Text
from tests.homeserver.made import DOCUMENT, VALUES, answers, merged, reveal, said

PROXIED = Path(__file__).with_name("palpo.proxied.toml")

OLD = b"""\
# written by hand
server_name = "example.com"   # for ever
registration_token = "old"
allow_encryption = true       # unknown to the installer

[db]
# where the data are
pool_size = 3
url = "postgres://old"

[[listeners]]
address = "0.0.0.0:8008"

[[listeners]]
address = "10.0.0.1:8448"
[listeners.tls]
cert = "/a"
key = "/b"

[keypair]
document = "kept"
version = "kept"

# the last section
[logger]
level = "debug"
"""

NEW = b"""\
# written by hand
server_name = "example.com"   # for ever
allow_encryption = true       # unknown to the installer

# Who may make an account: true is everybody, false is nobody, or those who know what is set below.
allow_registration = false

# Bytes. Told to clients; Palpo itself refuses uploads above 16777216 whatever stands here.
max_upload_size = 16777216

[db]
# where the data are
pool_size = 3
url = "postgres://palpo:CHANGE_ME@127.0.0.1:5432/palpo"

[[listeners]]
address = "127.0.0.1:8008"

[[listeners]]
address = "10.0.0.1:8448"
[listeners.tls]
cert = "/a"
key = "/b"

[keypair]
document = "kept"
version = "kept"

# the last section
[logger]
level = "debug"

[well_known]
"""


def test_a_new_file_says_what_the_model_file_says() -> None:
    """But for the key and its version, which are this server's own."""
    model = said(PROXIED.read_bytes())
    model["keypair"] = {"document": DOCUMENT, "version": key_version("example.com")}
    assert said(merged(None)) == model


@pytest.mark.parametrize("registration", Registration)
@pytest.mark.parametrize("proxy", ["nginx", "apache"])
@pytest.mark.parametrize("delegation", [Delegation.WELL_KNOWN, Delegation.NONE])
def test_a_new_file_is_valid_by_palpos_schema(registration: Registration, proxy: str, delegation: Delegation) -> None:
    """The strict schema takes every form of it."""
    schema_file = Path(palpo_installer.homeserver.__file__).with_name("palpo.schema.json")
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    data = merged(None, answers(registration=registration, proxy=proxy, delegation=delegation))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(said(data))) == []
    assert list(jsonschema.Draft202012Validator(schema).iter_errors({**said(data), "server_name": 1}))


def test_a_new_file_explains_itself() -> None:
    """It begins with whose it is, and every section has a comment of its own or one that speaks for it."""
    text = merged(None).decode()
    assert text.startswith("# palpo.toml, the configuration of the Palpo homeserver.")
    for section in ("[[listeners]]", "[db]", "[well_known]", "[keypair]", "[storage]", "[logger]", "[rc_login]"):
        assert f"\n\n{section}\n# " in text
    assert max(map(len, text.splitlines())) <= 116


def test_an_old_file_keeps_its_comments_order_and_unknown_keys() -> None:
    """Only what the answers decide changes; new sections come last."""
    assert merged(OLD).startswith(NEW)


@pytest.mark.parametrize(
    "existing",
    [
        None,
        b"",
        b"# nothing but a comment",
        OLD,
        OLD.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + OLD,
        OLD.rstrip(b"\n"),
        b'listeners = [{ address = "127.0.0.1:8008" }]\nrc_login = { burst = 1, per_second = 2 }\n',
        b'db.url = "postgres://x"\nwell_known.client = "https://a"\n',
        b'[well_known]\nserver = "x:1"\n[other]\n[well_known.more]\na = 1\n',
        b'[[listeners]]\naddress = "10.0.0.1:1"\n[db]\npool_size = 1\n[turn]\n',
    ],
)
def test_merging_twice_is_merging_once(existing: bytes | None) -> None:
    """The file says all of it the first time, and comes back as it is the second."""
    once = merged(existing)
    assert merged(once) == once
    assert said(once.removeprefix(b"\xef\xbb\xbf"))["server_name"] == "example.com"


def test_a_file_that_is_right_comes_back_as_it_is_whatever_its_style() -> None:
    """Spelling, spacing and mixed line ends are no reason to touch a file."""
    data = merged(None).replace(b'"example.com"', b"'example.com'  # ours\r").replace(b"0.0\n", b"0\n")
    assert merged(data) is data


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    """New lines end as the old ones do."""
    data = merged(b"\xef\xbb\xbf" + OLD.replace(b"\n", b"\r\n"))
    assert data.startswith(b"\xef\xbb\xbf# written")
    assert data.count(b"\n") == data.count(b"\r\n") > OLD.count(b"\n")
    assert data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n") == merged(OLD)


def test_a_file_of_another_server_is_refused() -> None:
    """User names and the database belong to a server name for ever."""
    with pytest.raises(RefusedPlan, match=r"for the server name other\.org, the answers are for example\.com"):
        merged(b'server_name = "other.org"\n')


def test_the_name_that_palpo_refuses_to_start_with_is_replaced() -> None:
    """The example file can be completed: nobody can have run a server with it."""
    assert said(merged(b'server_name = "your.server.name"\n'))["server_name"] == "example.com"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'a = 1\nb = "hunter2\n', "palpo.toml, line 2"),
        (b"a = 1\na = 2\n", "palpo.toml, line 2"),
        (b'a = 1\n\nb = "\xff"\n', "palpo.toml, line 3"),
        (b'a = """', "palpo.toml, at its end"),
        (b"a = " + b"[" * 5000, "palpo.toml, at its end"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line_and_without_its_text(data: bytes, where: str) -> None:
    """The line may hold a secret, so neither the error nor what caused it quotes it."""
    with pytest.raises(RefusedPlan) as caught:
        merged(data)
    assert caught.value.where.startswith(where)
    assert caught.value.next
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or isinstance(caught.value.__cause__, UnicodeDecodeError)


@pytest.mark.parametrize(
    ("data", "key"), [(b'db = "x"\n', "db"), (b"rc_login = [1]\n", "rc_login"), (b"listeners = 1\n", "listeners")]
)
def test_a_value_where_a_table_must_be_is_refused_by_name(data: bytes, key: str) -> None:
    """It is somebody's mistake, and theirs to correct."""
    with pytest.raises(RefusedPlan) as caught:
        merged(data)
    assert caught.value.where == f"palpo.toml, {key}"


def test_numbers_and_truth_are_told_apart() -> None:
    """``1`` is no ``true`` to Palpo, but ``0`` is as good as ``0.0``."""
    setting = Setting(("allow_registration",), value=True)
    assert merge(b"allow_registration = 1\n", (setting,), reveal) == b"allow_registration = true\n"
    rate = Setting(("rc_login", "per_second"), 0.0)
    assert merge(b"rc_login.per_second = 0\n", (rate,), reveal) == b"rc_login.per_second = 0\n"


def test_a_placeholder_in_the_file_becomes_the_secret_later() -> None:
    """A plan holds the text with placeholders; at apply it says the same as one made with the secrets."""
    chosen = settings(answers(registration=Registration.TOKEN), OLD, Layout())
    shown = merge(OLD, chosen, lambda reference: reference.placeholder).decode()
    references = tuple(setting.value for setting in chosen if not isinstance(setting.value, str | int | float))
    text = Text(shown, tuple(reference for reference in references if reference is not None))
    awkward = 'let "me\\in" €'
    values = {reference.name: Secret(VALUES[reference.source]) for reference in text}
    values["homeserver.registration_token"] = Secret(awkward)
    assert awkward not in shown
    assert said(text.reveal(values).encode())["registration_token"] == awkward
    assert said(text.reveal(values).encode())["db"] == said(merged(OLD))["db"]


KEYS = st.sampled_from(["server_names", "turn", "x y", "logger", "db", "rc_login", "é"])
LEAVES = st.one_of(
    st.integers(-9, 9), st.text("ab \"\\'\n#=é\x7f", max_size=8), st.booleans(), st.lists(st.integers(0, 3), max_size=3)
)
TABLES = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=8)


@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(file=st.dictionaries(KEYS, TABLES, max_size=5))
def test_nothing_else_changes_in_any_file(file: dict[str, object]) -> None:
    """Whatever stands in a file, after merging it says what the settings say and all that it said before."""
    chosen = (
        Setting(("server_name",), "example.com", "why"),
        Setting(("db", "url"), "postgres://x", "why"),
        Setting(("rc_login", "burst"), 5),
        Setting(("turn",), None),
    )
    data = tomlkit.dumps(file).encode()
    try:
        result = merge(data, chosen, reveal)
    except RefusedPlan:
        assert any(not isinstance(file.get(section, {}), dict) for section in ("db", "rc_login"))
        return
    expected = copy.deepcopy(file)
    expected.pop("turn", None)
    expected["server_name"] = "example.com"
    for section, key, value in (("db", "url", "postgres://x"), ("rc_login", "burst", 5)):
        table = expected.setdefault(section, {})
        assert isinstance(table, dict)
        table[key] = value
    assert said(result) == expected
    assert merge(result, chosen, reveal) == result
