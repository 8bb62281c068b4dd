"""What must stand in palpo.toml for which answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.answers import Address, Delegation, Registration
from palpo_installer.errors import AnswersError, RefusedPlan
from palpo_installer.homeserver.settings import RAISED, key_version, settings
from palpo_installer.layout import Layout
from palpo_installer.secret import SecretReference
from tests.homeserver.made import DATABASE, TOKEN, answers, without_token

Values = dict[tuple[str, ...], object]


def wanted(existing: bytes | None = None, layout: Layout | None = None, **choices: object) -> Values:
    """Return the settings for answers as a dictionary."""
    chosen = answers(**choices)  # type: ignore[arg-type]
    return {setting.key: setting.value for setting in settings(chosen, existing, layout or Layout())}


@pytest.mark.parametrize(
    ("registration", "allowed", "token"),
    [(Registration.CLOSED, False, None), (Registration.TOKEN, False, TOKEN), (Registration.OPEN, True, None)],
)
def test_registration_is_open_to_whom_the_answers_say(
    registration: Registration, allowed: bool, token: SecretReference | None
) -> None:
    """A token opens registration by itself, so closed and open both ask for there to be none."""
    values = wanted(registration=registration)
    assert values["allow_registration",] is allowed
    assert values["registration_token",] == token


def test_registration_by_token_without_a_token_is_refused() -> None:
    """Otherwise the file would say closed where the person chose a token."""
    with pytest.raises(AnswersError, match="needs a token"):
        settings(without_token(answers(registration=Registration.TOKEN)), None, Layout())


def test_the_listener_is_taken_as_given() -> None:
    """In a container Palpo must listen on a wildcard; it is not narrowed to loopback."""
    assert wanted(listen=Address("0.0.0.0", 8008))["listeners", "address"] == "0.0.0.0:8008"
    assert wanted(listen=Address("::1", 8009))["listeners", "address"] == "[::1]:8009"


def test_the_database_url_of_the_file_stays_where_the_answers_have_none() -> None:
    """Reconfiguring does not ask for the password again."""
    existing = b'[db]\nurl = "postgres://own"\n'
    assert ("db", "url") not in wanted(existing, database_url=None)
    assert wanted(existing)["db", "url"] == DATABASE


@pytest.mark.parametrize("existing", [None, b"", b"[db]\npool_size = 3\n"])
def test_a_missing_database_url_is_an_error_that_names_its_answer(existing: bytes | None) -> None:
    """Palpo cannot start without one."""
    with pytest.raises(AnswersError) as caught:
        wanted(existing, database_url=None)
    assert caught.value.where == "homeserver.database_url"


def test_well_known_names_the_client_host_on_the_port_of_the_layout() -> None:
    """Both are written whatever the delegation; a private copy of a host has a port of its own."""
    for delegation in Delegation:
        values = wanted(delegation=delegation)
        assert values["well_known", "client"] == "https://matrix.example.com"
        assert values["well_known", "server"] == "matrix.example.com:443"
    values = wanted(layout=Layout(https_port=8443))
    assert values["well_known", "client"] == "https://matrix.example.com:8443"
    assert values["well_known", "server"] == "matrix.example.com:8443"


def test_federation_is_off_for_delegation_none_and_on_again_for_another() -> None:
    """The key is left out where Palpo's default already says it."""
    assert wanted(delegation=Delegation.NONE)["federation", "enable"] is False
    assert ("federation", "enable") not in wanted()
    assert wanted(b"federation.enable = false\n")["federation", "enable"] is True
    assert ("federation", "enable") not in wanted(b"federation.enable = true\n")


def test_a_new_key_is_a_reference_and_the_one_of_the_file_is_never_replaced() -> None:
    """Other servers know this one by its key."""
    values = wanted()
    assert values["keypair", "document"] == SecretReference("signing key of example.com", "signing-key", "example.com")
    assert values["keypair", "version"] == key_version("example.com")
    kept = wanted(b'[keypair]\ndocument = "own"\nversion = "v"\n')
    assert not [key for key in kept if key[0] == "keypair"]
    completed = wanted(b'[keypair]\ndocument = "own"\n')
    assert [key for key in completed if key[0] == "keypair"] == [("keypair", "version")]


def test_the_version_of_a_key_is_the_same_each_time_and_another_for_another_name() -> None:
    """A plan names it before the key is made; Palpo takes letters, digits and underscores."""
    version = key_version("example.com")
    assert version.startswith("a_")
    assert version.replace("_", "").isalnum()
    assert key_version("example.com") == version != key_version("example.org")


def test_storage_is_absolute_and_that_of_the_file_stays() -> None:
    """Media must not move with the working directory, nor away from where they are."""
    assert wanted()["storage", "root"] == "/var/lib/palpo/media"
    assert not [key for key in wanted(b'[storage]\nbackend = "s3"\nbucket = "b"\n') if key[0] == "storage"]


def test_storage_is_in_the_private_copy_of_a_host(tmp_path: Path) -> None:
    """A copy under a directory keeps its media there, whether or not the answer begins with that directory."""
    assert wanted(layout=Layout(root=tmp_path))["storage", "root"] == str(tmp_path / "var/lib/palpo/media")
    assert wanted(layout=Layout(root=Path("/var/lib")))["storage", "root"] == "/var/lib/palpo/media"


def test_logging_is_set_in_a_new_file_only() -> None:
    """How somebody logs is theirs."""
    assert wanted()["logger", "ansi_colors"] is False
    assert not [key for key in wanted(b"# mine\n") if key[0] == "logger"]


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_limits_are_off_where_the_proxy_limits_each_client(proxy: str) -> None:
    """Palpo would limit all clients together, as they share the proxy's address."""
    values = wanted(proxy=proxy)
    assert {values[section, "per_second"] for section in RAISED} == {0.0}


@pytest.mark.parametrize("proxy", ["apache", "caddy", "traefik", "relayd", "kubernetes"])
def test_limits_are_raised_and_not_off_where_the_proxy_has_none(proxy: str) -> None:
    """Nothing would stop guessing passwords otherwise; each is above what Palpo has for one client."""
    values = wanted(proxy=proxy)
    usual = {"rc_login": (0.003, 5), "rc_registration": (0.17, 3), "rc_password": (0.17, 3), "rc_message": (10.0, 50)}
    for section, (rate, burst) in usual.items():
        assert float(str(values[section, "per_second"])) > rate
        assert int(str(values[section, "burst"])) > burst


def test_a_file_that_is_no_toml_is_refused_before_anything_is_decided() -> None:
    """What it says about keys and storage cannot be known."""
    with pytest.raises(RefusedPlan):
        wanted(b"server_name =\n")
