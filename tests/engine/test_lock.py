"""The lock between real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
