"""The wizard where nginx has the ports and another proxy is chosen, by keys: what would have to happen; a change."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.screen import Terminal
from tests.lab.test_switching import PROGRAMS, lone, masters
from tests.lab.test_wizard import DATABASE, SMALL, is_whole

__all__ = ["lone"]

LABELS = {"apache": "Apache HTTP Server", "caddy": "Caddy", "haproxy": "HAProxy"}
WHY = {"haproxy": "HAProxy loads single files only"}
"""What keeps a plan from being made before the ports do: without a unit only a running HAProxy shows a directory."""

TITLES = {"apache": "Apache", "caddy": "Caddy", "haproxy": "HAProxy"}


def to_the_proxies(terminal: Terminal) -> None:
    """Answer the names up to the question for the proxy."""
    terminal.until("[Names]", "> Server name")
    terminal.type("example.com")
    terminal.until("@you:example.com", "matrix.example.com")
    for question in ("> Host that clients", "> Who serves", "> Reverse proxy"):
        terminal.press("Enter")
        terminal.until(question)


def choose(terminal: Terminal, label: str) -> None:
    """Choose below what is chosen in the question that is pointed at, one step after the other."""
    while not (here := chosen(terminal.text())).startswith(label):
        terminal.press("Down")
        terminal.until_holds(lambda shown, here=here: chosen(shown) not in {"", here}, f"what follows {here}")  # type: ignore[misc]


def until_said(terminal: Terminal, words: str) -> str:
    """Wait until a sentence is on the screen, on however many lines, and return the screen."""
    return terminal.until_holds(lambda shown: words in " ".join(shown.split()), words)


def chosen(shown: str) -> str:
    """Return what is chosen in the question that the screen points at, empty for none."""
    found = re.search(r"^ > .*?\(\*\) (.*?)$", shown, re.MULTILINE | re.DOTALL)
    return found[1].rstrip() if found else ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(LABELS))
def test_what_another_proxy_would_take_is_said_where_it_is_chosen(host: ThrowAwayHost, kind: str) -> None:
    """Each choice has beside it what it serves; the sites in the way are counted, and no plan is made over them."""
    require_programs(*PROGRAMS.values())
    services.start_nginx(host)
    host.write("/etc/caddy/Caddyfile", "# nothing yet\n")
    before = host.snapshot()
    terminal = Terminal(host, *SMALL)
    terminal.run(host.command)
    terminal.until("Set up Palpo behind nginx")
    terminal.press("Enter")
    to_the_proxies(terminal)
    terminal.until(
        "(*) nginx               has ports 80 and 443 now; 2 sites", "( ) Caddy               stopped; no site"
    )
    choose(terminal, LABELS[kind])
    new = TITLES[kind]
    said = f"so that {new} can serve Palpo, move these sites to {new}, or to other ports, or stop nginx with all that"
    is_whole(until_said(terminal, f"{said} it serves."), SMALL[0])
    terminal.press("F10")
    terminal.until("[Federation]", "! port 443 is held by nginx (process", f"{TITLES[kind]} needs it")
    terminal.press("F10")
    terminal.until("[Certificates]", "> Where certificates come from")
    choose(terminal, "an authority of this host")
    terminal.press("F10")
    terminal.until("[Homeserver]", "> URL of Palpo's PostgreSQL database")
    terminal.type(DATABASE)
    terminal.until_holds(lambda shown: "File that holds the URL" not in shown, "the question that is left out")
    terminal.press("F10")
    refused = terminal.until("[Review]", "No plan can be made", "esc Back", timeout=60)
    assert WHY.get(kind, "nginx serves 2 other sites, which nobody would answer for then") in " ".join(refused.split())
    assert host.snapshot() == before


@pytest.mark.slow
def test_a_proxy_that_has_the_ports_for_palpo_alone_leaves_them(lone: ThrowAwayHost) -> None:
    """On a rerun the question says that it changes over by itself, nothing stands in the way, and so it is."""
    host = lone
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    terminal = Terminal(host, *SMALL)
    terminal.run(host.command)
    terminal.until("> Reconfigure")
    terminal.press("Enter")
    terminal.until("[Names]", "@you:example.com")
    for _ in range(3):
        terminal.press("Tab")
    terminal.until("> Reverse proxy", "(*) nginx               has ports 80 and 443 now; no site beside ours")
    terminal.press("Down")
    until_said(
        terminal, "for Palpo alone. Apache is made ready first, then nginx leaves them to it: nobody answers for a"
    )
    is_whole(until_said(terminal, "moment, mostly less than a second."), SMALL[0])
    terminal.press("F10")
    terminal.until("[Federation]", "port 443: nginx leaves it to Apache")
    for step in ("[Certificates]", "[Homeserver]", "[Review]"):
        terminal.press("F10")
        terminal.until(step, timeout=60)
    terminal.until("press a to apply", timeout=60)
    terminal.press("a")
    terminal.until("Done: the changes are made and proven.", timeout=120)
    assert masters(host) == {"apache2"}
