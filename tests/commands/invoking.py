"""Commands on a host that a test brings, and the whole tool as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from palpo_installer.host import Host
from tests.situations import DATABASE

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change a host, or become another user")

ANSWERS = f"""\
version = 1
[names]
server_name = "example.com"
client_host = "matrix.example.com"
base_domain = "ours"
[homeserver]
database_url = "{DATABASE}"
[certificates]
method = "self-signed"
"""


@dataclass(frozen=True)
class Said:
    """What a command said; ``code`` is what it returned, ``error`` what it raised."""

    code: object
    output: str
    stderr: str
    error: BaseException | None


def invoke(command: click.Command, host: Host, *arguments: str | Path, typed: str = "") -> Said:
    """Run one command on a host; ``typed`` answers its questions."""
    result = CliRunner().invoke(command, list(map(str, arguments)), typed, obj=host, standalone_mode=False)
    return Said(result.return_value, result.stdout, result.stderr, result.exception)


def answers(root: Path, text: str = ANSWERS) -> Path:
    """Write a file of answers and return where it is."""
    path = root / "my-answers.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


AS_ANOTHER = """
import codecs, os, sys
from palpo_installer.cli import commands, main
for name in commands.list_commands(None):
    commands.get_command(None, name)
list(map(codecs.lookup, ("idna", "utf-8-sig", "unicode-escape")))
os.setgroups([])
os.setresgid(*[int(sys.argv[1])] * 3)
os.setresuid(*[int(sys.argv[1])] * 3)
del sys.argv[1]
main()
"""
"""The tool, once it is loaded, as a user who may not be able to read the interpreter of root's own home."""


def tool(*arguments: str | Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the tool itself as a process, without a network where we can have that."""
    alone = ("unshare", "--net") if os.geteuid() == 0 and shutil.which("unshare") else ()
    script = ("-m", "palpo_installer") if user is None else ("-c", AS_ANOTHER, str(user))
    return subprocess.run(
        (*alone, sys.executable, *script, *map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
