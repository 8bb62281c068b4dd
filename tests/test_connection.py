"""Whether the person could lose the way to the host: by the environment, and by what a process descends from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from palpo_installer.connection import over_ssh

LOOK = "from palpo_installer.connection import is_remote; print(is_remote())"


@pytest.mark.parametrize(
    ("environment", "ancestors", "remote"),
    [
        ({"SSH_CONNECTION": "192.0.2.1 50000 198.18.0.10 22"}, ["bash", "tmux: server", "systemd"], True),
        ({"SSH_TTY": "/dev/pts/0"}, [], True),
        ({}, ["sudo", "bash", "sshd", "sshd", "systemd"], True),
        ({}, ["doas", "sh", "sshd-session", "sshd"], True),
        ({"SSH_CONNECTION": ""}, ["bash", "login", "systemd"], False),
        ({}, [], False),
    ],
)
def test_what_a_session_over_ssh_looks_like(environment: dict[str, str], ancestors: list[str], remote: bool) -> None:
    """Also under sudo, which takes the variables away; a console is none."""
    assert over_ssh(environment, ancestors) is remote


def test_a_real_process_is_found_by_what_it_descends_from(tmp_path: Path) -> None:
    """With an empty environment, below a process that is called sshd."""
    server = tmp_path / "sshd"
    server.write_text('#!/bin/sh\n"$@"\nexit $?\n')
    server.chmod(0o755)
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    said = subprocess.run(
        [server, sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, env=environment
    )
    assert said.stdout == "True\n"
