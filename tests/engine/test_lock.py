"""The lock between real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from palpo_installer.engine import lock
from palpo_installer.engine.lock import hold, is_free
from palpo_installer.errors import Locked
from palpo_installer.layout import Layout

HOLDER = """
import sys
from pathlib import Path
from palpo_installer.engine.lock import hold
from palpo_installer.layout import Layout
with hold(Layout(root=Path(sys.argv[1])), "run 0042"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_told_who_holds_it(tmp_path: Path) -> None:
    """While one process holds the lock another one gets Locked, exit code 7 and the holder's name."""
    layout = Layout(root=tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(layout)
        with pytest.raises(Locked, match="run 0042") as raised, hold(layout, "mine"):
            pass
        assert raised.value.exit_code == 7
        holder.kill()
    assert is_free(layout)
    with hold(layout, "mine"):
        assert not is_free(layout)


def test_it_is_free_where_nothing_ever_ran(tmp_path: Path) -> None:
    """Asking makes no files."""
    assert is_free(Layout(root=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_file_that_was_deleted_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An uninstall deletes it at its end: who opened it before would be alone with a file that nobody else finds."""
    layout = Layout(root=tmp_path)
    taken = lock._taken

    def late(descriptor: int) -> bool:
        layout.lock.unlink()
        return taken(descriptor)

    monkeypatch.setattr(lock, "_taken", late)
    with pytest.raises(Locked), hold(layout, "mine"):
        pass
