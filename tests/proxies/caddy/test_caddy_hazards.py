"""What a reload of Caddy could not open is foreseen, on real sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy.control import CaddyControl
from palpo_installer.services import Service


@pytest.mark.parametrize(("bind", "foreseen"), [("", True), ("bind 127.0.0.1", False)])
def test_a_socket_that_cannot_be_opened_is_named(tmp_path: Path, bind: str, foreseen: bool) -> None:
    """All addresses of a port where one is taken; what Caddy itself has stays open over a reload."""
    (tmp_path / "pid").write_text(str(os.getpid()))
    argv = ("caddy", "start", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile")
    service = Service(psutil.Process().name(), "direct", argv=argv, pid_file=tmp_path / "pid")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (tmp_path / "Caddyfile").write_text(f"http://a.example:{port} {{\n\t{bind}\n}}\n")
        found = CaddyControl().hazard(Host(Layout(tmp_path)), service, ())
    if not foreseen:
        assert found == ""
        return
    assert found.startswith(f"0.0.0.0 port {port} ({tmp_path}/Caddyfile:1) cannot be opened: Address already in use")
    assert found.endswith("a reload would fail and leave a part of the new configuration answering")


def test_a_caddy_that_does_not_run_is_not_reloaded(tmp_path: Path) -> None:
    """There is nothing that could go wrong."""
    service = Service("caddy", "direct", argv=("caddy", "start", "--config", "/etc/caddy/Caddyfile"))
    assert CaddyControl().hazard(Host(Layout(tmp_path)), service, ()) == ""
