"""Every screen as a picture, in two sizes. PALPO_UPDATE_SNAPSHOTS=1 draws them anew; look at what changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from palpo_installer.conversation import PAGES, talk
from palpo_installer.layout import Layout
from palpo_installer.packages.catalogue import OFFERS
from palpo_installer.packages.installing import Preview
from palpo_installer.screens.apply import Apply
from palpo_installer.screens.asides import Seen, aside
from palpo_installer.screens.form import Form
from palpo_installer.screens.found import Found
from palpo_installer.screens.frame import Help, Sure
from palpo_installer.screens.installing import Offers
from palpo_installer.screens.overview import Past, overview
from palpo_installer.screens.progress import Line, Progress
from palpo_installer.screens.result import Outcome
from palpo_installer.screens.review import Review, SaveAs
from tests.screens.piloted import SMALL, WIDE, Stage, show, text
from tests.screens.test_overview import run
from tests.situations import facts, name, nginx_with

SNAPSHOTS = Path(__file__).parent / "snapshots"
GIVEN: dict[str, object] = {
    "names.server_name": "example.com",
    "federation.delegation": "srv",
    "homeserver.max_upload_size": "lots",
}
DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
REVIEW = """\
What will happen
  Accounts are named @user:example.com, and that is for ever.
  Clients talk to https://matrix.example.com, which nginx passes to Palpo at 127.0.0.1:8008.

Changes, in this order; if one does not work out, all are taken back
 1. plain HTTP on port 80
    - write /etc/nginx/sites-available/zz-palpo-installer-http.conf
        mode 0644

Differences
--- /etc/palpo/palpo.toml (now)
+++ /etc/palpo/palpo.toml (then)
@@ -1,2 +1,2 @@
 server_name = "example.com"
-listen_addr = "0.0.0.0:8008"
+listen_addr = "127.0.0.1:8008"
"""
RESULT = """\
Run 0001, 2026-01-02 03:04 UTC
Done: the changes are made and proven.

What the outside sees
  20 checks: 1 fail, 19 pass
  FAIL homeserver, 127.0.0.1:8008: Palpo does not answer at 127.0.0.1:8008 (refused).
       Start it (`systemctl start palpo` where it is a unit) and read its log (`journalctl -u palpo`).

To go back: palpo-installer rollback 0001
"""
LINES = (
    Line("0", "write /etc/nginx/sites-available/zz-palpo-installer-http.conf", "done", "", 0.04),
    Line("1", "link /etc/nginx/sites-enabled/zz-palpo-installer-http.conf to ../sites-available", "done", "", 0.01),
    Line("activation 0", "Reload nginx", "problem", "", 2.3),
    Line("2", "order a certificate for matrix.example.com"),
)


def found() -> Found:
    """Return the first screen after a run that was cut off."""
    past = Past((run("0001", "applied"), run("0002", "interrupted")))
    return Found(overview(facts(nginx=nginx_with("example.com")), past, Layout()))


def page(number: int) -> Callable[[], Form]:
    """Return a page of the conversation, in which one answer is wrong."""

    def made() -> Form:
        seen = facts(names=(name("matrix.example.com", "203.0.113.5"), name("example.com")))
        terms = {DIRECTORY: "The terms: https://letsencrypt.org/documents/LE-SA-v1.6.pdf"}
        now = Seen(GIVEN, talk(GIVEN, seen, Layout()), seen, Layout(), terms)
        return Form(PAGES[number], now.talk, aside(PAGES[number], now), pressing=number == 3)

    return made


def offers() -> Offers:
    """Return the screen of a host without any proxy: one that is installed here, and one by hand."""
    return Offers(
        (
            Preview(OFFERS[0], "apt-get install nginx", ("nginx",), "", ()),
            Preview(OFFERS[1], "dnf install caddy", (), "palpo-installer does not drive dnf yet", ()),
        )
    )


def applying() -> Apply:
    """Return the screen of a run that fails; its engine says nothing more."""
    return Apply(
        "Run 0001", Progress(LINES, waiting="nginx to answer on 4 addresses"), lambda _show, _watched: None, print
    )


def waiting() -> Apply:
    """Return the screen of a run that waits to be confirmed; the deadline has passed, so that it shows no seconds."""
    lines = tuple(replace(line, state="done", seconds=0.1) for line in LINES)
    finding = "homeserver, 127.0.0.1:8008: Palpo does not answer at 127.0.0.1:8008 (refused). Start it."
    progress = Progress(
        lines, findings=(finding,), seen="20 checks: 1 fail, 19 pass", until="2026-01-02T14:32:10+00:00"
    )
    return Apply("Run 0001", progress, lambda _show, _watched: None, print, print)


SCREENS: dict[str, Callable[[], Screen[Any]]] = {
    "looking": lambda: Found(None),
    "found": found,
    "offers": offers,
    "names": page(0),
    "delegation": page(1),
    "certificates": page(2),
    "homeserver": page(3),
    "review": lambda: Review(REVIEW, hindrance="Changing this host needs root: sudo palpo-installer"),
    "review-over-ssh": lambda: Review(REVIEW, confirm_within=300),
    "save": lambda: SaveAs("/root/palpo-plan.json"),
    "apply": applying,
    "waiting": waiting,
    "result": lambda: Outcome(RESULT, run="0001"),
    "sure": lambda: Sure("Take back run 0001? Everything will be as it was before it."),
    "help": lambda: Help(Form.HELP),
}


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
@pytest.mark.parametrize("shown", SCREENS)
def test_a_screen_looks_as_it_did(shown: str, size: tuple[int, int]) -> None:
    """The picture is the one that somebody has looked at."""
    pictures: list[str] = []

    async def go(stage: Stage, pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.pause()
        assert max(map(len, text(stage).splitlines())) <= size[0]
        pictures.append(stage.export_screenshot(title=shown))

    show(SCREENS[shown](), go, size)
    kept = SNAPSHOTS / f"{shown}-{size[0]}x{size[1]}.svg"
    if os.environ.get("PALPO_UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        kept.write_text(pictures[0])
    assert pictures[0] == kept.read_text(), f"{kept.name} looks different now"
