"""The command demo: who is talked to, and what is said without nginx."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from palpo_installer.commands import demonstrating
from palpo_installer.commands.demonstrating import demo, talk, without_input
from palpo_installer.host import Host
from palpo_installer.terminal import Mode
from tests.commands.invoking import invoke


@contextmanager
def standard_input(path: str | None) -> Iterator[None]:
    """Let standard input be a file, or closed."""
    kept = os.dup(0)
    try:
        if path is None:
            os.close(0)
        else:
            opened = os.open(path, os.O_RDONLY)
            os.dup2(opened, 0)
            os.close(opened)
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@pytest.mark.parametrize(("path", "given_up"), [("/dev/null", True), ("/dev/zero", False), (None, True)])
def test_dev_null_is_a_wish_not_to_be_asked(path: str | None, given_up: bool) -> None:
    """Somebody who writes </dev/null wants no wizard on the terminal that could still be opened."""
    with standard_input(path):
        found = without_input()
    assert found is given_up


def test_each_way_to_talk_has_its_conversation() -> None:
    """Nobody is talked to without a terminal."""
    assert talk(Mode.NONE) is None
    assert len({talk(mode) for mode in Mode}) == 3


def test_without_nginx_it_is_exit_2_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setattr(Host, "which", lambda _host, _program: None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said = invoke(demo, Host(), "--yes")
    assert said.error is not None
    assert getattr(said.error, "exit_code", None) == 2
    assert "Install its package nginx" in str(said.error)
    assert list(tmp_path.iterdir()) == []
    assert demonstrating.GREETING[:20] in said.output
