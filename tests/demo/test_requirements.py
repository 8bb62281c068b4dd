"""nginx for the demonstration: taken where it is, installed where that is wished, and else said how."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from palpo_installer.demo import requirements
from palpo_installer.demo.requirements import installing, nginx
from palpo_installer.errors import AnswersError, HostError
from tests.recorded import RecordedHost, Recording

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="somebody else needs sudo for packages")


def host(root: Path, *programs: str) -> RecordedHost:
    """Return a machine with these programs."""
    return RecordedHost(Recording({}, programs={name: f"/usr/bin/{name}" for name in programs}), root)


def test_the_one_that_is_there_is_used(tmp_path: Path) -> None:
    """Nobody is asked and nothing is said."""
    said: list[str] = []
    assert nginx(host(tmp_path, "nginx", "apt-get"), None, said.append, install=True) == Path("/usr/bin/nginx")
    assert said == []


@pytest.mark.parametrize("agree", [None, lambda _: False])
def test_without_a_yes_it_says_exactly_what_to_install(tmp_path: Path, agree: Callable[[str], bool] | None) -> None:
    """Nothing is run; exit code 2, the command, and the option for a machine."""
    said: list[str] = []
    with pytest.raises(AnswersError) as caught:
        nginx(host(tmp_path, "apt-get"), agree, said.append, install=False)
    assert caught.value.exit_code == 2
    assert "apt-get install --yes --no-install-recommends nginx" in str(caught.value)
    assert "--install-nginx" in str(caught.value)
    assert any("port 80" in line for line in said)
    assert not any(line.startswith("Running") for line in said)


def test_a_machine_without_a_known_package_manager_is_told_the_package(tmp_path: Path) -> None:
    """Also when it may be installed: there is nothing to run."""
    with pytest.raises(AnswersError, match="Install its package nginx"):
        nginx(host(tmp_path), None, lambda _: None, install=True)


@as_root
@pytest.mark.parametrize("manager", requirements.MANAGERS)
def test_each_distribution_has_its_command(tmp_path: Path, manager: str) -> None:
    """The last one names the package; root needs no help, and no command waits for an answer."""
    commands = installing(host(tmp_path, manager, "sudo"), asked=False)
    assert commands[-1][0] == manager
    assert commands[-1][-1] == "nginx"
    assert any(word in commands[-1] for word in ("--yes", "--assumeyes", "--non-interactive", "add", "--noconfirm"))


@as_root
def test_others_ask_sudo_or_doas(tmp_path: Path) -> None:
    """For a password only where somebody is there to type it."""
    os.seteuid(65534)
    try:
        found = [
            installing(host(tmp_path, "apk", *helpers), asked=asked)[0][:2]
            for helpers, asked in ((("sudo",), True), (("doas",), False), ((), False))
        ]
    finally:
        os.seteuid(0)
    assert found == [("sudo", "apk"), ("doas", "-n"), ("apk", "add")]


@as_root
@pytest.mark.parametrize(("program", "words"), [("false", "status 1"), ("true", "though its package was installed")])
def test_an_installation_that_does_not_work_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    """A command that fails, and one that succeeds without bringing nginx."""
    monkeypatch.setitem(requirements.MANAGERS, "apt-get", ((program,),))
    asked: list[str] = []

    def agree(question: str) -> bool:
        asked.append(question)
        return True

    with pytest.raises(HostError, match=words):
        nginx(host(tmp_path, "apt-get"), agree, lambda _: None, install=False)
    assert len(asked) == 1
