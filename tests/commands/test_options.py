"""What several commands share: who may do what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from palpo_installer.commands.options import require_history, require_root
from palpo_installer.engine.history import runs
from palpo_installer.errors import NeedsRoot
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.commands.invoking import NOBODY, as_root
from tests.recorded import RecordedHost, Recording


def test_only_root_may_change_a_host(tmp_path: Path) -> None:
    """Others are told the command to try, with exit code 4."""
    with pytest.raises(NeedsRoot, match="apply changes this host and needs root") as raised:
        require_root(RecordedHost(Recording({}, root=False), tmp_path), "apply")
    assert raised.value.next == "Try: sudo palpo-installer apply"
    assert raised.value.exit_code == 4
    require_root(RecordedHost(Recording({}, root=True), tmp_path), "apply")


def test_a_host_without_runs_has_no_history_to_hide(tmp_path: Path) -> None:
    """Nothing there is seen by everybody, and so are runs that we may read."""
    host = Host(Layout(tmp_path))
    require_history(host, "history")
    assert runs(host.layout) == ()
    (host.layout.runs / "0001").mkdir(parents=True)
    require_history(host, "history")
    assert [run.id for run in runs(host.layout)] == ["0001"]


@as_root
def test_runs_that_we_may_not_see_are_said() -> None:
    """Without root an installed host must not look like one without runs."""
    script = (
        "import os, sys, tempfile; from pathlib import Path\n"
        "from palpo_installer.commands.options import require_history\n"
        "from palpo_installer.errors import NeedsRoot; from palpo_installer.host import Host\n"
        "from palpo_installer.layout import Layout\n"
        "with tempfile.TemporaryDirectory() as root:\n"
        "    layout = Layout(Path(root)); os.chmod(root, 0o755)\n"
        "    layout.state.mkdir(parents=True); layout.runs.mkdir(mode=0o700)\n"
        f"    os.seteuid({NOBODY}); os.setreuid({NOBODY}, -1)\n"
        "    try: require_history(Host(layout), 'history')\n"
        "    except NeedsRoot as error: print(error)\n"
        "    os._exit(0)\n"
    )
    said = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True, check=True)
    expected = "the earlier runs on this host can be read by root only. Try: sudo palpo-installer history\n"
    assert said.stdout == expected
    assert os.geteuid() == 0
