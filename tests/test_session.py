"""What a command works with: a look at the host, and the answers in force."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palpo_installer.answers import Delegation
from palpo_installer.engine.process import Engine
from palpo_installer.errors import AnswersError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.secret import Secret
from palpo_installer.session import begin, given, inputs_of, own_command, survey
from tests.engine.runs import registered
from tests.planning.made import RAW
from tests.recorded import RecordedHost, recorded
from tests.situations import DATABASE


@pytest.fixture
def host(tmp_path: Path) -> RecordedHost:
    """A recorded host, which has no name servers."""
    return recorded("nginx_stopped", tmp_path)


def saved(host: Host, text: str) -> None:
    """Write the answers of an earlier run."""
    host.layout.etc.mkdir(parents=True)
    host.layout.answers.write_text(text)


def test_without_anything_nothing_is_given(tmp_path: Path) -> None:
    """A first run begins without answers, and asking makes no files."""
    assert given(Host(Layout(tmp_path)), None, ()) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_file_comes_before_the_saved_answers_and_a_setting_before_both(host: RecordedHost, tmp_path: Path) -> None:
    """The saved ones count only where no file is named; ``--set`` replaces one answer of whichever it is."""
    saved(host, '[names]\nserver_name = "saved.example"\n[federation]\nport = 8449\n')
    file = tmp_path / "mine.toml"
    file.write_text('[names]\nserver_name = "mine.example"\n')
    assert given(host, None, ()) == {"names.server_name": "saved.example", "federation.port": 8449}
    assert given(host, file, ()) == {"names.server_name": "mine.example"}
    settings = ("names.server_name=set.example", "federation.port=8450")
    assert given(host, file, settings) == {"names.server_name": "set.example", "federation.port": 8450}
    assert given(host, None, settings) == {"names.server_name": "set.example", "federation.port": 8450}


def test_a_named_file_must_be_there(host: RecordedHost, tmp_path: Path) -> None:
    """A mistyped name is an error, not the saved answers."""
    saved(host, '[names]\nserver_name = "saved.example"\n')
    with pytest.raises(AnswersError) as raised:
        given(host, tmp_path / "none.toml", ())
    assert raised.value.where == str(tmp_path / "none.toml")


def test_a_session_is_a_look_and_the_answers(host: RecordedHost) -> None:
    """Facts of the host, answers typed with their defaults, secrets kept apart."""
    session = begin(host, RAW)
    assert session.facts.system.distribution == "debian"
    assert session.answers.federation.delegation is Delegation.WELL_KNOWN
    assert session.resolved.secrets == {"homeserver.database_url": Secret(DATABASE)}


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (RAW, ("example.com", "matrix.example.com")),
        (
            {key: value for key, value in RAW.items() if key != "names.client_host"},
            ("example.com", "matrix.example.com"),
        ),
        ({**RAW, "names.client_host": "example.com"}, ("example.com",)),
        ({**RAW, "names.server_name": "example.com:8448"}, ("example.com", "matrix.example.com")),
    ],
)
def test_dns_is_asked_for_every_name_that_was_chosen(
    host: RecordedHost, raw: dict[str, object], names: tuple[str, ...]
) -> None:
    """Also for those that came by default, each once and without its port."""
    assert tuple(name.name for name in begin(host, raw).facts.names) == names


@pytest.mark.parametrize("value", ["", 7, True, ["a", "b"], "https://example.com", "a" * 300, "\x00", None])
def test_a_name_that_is_none_is_an_error_of_the_answers(host: RecordedHost, value: object) -> None:
    """Whatever a file has there: the key is named, and asking DNS for it does not fail first."""
    with pytest.raises(AnswersError) as raised:
        begin(host, {**RAW, "names.server_name": value})
    assert raised.value.where == "names.server_name"


def test_without_any_answer_it_is_said_how_to_give_some(host: RecordedHost) -> None:
    """Not the first question that has none: nobody has answered anything."""
    with pytest.raises(AnswersError, match="no answers in force") as caught:
        begin(host, {})
    assert "--answers FILE" in caught.value.next


def test_the_inputs_of_a_plan_know_what_is_ours(host: RecordedHost) -> None:
    """What the last complete run recorded, the secrets, and the time."""
    root = host.layout.root
    assert Engine(host).carry_on(registered(root, ("file", "text"))) == 0
    inputs = inputs_of(begin(host, RAW))
    assert inputs.ours == {str(root / "file"): host.digest(root / "file")}
    assert inputs.secrets == {"homeserver.database_url": Secret(DATABASE)}
    assert inputs.layout == host.layout
    assert abs(inputs.now - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_timer_starts_the_installed_command() -> None:
    """It outlives an upgrade; where none is installed, the command beside this Python is taken."""
    assert own_command(Path("/usr/local/bin/palpo-installer")) == Path("/usr/local/bin/palpo-installer")
    assert own_command(None) == Path(sys.executable).parent / "palpo-installer"


def test_what_runs_installed_is_known_to_the_facts(host: RecordedHost, tmp_path: Path) -> None:
    """By the history, and not by names of files."""
    assert survey(host).installed == ()
    Engine(host).carry_on(registered(tmp_path, ("file", "text")))
    (installed,) = survey(host).installed or ()
    assert installed.name == "file"
