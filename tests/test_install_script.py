"""``install.sh``, run for real by sh into a prefix of its own; what it installs is a small program that tells."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.script_machine import CHECKOUT, SCRIPT, TELLS, Machine, programs, said, wheel
from tests.terminals import Dialogue


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing is installed yet, with a Python as Debian's without python3-venv (and faster)."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError\n")
    return Machine(tmp_path, {"PYTHONPATH": str(hidden)})


def test_installs_beside_says_first_and_runs_nothing(machine: Machine, tmp_path: Path) -> None:
    """It names source, Python, prefix and command; without a terminal it ends with what to run."""
    done = machine.install(wheel(tmp_path, "1.0"))
    assert done.returncode == 0, done.stderr
    announced = done.stderr.partition("Nothing else on this machine changes")[0]
    assert all(str(part) in announced for part in (tmp_path / "palpo", machine.prefix, machine.command, "Python 3."))
    assert f"{machine.command} apply --answers FILE --yes" in done.stderr
    assert done.stdout == ""
    assert said(machine, "plan").startswith("version 1.0 arguments ['plan']")
    assert machine.command.readlink() == machine.prefix / "current/bin/palpo-installer"


def test_a_rerun_replaces_and_keeps_one_before(machine: Machine, tmp_path: Path) -> None:
    """The link moves to the new environment; the one before stays for a run under way, older ones go."""
    for number in ("1.0", "2.0", "3.0"):
        assert machine.install(wheel(tmp_path, number), "--no-run").returncode == 0
        assert said(machine).startswith(f"version {number}")
        newest = machine.prefix / (machine.prefix / "current").readlink()
        assert newest in machine.environments()
    assert len(machine.environments()) == 2


@pytest.mark.parametrize("broken", ["not a package", "does not start"])
def test_a_failed_upgrade_keeps_the_installed_one(machine: Machine, tmp_path: Path, broken: str) -> None:
    """Whether pip refuses it or it does not start: exit 1, the old version answers, nothing half-made is left."""
    assert machine.install(wheel(tmp_path, "1.0"), "--no-run").returncode == 0
    before = machine.environments()
    bad = wheel(tmp_path, "2.0", "raise SystemExit('broken')\n")
    if broken == "not a package":
        bad.write_text("this is no wheel")
    failed = machine.install(bad, "--no-run")
    assert failed.returncode == 1
    assert "the installed one stays as it was" in failed.stderr
    assert said(machine).startswith("version 1.0")
    assert machine.environments() == before


def test_a_failed_first_install_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    """Neither prefix nor command are there after an installation that failed."""
    failed = machine.install(wheel(tmp_path, "1.0", "raise SystemExit('broken')\n"))
    assert failed.returncode == 1
    assert "nothing was installed" in failed.stderr
    assert not machine.prefix.exists()
    assert not machine.command.is_symlink()


def test_unattended_applies_the_answers(machine: Machine, tmp_path: Path) -> None:
    """``--unattended FILE`` hands the file to apply, without questions; a missing file stops before all else."""
    answers = tmp_path / "answers.toml"
    refused = machine.install(wheel(tmp_path, "1.0"), "--unattended", str(answers))
    assert (refused.returncode, machine.prefix.exists()) == (2, False)
    answers.touch()
    done = machine.install(wheel(tmp_path, "1.0"), "--unattended", str(answers), "--", "--json")
    assert f"arguments ['apply', '--answers', '{answers}', '--yes', '--json']" in done.stdout


def test_demo_is_handed_on_without_a_terminal(machine: Machine, tmp_path: Path) -> None:
    """``--demo`` starts the demo, also where nobody can answer."""
    done = machine.install(wheel(tmp_path, "1.0"), "--demo", "--", "--yes")
    assert "arguments ['demo', '--yes']" in done.stdout


def test_arguments_and_exit_code_are_the_programs(machine: Machine, tmp_path: Path) -> None:
    """What follows ``--`` reaches the program, and its exit code is the script's."""
    program = TELLS + "        sys.exit(3)\n"
    done = machine.install(wheel(tmp_path, "1.0", program), "--", "plan", "--exit-code", "two words")
    assert "arguments ['plan', '--exit-code', 'two words']" in done.stdout
    assert done.returncode == 3


def test_the_wizard_gets_the_terminal_though_the_script_is_a_pipe(machine: Machine, tmp_path: Path) -> None:
    """As in ``curl | sh``: standard input is the script, and the wizard still has the terminal for all three."""
    piped = f"cat {SCRIPT} | sh 2>/dev/null >/dev/null"
    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", piped, "/dev/null"],
        check=False,
        env=machine.variables(wheel(tmp_path, "1.0")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "arguments [] terminal [True, True, True]" in done.stdout


@given(cut=st.integers(0, len(SCRIPT.read_bytes()) - 2), by=st.sampled_from(["dash", "bash"]))
@example(cut=SCRIPT.read_text().rindex("main") + len("main"), by="dash")
@example(cut=SCRIPT.read_text().rindex("exit") + len("exit"), by="dash")
def test_a_download_that_broke_off_runs_nothing(cut: int, by: str) -> None:
    """Wherever it ends, the shell finds no end of the group: no program is started, and no function called."""
    part = SCRIPT.read_bytes()[:cut]
    with tempfile.TemporaryDirectory() as name:
        # Where no program is found a call is an error with a name in it, and a builtin's trace begins with a plus.
        done = subprocess.run(
            [f"/bin/{by}", "-x"], check=False, env={"PATH": name}, input=part, capture_output=True, cwd=name
        )
        assert list(Path(name).iterdir()) == []
    assert done.stdout == b""
    assert b"not found" not in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith(b"+")]


def test_uninstall_removes_only_what_is_ours(machine: Machine, tmp_path: Path) -> None:
    """Environments, link and command go; another file in the prefix stays and is mentioned."""
    assert machine.install(wheel(tmp_path, "1.0"), "--no-run").returncode == 0
    theirs = machine.prefix / "notes.txt"
    theirs.touch()
    done = machine.install(None, "--uninstall")
    assert (done.returncode, list(machine.prefix.iterdir())) == (0, [theirs])
    assert "Other things lie in" in done.stderr
    assert not machine.command.is_symlink()
    assert "is not installed" in machine.install(None, "--uninstall").stderr


@dataclass(frozen=True)
class SetUp:
    """A machine where the program set something up: its record is in a /var/lib of its own."""

    machine: Machine
    state: Path

    def uninstall(self, *options: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``--uninstall``, on a terminal where something is typed there."""
        mounted = f"mount --bind {self.state} /var/lib && exec sh {SCRIPT} --uninstall {' '.join(options)}"
        argv = ["unshare", "--mount", "sh", "-c", mounted]
        if typed is not None:
            argv = ["script", "--quiet", "--return", "--command", f"unshare --mount sh -c '{mounted}'", "/dev/null"]
        return subprocess.run(
            argv,
            check=False,
            env=self.machine.variables(None),
            input=typed or "",
            capture_output=True,
            text=True,
            start_new_session=True,
        )


TAKES_BACK = (
    TELLS
    + """
        if sys.argv[1:] == ["uninstall"] and input("Take all this back? ") == "y":
            os.remove("/var/lib/palpo-installer/runs/0001/plan.json")
"""
)


@pytest.fixture
def set_up(machine: Machine, tmp_path: Path) -> SetUp:
    """A machine with the program, and a record of what it set up."""
    if os.geteuid() != 0:
        pytest.skip("a /var/lib of its own needs root")
    assert machine.install(wheel(tmp_path, "1.0", TAKES_BACK), "--no-run").returncode == 0
    record = tmp_path / "state/palpo-installer/runs/0001/plan.json"
    record.parent.mkdir(parents=True)
    record.touch()
    return SetUp(machine, tmp_path / "state")


def test_uninstall_stops_where_something_is_set_up_and_nobody_is_asked(set_up: SetUp) -> None:
    """Without a terminal, or with --yes on one: it says the command that takes it back, and removes nothing.

    Where the program is not there any more, that is said.
    """
    for options, typed in (((), None), (("--yes",), None), (("--yes",), "y\n")):
        stopped = set_up.uninstall(*options, typed=typed)
        assert stopped.returncode == 1
        told = stopped.stdout + stopped.stderr
        assert f"First take it back: {set_up.machine.command} uninstall --yes" in told
        assert "arguments" not in told
        assert said(set_up.machine).startswith("version 1.0")
    set_up.machine.command.unlink()
    without = set_up.uninstall()
    assert without.returncode == 1
    assert "Install it again, then: palpo-installer uninstall" in without.stderr


def test_uninstall_lets_the_program_take_back_what_it_set_up_first(set_up: SetUp) -> None:
    """On a terminal the program asks there; only when its record is gone, the program goes too."""
    for typed, code in (("n\n", 1), ("y\n", 0)):
        ended = set_up.uninstall(typed=typed)
        assert "arguments ['uninstall'] terminal [True, True, True]" in ended.stdout
        assert (ended.returncode, set_up.machine.command.is_symlink()) == (code, bool(code)), ended.stdout
        assert ("the program stays, as what it set up does" in ended.stdout) is bool(code)


def test_yes_is_for_uninstalling(machine: Machine) -> None:
    """Anywhere else it is refused before anything is done."""
    refused = machine.install(None, "--yes")
    assert refused.returncode == 2
    assert "--yes goes with --uninstall only" in refused.stderr


def test_a_foreign_command_of_that_name_stays(machine: Machine, tmp_path: Path) -> None:
    """A file where the command would go is named, and neither it nor anything else is touched."""
    machine.command.parent.mkdir()
    machine.command.write_text("theirs")
    refused = machine.install(wheel(tmp_path, "1.0"))
    assert refused.returncode == 2
    assert str(machine.command) in refused.stderr
    assert (machine.command.read_text(), machine.prefix.exists()) == ("theirs", False)
    machine.install(None, "--uninstall")
    assert machine.command.read_text() == "theirs"


OLD_PYTHON = '[ "$1" = --version ] && echo "Python 3.9.2"; exit $(( $# > 1 ))'


@pytest.mark.parametrize(
    ("manager", "advice"),
    [
        ("apt_get", "apt-get install -y python3-venv"),
        ("dnf", "dnf install -y python3.12"),
        ("apk", "apk add python3"),
        ("zypper", "zypper --non-interactive install python312"),
        ("pacman", "pacman -S --noconfirm python"),
    ],
)
def test_an_old_python_is_named_with_the_command_that_helps(tmp_path: Path, manager: str, advice: str) -> None:
    """Without a terminal it installs no packages: it says what is there, what to run, and ends with 2."""
    scripts = {"python3": OLD_PYTHON, manager: f"echo ran >{tmp_path}/ran"}
    machine = Machine(tmp_path, {"PATH": programs(tmp_path / "programs", **scripts)})
    refused = machine.install(CHECKOUT)
    assert refused.returncode == 2
    assert "Python 3.9.2" in refused.stderr
    assert advice in refused.stderr
    assert not (tmp_path / "ran").exists()
    assert not machine.prefix.exists()


def test_with_packages_installs_the_missing_python(tmp_path: Path) -> None:
    """``--with-packages`` says the command, runs it, and goes on with the Python it brought."""
    path = programs(tmp_path / "programs", python3=OLD_PYTHON)
    apk = tmp_path / "programs/apk"
    apk.write_text(f"#!/bin/sh\n[ \"$*\" = 'add python3' ] && ln -s {sys.executable} {path}/python3.12\n")
    apk.chmod(0o755)
    (tmp_path / "programs/ln").symlink_to("/usr/bin/ln")
    machine = Machine(tmp_path, {"PATH": path})
    done = machine.install(wheel(tmp_path, "1.0"), "--with-packages", "--no-run")
    assert done.returncode == 0, done.stderr
    assert "Running: apk add python3" in done.stderr
    assert said(machine).startswith("version 1.0")


def test_the_environment_brings_its_own_pip_or_uses_another(machine: Machine, tmp_path: Path) -> None:
    """Where Python has no ensurepip, the pip of that Python or a wheel of pip installs the same."""
    source = wheel(tmp_path, "1.0")
    for name, whole in (("own", Machine(tmp_path / "own")), ("other", machine)):
        done = whole.install(source, "--no-run")
        assert done.returncode == 0, done.stderr
        assert (whole.environments()[0] / "bin/pip").exists() == (name == "own")
        assert said(whole).startswith("version 1.0")


@pytest.fixture
def visible() -> Iterator[Path]:
    """A directory that every user can read and only root can write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: becomes another user")
def test_without_root_it_asks_sudo_or_says_so(visible: Path) -> None:
    """From a file it starts itself again through sudo; from a pipe it says how; nothing is written meanwhile."""
    asked = visible / "asked"
    asked.touch()
    asked.chmod(0o666)
    path = programs(visible / "programs", sudo=f'printf "%s\\n" "$@" >{asked}')
    script = visible / "install.sh"
    script.write_bytes(SCRIPT.read_bytes())
    variables = Machine(visible, {"PATH": path}).variables(None)
    as_nobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh"]

    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*as_nobody, *arguments],
            check=False,
            env=variables,
            input=text,
            capture_output=True,
            text=True,
            start_new_session=True,
        )

    assert run(str(script), "--no-run").returncode == 0
    words = asked.read_text().split()
    assert words[:2] == ["-n", "env"]
    assert words[-3:] == ["sh", str(script), "--no-run"]
    assert f"PALPO_INSTALLER_PREFIX={visible}/opt" in words
    piped = run(text=SCRIPT.read_text())
    assert piped.returncode == 4
    assert "sudo sh" in piped.stderr
    (visible / "programs/sudo").unlink()
    assert run(str(script)).returncode == 4


def released(directory: Path, interface: str, sum_: str) -> Path:
    """Return the script as a release has it, with one bundle."""
    script = directory / "released/install.sh"
    script.parent.mkdir()
    filled = f"RELEASED_AT='https://127.0.0.1:1'\nBUNDLES='\n{sum_} palpo-installer-1.0-{interface}.tar.gz'\n"
    text = SCRIPT.read_text()
    assert "RELEASED_AT=''\nBUNDLES=''\n" in text
    script.write_text(text.replace("RELEASED_AT=''\nBUNDLES=''\n", filled))
    return script


def test_a_release_without_a_bundle_for_this_python_says_so(machine: Machine, tmp_path: Path) -> None:
    """It names the Pythons that it found, offers no packages, and ends with 2 before anything is written."""
    refused = machine.install(None, script=released(tmp_path, "cpython-399-riscv64-linux-gnu", "0" * 64))
    assert refused.returncode == 2
    assert f"brings nothing for {sysconfig.get_config_var('SOABI')}" in refused.stderr
    assert not machine.prefix.exists()


def test_a_bundle_that_cannot_be_fetched_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    """The address is named, with the words of the program that fetched, and nothing was installed."""
    failed = machine.install(None, script=released(tmp_path, sysconfig.get_config_var("SOABI"), "0" * 64))
    assert failed.returncode == 1
    assert "https://127.0.0.1:1/palpo-installer-1.0-" in failed.stderr
    assert "nothing was installed" in failed.stderr
    assert not machine.prefix.exists()


@pytest.mark.parametrize(
    "address", ["http://example.org", "http://localhost.example.org", "http://localhost:x@example.org", "ftp://[::1]/"]
)
def test_a_release_is_fetched_by_https_only(machine: Machine, tmp_path: Path, address: str) -> None:
    """Plain HTTP is for this machine itself; what only looks like it is refused with the address."""
    elsewhere = Machine(tmp_path, {**machine.environment, "PALPO_INSTALLER_URL": address})
    refused = elsewhere.install(None, script=released(tmp_path, "any", "0" * 64))
    assert refused.returncode == 2
    assert address.rstrip("/") in refused.stderr


@pytest.mark.parametrize("arguments", [["--unknown"], ["--unattended"], ["answers.toml"]])
def test_wrong_usage_is_2(machine: Machine, arguments: list[str]) -> None:
    """An option it does not know, or one without its value, ends with 2 before anything is done."""
    refused = machine.install(CHECKOUT, *arguments)
    assert refused.returncode == 2
    assert not machine.prefix.exists()


def test_broken_links_are_refused(machine: Machine, tmp_path: Path) -> None:
    """A checkout from a zip archive, whose links became text, is named before a package without screens is built."""
    source = tmp_path / "checkout"
    source.mkdir()
    (source / "pyproject.toml").touch()
    (source / "palpo_installer").write_text("installer")
    refused = machine.install(source)
    assert refused.returncode == 2
    assert "not as .zip" in refused.stderr


@pytest.fixture
def dependencies(machine: Machine) -> Machine:
    """The machine with this project's dependencies at hand, and what pip needs for building it."""
    site_packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    here = {"PIP_NO_INDEX": "0", "PYTHONPATH": str(site_packages)}
    passed_on = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "_proxy" in name}
    return Machine(machine.directory, passed_on | here)


def test_the_checkout_itself(dependencies: Machine) -> None:
    """The script beside this pyproject.toml builds and installs this project; its dependencies come from here."""
    done = dependencies.install(None, "--", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: palpo-installer")


def test_in_a_terminal_it_ends_in_the_first_question(dependencies: Machine) -> None:
    """``sh install.sh``: the wizard where the terminal can do it, and else plain prompts, which say why."""
    variables = dependencies.variables(None) | {"LC_ALL": "C.UTF-8"}
    with Dialogue(["sh", str(SCRIPT)], variables | {"TERM": "dumb"}) as visit:
        visit.expect("Installing palpo-installer:", 10)
        visit.expect("Plain prompts, since TERM is dumb.", 120)
        # Which question is the first one depends on what this machine runs.
        visit.match(r"^(Answer.*: |Read what the audit found\? .*: )\Z")
        visit.press(b"\x03")
        assert visit.wait() == 2
        assert visit.said.endswith("Stopped. Nothing was changed.\n")
    with Dialogue([str(dependencies.command)], variables | {"TERM": "xterm-256color"}) as visit:
        visit.expect("\x1b[?1049h")
