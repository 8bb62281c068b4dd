"""What a boot, and a host that goes down, mean for a run: the units, and files that go back without their services."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.engine import boot
from palpo_installer.engine.run import Run
from palpo_installer.layout import Layout
from tests.engine.plans import old_host, plan, records, run
from tests.scripted import ScriptedHost
from tests.trees import tree

COMMAND = Path("/usr/local/bin/palpo-installer")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """They are written as install.sh has it done, and systemd-analyze finds nothing to say about them."""
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing; apt-get install systemd"
    subprocess.run([sys.executable, "-m", boot.__name__, tmp_path, "/bin/true"], check=True)
    paths = sorted(tmp_path.iterdir())
    assert {path.name for path in paths} == {boot.FILES_UNIT, boot.REST_UNIT}
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_files_go_back_before_any_service() -> None:
    """The first unit waits for the disks only, and everything that a proxy or Palpo can be waits for it."""
    text = boot.files_unit(Layout(), COMMAND)
    assert f"ExecStart={COMMAND} recover --files-only\n" in text
    assert "DefaultDependencies=no\n" in text
    assert "After=local-fs.target\n" in text
    before = {name for line in text.splitlines() if line.startswith("Before=") for name in line[7:].split()}
    services = {f"{name}.service" for name in ("nginx", "apache2", "httpd", "caddy", "haproxy", "traefik", "palpo")}
    assert before >= services | {"basic.target"}
    rest = boot.rest_unit(Layout(), COMMAND)
    assert f"After=multi-user.target {boot.FILES_UNIT}\n" in rest
    assert f"{COMMAND} recover ||" in rest


def host(root: Path, state: str | None) -> ScriptedHost:
    """Return a host under systemd, which says in which state it is."""
    (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
    return ScriptedHost(lambda _: state, root)


@pytest.mark.parametrize(
    ("state", "down"), [("stopping\n", True), ("running\n", False), ("!starting", False), (None, False)]
)
def test_systemd_says_that_the_host_goes_down(tmp_path: Path, state: str | None, down: bool) -> None:
    """Only one word means it; a systemd that does not answer is not going down."""
    assert boot.is_going_down(host(tmp_path, state)) is down


def test_without_systemd_nobody_is_asked(tmp_path: Path) -> None:
    """No command runs on a host that systemd does not manage."""
    asked = ScriptedHost(lambda _: "stopping", tmp_path)
    assert not boot.is_going_down(asked)
    assert asked.commands == []


def applied(root: Path) -> tuple[Run, dict[str, object]]:
    """Apply a plan on a small host; return the run, opened again without its end, and how everything was before."""
    etc = old_host(root)
    before: dict[str, object] = dict(tree(etc))
    made = plan(etc)
    run(made, root).apply()
    journal = root / "var/runs/0001/journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    return run(made, root), before


def files_of(root: Path) -> dict[str, object]:
    """Return everything but what the services remember."""
    return {path: state for path, state in tree(root / "etc").items() if not path.startswith("memory")}


def test_before_the_services_only_files_go_back(tmp_path: Path) -> None:
    """No activation runs, the run stays open, and the whole taking back later brings the services too, and its end."""
    opened, before = applied(tmp_path)
    assert opened.put_files_back().result == "files-back"
    assert files_of(tmp_path) == {path: state for path, state in before.items() if not path.startswith("memory")}
    assert (tmp_path / "etc/memory-of-site").read_text() == "new site\n"
    assert records(tmp_path)[-1] == "undone"
    assert opened.take_back("taken-back", "the run was cut off").result == "taken-back"
    assert tree(tmp_path / "etc") == before
    assert records(tmp_path)[-1] == "end"


def test_a_host_that_goes_down_gets_its_files_back(tmp_path: Path) -> None:
    """Whatever made the run take back: no service is told anything, and nothing has its end yet."""
    opened, before = applied(tmp_path)
    opened.bench = replace(opened.bench, host=host(tmp_path, "stopping"))
    outcome = opened.take_back("taken-back", "stopped on request")
    assert (outcome.result, outcome.cause, outcome.exit_code) == ("files-back", "stopped on request", 1)
    assert files_of(tmp_path) == {path: state for path, state in before.items() if not path.startswith("memory")}
    assert (tmp_path / "etc/memory-of-site").read_text() == "new site\n"
    assert "end" not in records(tmp_path)


def test_a_service_that_fails_because_the_host_goes_down_is_no_problem(tmp_path: Path) -> None:
    """The host begins to go down while its services are told: what they could not do waits for the next boot."""
    opened, _ = applied(tmp_path)
    (tmp_path / "etc/memory-of-site").unlink()
    (tmp_path / "etc/memory-of-site").mkdir()
    asked = host(tmp_path, "running")
    asked.answer = lambda _: "stopping" if len(asked.commands) > 3 else "running"
    opened.bench = replace(opened.bench, host=asked)
    outcome = opened.take_back("taken-back", "")
    assert (outcome.result, outcome.problems) == ("files-back", ())
    assert "end" not in records(tmp_path)


def test_a_file_that_somebody_changed_is_named_and_the_run_stays_open(tmp_path: Path) -> None:
    """It is left as it is; that it could not be put back is recorded by the whole taking back later."""
    opened, _ = applied(tmp_path)
    (tmp_path / "etc/other.conf").write_text("somebody else\n")
    outcome = opened.put_files_back()
    assert outcome.exit_code == 5
    assert "other.conf: was changed by somebody else" in outcome.problems[0]
    assert (tmp_path / "etc/site.conf").read_text() == "old site\n"
    assert "end" not in records(tmp_path)
