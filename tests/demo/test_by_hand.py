"""Commands to copy: they name the made-up host, and nothing of this machine."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from palpo_installer.cli import commands
from palpo_installer.demo.by_hand import curl, tool
from palpo_installer.layout import Layout

LAYOUT = Layout(Path("/tmp/demo"), 10080, 10443, ("127.0.0.1",), private=True)


def test_the_tool_is_told_which_host() -> None:
    """Without --root a rollback would be one of this machine; the command is one that there is."""
    words = shlex.split(tool(LAYOUT, "rollback 0001"))
    assert words == ["palpo-installer", "--root", "/tmp/demo", "rollback", "0001"]
    assert words[3] in commands.list_commands(click.Context(commands))


def test_curl_asks_no_name_server_and_trusts_the_hosts_own_authority() -> None:
    """The name leads to loopback by the command itself."""
    words = shlex.split(curl(LAYOUT, "matrix.example.com", "/x", "--head"))
    assert words[1:4] == ["--head", "--cacert", "/tmp/demo/etc/palpo-installer/self-signed/authority.pem"]
    assert words[-2:] == ["matrix.example.com:10443:127.0.0.1", "https://matrix.example.com:10443/x"]
