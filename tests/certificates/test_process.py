"""The child process, seen from its parent; with a CA: tests/lab/test_certificates.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.certificates import process
from palpo_installer.certificates.process import Ended, Watch, run
from palpo_installer.certificates.protocol import Result, parse
from palpo_installer.certificates.workplace import Workplace, is_busy, wait_until_idle
from palpo_installer.errors import HostError, Interrupted, TimedOut
from palpo_installer.layout import Layout


def renew_nothing(layout: Layout, watch: Watch) -> Ended:
    """Let the child look for certificates to renew, of which there are none."""
    place = Workplace.of(layout)
    place.prepare()
    return run(("--", "renew", *place.arguments()), place.environment(None, ""), place, watch)


def stop() -> None:
    """Ask a run to stop."""
    raise Interrupted("asked to stop")


def test_it_is_busy_before_its_first_instruction(tmp_path: Path) -> None:
    """No moment between the start of the child and its end looks idle, long before certbot takes its own lock."""
    layout, busy = Layout(root=tmp_path), list[bool]()
    watch = Watch(lambda _: None, lambda: busy.append(is_busy(layout)))
    assert not is_busy(layout)
    assert renew_nothing(layout, watch) == Ended(Result("done"), None)
    assert busy[0]
    assert not is_busy(layout)


def test_only_one_at_a_time(tmp_path: Path) -> None:
    """A second child is not started beside one that works, and what the first tells is not touched."""
    layout, errors = Layout(root=tmp_path), list[str]()

    def second() -> None:
        if not errors:
            with pytest.raises(HostError, match="certbot cannot be started") as refused:
                renew_nothing(layout, Watch(lambda _: None, lambda: None))
            errors.append(str(refused.value))

    assert renew_nothing(layout, Watch(lambda _: None, second)).result == Result("done")
    assert len(errors) == 1


def test_what_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its limit the child is ended with all that belongs to it, and that is said."""
    monkeypatch.setattr(process, "LIMIT", 0)
    layout = Layout(root=tmp_path)
    with pytest.raises(TimedOut, match="did not end within 0 seconds"):
        renew_nothing(layout, Watch(lambda _: None, lambda: None))
    assert not is_busy(layout)


def test_a_run_that_stops_waits_for_the_child(tmp_path: Path) -> None:
    """The result is there although the run was asked to stop at once, and so is the wish to stop."""
    ended = renew_nothing(Layout(root=tmp_path), Watch(lambda _: None, stop))
    assert ended.result == Result("done")
    assert isinstance(ended.asked, Interrupted)


def test_it_goes_on_when_the_run_waits_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time of grace the run stops and the child ends well by itself."""
    monkeypatch.setattr(process, "GRACE", 0)
    layout = Layout(root=tmp_path)
    with pytest.raises(Interrupted):
        renew_nothing(layout, Watch(lambda _: None, stop))
    wait_until_idle(layout, timeout=30)
    assert parse(Workplace.of(layout).lines.read_text()) == Result("done")
