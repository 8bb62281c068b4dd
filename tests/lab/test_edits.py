"""Edits by hand on a real nginx: kept through reruns, given up by choice, and named when they break it."""

from __future__ import annotations

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.screen import Terminal
from tests.lab.test_wizard import go

SITES = "/etc/nginx/sites-available"
PLAIN, TLS = f"{SITES}/zz-palpo-installer-http.conf", f"{SITES}/zz-palpo-installer-tls.conf"
LARGER = ("--set", "homeserver.max_upload_size=20MiB")
BY_HAND = "    add_header X-By-Hand yes always;"


def edit(host: ThrowAwayHost, line: str) -> None:
    """Put a line below the server name of the first virtual host with TLS, and let nginx take it up."""
    host.output(["sed", "-i", f"0,/server_name/s|.*server_name.*|&\\n{line}|", TLS])
    services.reload_nginx(host)


@pytest.mark.slow
def test_an_edit_is_kept_by_reruns_chosen_in_the_wizard_and_given_up_by_a_rollback(nginx: ThrowAwayHost) -> None:
    """It is served after a rerun; space gives it up with a copy; the rollback asks before it gives one up."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    edit(host, BY_HAND)
    applied = host.tool("apply", *LARGER, "--yes")
    assert applied.returncode == 0, applied.stdout
    assert f"{TLS}: your edit stays" in applied.stdout
    assert "client_max_body_size 20971520;" in host.read(TLS)
    asked = "https://matrix.example.com/nothing"
    assert "X-By-Hand: yes" in ways.fetch(host, asked, "--insecure")

    terminal = Terminal(host, 120, 40)
    terminal.run(host.command)
    terminal.until("> Reconfigure")
    terminal.press("Enter")
    for step in ("[Names]", "[Federation]", "[Certificates]", "[Homeserver]"):
        terminal.until(step, "> ")
        terminal.press("F10")
    terminal.until("[Review]", "Edited by hand since the last run", "e Edits", timeout=60)
    terminal.press("e")
    terminal.until(f"[ ] give up the edit of {TLS}", f"+{BY_HAND}")
    terminal.press("Space")
    terminal.until(f"[x] give up the edit of {TLS}")
    terminal.press("Enter")
    terminal.until("[Review]", "your edit is given up", timeout=60)
    terminal.press("a")
    result = terminal.until("Done: the changes are made and proven.", timeout=120)
    assert "was given up" in result
    assert BY_HAND not in host.read(TLS)
    copies = host.output(["grep", "-rl", "X-By-Hand", "/var/lib/palpo-installer/runs/0003/copies"]).split()
    assert len(copies) == 1
    terminal.press("Enter")

    edit(host, BY_HAND.replace("yes", "again"))
    go(terminal, "Roll back run 0003")
    terminal.until("Take back run 0003?")
    terminal.press("y")
    terminal.until("These files were edited by hand since:", TLS)
    terminal.press("n")
    go(terminal, "Roll back run 0003")
    terminal.press("y")
    terminal.until("These files were edited by hand since:")
    terminal.press("y")
    terminal.until("Rolled back: everything is as it was", timeout=60)
    assert "client_max_body_size 20971520;" in host.read(TLS)
    assert BY_HAND in host.read(TLS)
    assert "By-Hand again" not in host.read(TLS)
    assert host.tool("rollback", "1", "--yes").returncode == 1
    assert host.tool("rollback", "1", "--yes", "--discard-edits").returncode == 0
    assert ways.untouched(before, host) == {}


def test_an_edit_that_does_not_load_is_named_and_left(nginx: ThrowAwayHost) -> None:
    """The rerun is taken back, and the line is told, and that it is an edit."""
    host = nginx
    ways.prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    host.output(["sed", "-i", "0,/server_name/s|.*server_name.*|&\\n    no_such_directive on;|", TLS])
    before = host.snapshot()
    failed = host.tool("apply", *LARGER, "--yes")
    assert failed.returncode == 1, failed.stdout
    assert (
        'unknown directive "no_such_directive", in our own file with your edit in it, which may be why' in failed.stdout
    )
    assert ways.untouched(before, host) == {}
