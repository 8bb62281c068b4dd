"""The demonstration as a whole, as a process in a clean environment; as other users and with a person in tests/lab."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from palpo_installer.engine.history import runs
from palpo_installer.layout import Layout
from tests.demo.telling import STEPS, parts
from tests.lab.running import on_a_machine_at_work, until

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def started(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start it without a terminal, in an environment with next to nothing in it."""
    assert shutil.which("nginx", path="/usr/sbin:/usr/bin"), "nginx is missing; apt-get install nginx"
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(directory), "HOME": "/nowhere", "PYTHONPATH": str(CHECKOUT)}
    argv = [sys.executable, "-m", "palpo_installer", "demo", *arguments]
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd="/",
        start_new_session=True,
    ) as process:
        yield process


def left(directory: Path) -> list[str]:
    """Return the processes that know the directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        found += [words] if f"{directory}/" in words else []
    return found


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read lines until one has these words; return all of them."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"{words} was not said: {said}")


def test_it_goes_the_whole_way_by_itself(tmp_path: Path) -> None:
    """Every step with its proof, in under a minute; run 2 was taken back by itself, run 1 on request; none is left."""
    began = time.monotonic()
    with started(tmp_path, "--keep") as process:
        said, _ = process.communicate(timeout=on_a_machine_at_work(90))
    assert process.returncode == 0, said
    assert time.monotonic() - began < on_a_machine_at_work(60)
    told = parts(said)
    assert list(told) == list(STEPS)
    assert all("   proof  " in text for text in told.values())
    (root,) = tmp_path.iterdir()
    assert f"stay: {root}" in " ".join(said.split())
    first, second = runs(Layout.below(root))
    assert (first.result, second.result) == ("rolled-back", "taken-back")
    assert re.search(r"could not listen on 127\.0\.0\.1:\d+48: Address already in use, held by", second.cause)
    assert not list(root.rglob("*zz-palpo-installer*"))
    assert left(tmp_path) == []


def test_a_neighbour_that_changes_is_noticed(tmp_path: Path) -> None:
    """A claim that does not hold is shown, ends it with exit code 1, and still nothing is left."""
    with started(tmp_path) as process:
        read_until(process, "1. ")
        (root,) = tmp_path.iterdir()
        (root / "var/www/shop/index.html").write_text("The shop is closed.\n")
        said, _ = process.communicate(timeout=on_a_machine_at_work(90))
    assert process.returncode == 1
    assert "   FAIL   " in said
    assert "the demonstration did not show what it should" in said
    assert (list(tmp_path.iterdir()), left(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)], ids=["TERM", "HUP", "INT"]
)
def test_broken_off_it_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """In the middle of the apply: the engine takes back, the programs end, the directory goes."""
    with started(tmp_path) as process:
        read_until(process, "done  Reload nginx")
        process.send_signal(number)
        process.communicate(timeout=on_a_machine_at_work(60))
    assert process.returncode == code
    until(lambda: left(tmp_path) == [], "the end of all processes")
    assert list(tmp_path.iterdir()) == []
