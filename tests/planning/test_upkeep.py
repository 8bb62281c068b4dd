"""The renewal timer and the saved answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers_file import load
from palpo_installer.certificates.timer import ActivateTimer
from palpo_installer.changes import Plan
from palpo_installer.operations.files import MakeDirectory, WriteFile
from palpo_installer.planning.inputs import EDITED, Inputs
from palpo_installer.planning.upkeep import NO_CRON, saved_answers, timer
from palpo_installer.questions import resolve
from tests.planning.made import COMMAND, again, carry_out, inputs_on, without_activations
from tests.situations import DATABASE


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for a host with systemd is made from."""
    return inputs_on(tmp_path)


def without_systemd(inputs: Inputs, *programs: str) -> Inputs:
    """Return inputs of a host with these programs and no systemd."""
    host = inputs.host
    known = {program: f"/usr/sbin/{program}" for program in programs}
    host.recording = replace(host.recording, programs=known)  # type: ignore[attr-defined]
    return replace(inputs, facts=replace(inputs.facts, system=replace(inputs.facts.system, init="none")))


def texts(inputs: Inputs) -> dict[str, str]:
    """Return the planned files by name."""
    (change,), _, _ = timer(inputs)
    return {each.path.name: each.text.shown for each in change.operations if isinstance(each, WriteFile)}


def test_systemd_gets_a_timer_and_its_service(inputs: Inputs) -> None:
    """Their directory where it is missing, both units, and the timer is started."""
    (change,), _, findings = timer(inputs)
    etc = inputs.layout.at("/etc/systemd")
    assert change.operations[:2] == (MakeDirectory(etc, 0o755), MakeDirectory(etc / "system", 0o755))
    units = texts(inputs)
    assert set(units) == {"palpo-installer-renew.service", "palpo-installer-renew.timer"}
    assert f"{COMMAND} " in units["palpo-installer-renew.service"]
    assert change.activation == ActivateTimer("systemd")
    assert findings == ()


@pytest.mark.parametrize(("programs", "findings"), [(("cron",), ()), (("crond",), ()), ((), (NO_CRON,))])
def test_without_systemd_it_is_a_cron_job(inputs: Inputs, programs: tuple[str, ...], findings: tuple[str, ...]) -> None:
    """Written all the same where no cron runs, and then the person is told."""
    host = without_systemd(inputs, *programs)
    (change,), _, told = timer(host)
    assert set(texts(host)) == {"palpo-installer"}
    assert change.activation == ActivateTimer("cron")
    assert told == findings


def test_a_timer_that_is_there_needs_nothing(inputs: Inputs) -> None:
    """Once written, both units are as they should be; an edited one stays."""
    carry_out(without_activations(Plan((), timer(inputs)[0], (), (), ())), inputs)
    changes, unchanged, _ = timer(again(inputs))
    assert changes == ()
    assert len(unchanged) == 2
    unit = inputs.layout.systemd / "palpo-installer-renew.timer"
    unit.write_text(unit.read_text().replace("3h", "1h"))
    changes, unchanged, _ = timer(again(inputs))
    assert changes == ()
    assert [entry.reason for entry in unchanged if entry.subject == str(unit)] == [EDITED]


def test_answers_are_kept_for_the_next_run(inputs: Inputs) -> None:
    """For root alone, with the password in the file and not in the plan; read back they are the same answers."""
    changes, _ = saved_answers(inputs)
    directory, operation = changes[0].operations
    assert directory == MakeDirectory(inputs.layout.etc, 0o700)
    assert isinstance(operation, WriteFile)
    assert operation.mode == 0o600
    assert DATABASE not in operation.text.shown
    carry_out(Plan((), changes, (), (), ()), inputs)
    assert inputs.layout.answers.stat().st_mode & 0o777 == 0o600
    raw = load(inputs.layout.answers)
    assert raw["homeserver.database_url"] == DATABASE
    assert resolve(raw, inputs.facts, inputs.layout).answers == inputs.answers
    assert saved_answers(again(inputs))[0] == ()


@pytest.mark.parametrize(("written", "shown"), [(DATABASE, "<secret>"), ("postgres://a:b@c/d", "<secret: changed>")])
def test_a_secret_that_stays_is_not_shown_as_changed(inputs: Inputs, written: str, shown: str) -> None:
    """Something else in answers.toml differs; of its password only another one is said to be new."""
    carry_out(Plan((), saved_answers(inputs)[0], (), (), ()), inputs)
    former = inputs.layout.answers.read_text().replace(DATABASE, written).replace("16MiB", "8MiB")
    inputs.layout.answers.write_text(former)
    ((operation,),) = (change.operations for change in saved_answers(again(inputs))[0])
    difference = operation.describe(inputs.host).diff
    assert '+max_upload_size = "16MiB"' in difference
    assert ("+database_url" in difference) is (shown != "<secret>")
    assert shown == "<secret>" or f'+database_url = "{shown}"' in difference


def test_a_directory_that_is_there_is_not_made(inputs: Inputs) -> None:
    """Only the file is written then."""
    inputs.layout.etc.mkdir(parents=True)
    (change,), _ = saved_answers(inputs)
    assert [type(operation) for operation in change.operations] == [WriteFile]


def test_a_private_copy_has_a_cron_of_its_own_where_it_has_the_directory(inputs: Inputs) -> None:
    """The programs of this machine run nothing there."""
    host = without_systemd(inputs, "cron")
    host.host.layout = replace(host.layout, private=True)
    assert timer(host)[2] == (NO_CRON,)
    host.layout.cron.mkdir(parents=True)
    assert timer(host)[2] == ()


def test_what_explains_a_secret_is_shown_and_a_secret_is_not(inputs: Inputs) -> None:
    """Our own comments speak of tokens and keys; what a person noted in a comment is hidden, also beside ours."""
    ((_, first),) = (change.operations for change in saved_answers(inputs)[0])
    for explained in (
        "# Token for registration",
        "# registration_token_file = ",
        "# File with the key id and HMAC key",
    ):
        assert f"+{explained}" in first.describe(inputs.host).diff
    assert "# <secret" not in first.describe(inputs.host).diff
    carry_out(Plan((), saved_answers(inputs)[0], (), (), ()), inputs)
    note = '# Token for registration was sunflower\n# registration_token = "daffodil"\n# hunter2 it is'
    noted = inputs.layout.answers.read_text().replace("# Token for registration", note).replace("16MiB", "8MiB")
    inputs.layout.answers.write_text(noted)
    ((second,),) = (change.operations for change in saved_answers(again(inputs))[0])
    difference = second.describe(inputs.host).diff
    assert "+# Token for registration" in difference
    assert "-# <secret>" in difference
    assert not any(secret in difference for secret in ("sunflower", "daffodil", "hunter2"))
