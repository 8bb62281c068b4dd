"""The wizard on a throw-away host, by keys in a real terminal: first frame, questions, apply, result, rollback."""

from __future__ import annotations

import re
import signal

import psutil
import pytest

from tests.lab import sites, ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until
from tests.lab.screen import Terminal
from tests.lab.services import Authority
from tests.lab.test_taking_over import SYNAPSE, enable

DATABASE = "postgres://palpo:correct-horse-battery-staple@127.0.0.1/palpo"
SECRET = "correct-horse-battery-staple"
SMALL, WIDE = (80, 24), (120, 40)
RUN = "/var/lib/palpo-installer/runs/0001"


def answer(terminal: Terminal, authority: Authority | None) -> None:
    """Answer every page, most questions with Enter, up to the review."""
    terminal.until("Set up Palpo behind nginx")
    terminal.press("Enter")
    terminal.until("[Names]", "> Server name")
    terminal.type("example.com")
    terminal.until("@you:example.com", "matrix.example.com")
    for question in ("> Host that clients", "> Who serves", "> Reverse proxy"):
        terminal.press("Enter")
        terminal.until(question)
    terminal.press("Enter")
    terminal.until("[Federation]", "example.com: 198.18.0.10, fd10::10 (this host)")
    terminal.press("Enter")
    terminal.until("[Certificates]", "> Where certificates come from", "could not be read")
    if authority is None:
        terminal.press("Down", "Down")
        terminal.until("(*) an authority of this host")
    else:
        use(terminal, authority)
    terminal.press("F10")
    terminal.until("[Homeserver]", "> URL of Palpo's PostgreSQL database")
    terminal.type(DATABASE)
    terminal.until_holds(lambda shown: "File that holds the URL" not in shown, "the question that is left out")
    terminal.press("Enter")
    terminal.until("> Who may make an account")
    terminal.press("Enter")
    terminal.until("[Review]", "press a to apply", timeout=60)


def use(terminal: Terminal, authority: Authority) -> None:
    """Choose an authority, read where its terms are, and agree."""
    terminal.press("F2")
    terminal.until("> ACME directory")
    terminal.type(authority.directory)
    terminal.until(authority.directory)
    terminal.press("Tab")
    terminal.type(authority.ca_file)
    terminal.until(authority.ca_file)
    terminal.press("F2")
    terminal.until("[+] More settings")
    terminal.press("BTab")
    terminal.until("> Whether you agree", "The terms: ")
    terminal.press("Space")
    terminal.until("[x] yes, I agree")


def is_whole(shown: str, columns: int) -> None:
    """Check that a screen has its steps above and its keys below, and nothing beside its edges."""
    lines = shown.splitlines()
    assert "[" in lines[0]
    assert any("Help" in line for line in lines[-3:])
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    "size", [pytest.param(SMALL, id="80x24"), pytest.param(WIDE, id="120x40", marks=pytest.mark.slow)]
)
def test_from_the_first_frame_to_the_result_and_back(
    nginx: ThrowAwayHost, acme: Authority, size: tuple[int, int]
) -> None:
    """By keys alone the host is set up and proven, and rolled back byte for byte; nothing secret was on the screen."""
    before, neighbours = nginx.snapshot(), ways.neighbour_answers(nginx)
    terminal = Terminal(nginx, *size)
    terminal.run(nginx.command)
    is_whole(terminal.until("Who answers now", "neighbour.example.org", "Leave"), size[0])
    answer(terminal, acme)
    is_whole(terminal.until("Accounts are named @user:example.com", "s Save"), size[0])
    assert nginx.snapshot() == before

    terminal.press("a")
    terminal.until("[Apply]", "Run 0001", "done")
    terminal.press("l")
    terminal.until("acting")
    result = terminal.until("Done: the changes are made and proven.", "What the outside sees", "Roll back", timeout=120)
    is_whole(result, size[0])
    assert ways.served(nginx, ADDRESS4, 443, "matrix.example.com") == ways.on_disk(nginx, "matrix.example.com")
    assert ways.neighbour_answers(nginx) == neighbours
    assert "Done: the changes are made and proven." in nginx.read(f"{RUN}/result.txt")

    terminal.press("r")
    terminal.until("Take back run 0001?")
    terminal.press("y")
    is_whole(terminal.until("Rolled back: everything is as it was", "First screen", timeout=60), size[0])
    assert ways.untouched(before, nginx) == {}
    assert ways.neighbour_answers(nginx) == neighbours
    terminal.press("q")
    said = terminal.until("$ /", "Run 0001: Rolled back")
    assert SECRET not in said


def test_a_second_visit_offers_the_menu_and_rolls_back_from_there(nginx: ThrowAwayHost) -> None:
    """Reconfiguring finds nothing to do, history and verify are shown, and roll back takes everything back."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    assert nginx.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    terminal.until("> Reconfigure", "Verify", "Renew certificates", "Roll back run 0001", "History")
    terminal.press("Enter")
    terminal.until("[Names]", "@you:example.com")
    for step in ("[Federation]", "[Certificates]", "[Homeserver]"):
        terminal.press("F10")
        terminal.until(step, "> ")
    assert SECRET not in terminal.until("given, and not shown")
    terminal.press("F10")
    terminal.until("Nothing to do", "There is nothing to apply")
    for step in ("[Homeserver]", "[Certificates]", "[Federation]", "[Names]", "[Found]"):
        terminal.press("Escape")
        terminal.until(step)
    go(terminal, "Verify")
    terminal.until("What clients and other servers see", timeout=60)
    terminal.press("Escape")
    go(terminal, "History")
    terminal.until("0001", "applied")
    terminal.press("Escape")
    go(terminal, "Roll back run 0001")
    terminal.until("Take back run 0001?")
    terminal.press("y")
    terminal.until("Rolled back: everything is as it was", timeout=60)
    assert ways.untouched(before, nginx) == {}


def go(terminal: Terminal, entry: str) -> None:
    """Choose an entry of the first screen's menu."""
    shown = terminal.until("Who answers now", "Leave")
    while (here := chosen(shown)) != entry:
        terminal.press("Down")
        shown = terminal.until_holds(lambda now, here=here: chosen(now) != here, f"what follows {here}")  # type: ignore[misc]
    terminal.press("Enter")


def chosen(shown: str) -> str:
    """Return the entry of the menu that the screen points at, empty for none."""
    found = re.search(r"^ > (.*?)  ", shown, re.MULTILINE)
    return found[1].strip() if found else ""


def test_ctrl_c_while_applying_takes_everything_back(nginx: ThrowAwayHost, acme: Authority) -> None:
    """The engine is asked, says so, takes back, and the scrollback tells how it ended."""
    before = nginx.snapshot()
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    answer(terminal, acme)
    terminal.press("a")
    terminal.until("done", "order a certificate")
    terminal.press("C-c")
    terminal.until("Not done: everything is as it was before.", "stopped on request", timeout=60)
    assert ways.untouched(before, nginx) == {}
    terminal.press("q")
    terminal.until("Run 0001: Not done: everything is as it was before.", "The cause: stopped on request")


def test_a_host_that_changed_since_the_review_is_refused(nginx: ThrowAwayHost) -> None:
    """What was shown is what is done: after an edit of another site the engine says so and nothing is changed."""
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    answer(terminal, None)
    nginx.output(["sh", "-c", "echo '# edited' >>/etc/nginx/sites-available/neighbour"])
    before = nginx.snapshot()
    terminal.press("a")
    terminal.until("Not done", "changed since the plan was made", "First screen")
    assert ways.untouched(before, nginx) == {}
    terminal.press("q")
    terminal.until("Run 0001:", "changed since the plan was made", "\n$")


def test_the_site_is_tried_out_from_the_review(nginx: ThrowAwayHost) -> None:
    """One key serves the site from a private nginx and shows what came of it; the review is there again after it."""
    before = nginx.snapshot()
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    answer(terminal, None)
    terminal.press("t")
    terminal.until("How the site does in a private copy of nginx", "pass", timeout=60)
    terminal.press("Escape")
    terminal.until("[Review]", "press a to apply", timeout=60)
    assert nginx.snapshot() == before


def test_leaving_the_screen_leaves_the_run_alone(nginx: ThrowAwayHost, acme: Authority) -> None:
    """SIGTERM while applying restores the terminal and says how to go on watching; the run is applied."""
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    answer(terminal, acme)
    terminal.press("a")
    terminal.until("done", "order a certificate")
    nginx.process(" ".join(nginx.command)).terminate()
    terminal.until("$ /", "Run 0001 goes on without this screen. To see it: palpo-installer attach")
    until(lambda: '"record":"end"' in nginx.read(f"{RUN}/journal.jsonl"), "the end of the run", 60)
    assert '"applied"' in nginx.read(f"{RUN}/journal.jsonl")


@pytest.mark.slow
def test_a_terminal_that_is_gone_under_nohup_leaves_the_run_alone(nginx: ThrowAwayHost, acme: Authority) -> None:
    """The screens end, their log says so and how to go on watching; the run is applied."""
    terminal = Terminal(nginx, *SMALL)
    command = " ".join(nginx.command)
    terminal.run(["sh", "-c", f"cd /root && exec nohup {command}"])
    answer(terminal, acme)
    terminal.press("a")
    terminal.until("done", "order a certificate")
    terminal.hang_up()
    until(lambda: not nginx.processes(command), "the end of the screens", 30)
    said = nginx.read("/root/nohup.out")
    assert "The terminal is gone, so the screens end. Run 0001 goes on without this screen." in said
    until(lambda: '"record":"end"' in nginx.read(f"{RUN}/journal.jsonl"), "the end of the run", 60)
    assert '"applied"' in nginx.read(f"{RUN}/journal.jsonl")


def test_over_ssh_a_change_waits_to_be_kept(nginx: ThrowAwayHost) -> None:
    """The review says so, leaving keeps nothing, the next start shows it first, and one key keeps it."""
    terminal = Terminal(nginx, *SMALL, {"SSH_CONNECTION": "192.0.2.1 50000 198.18.0.10 22"})
    terminal.run(nginx.command)
    answer(terminal, None)
    offer = ("It takes itself back unless you confirm it", "within 300 seconds; c turns that off.")
    shown = terminal.until(*offer, "Help")
    is_whole(shown, 80)
    terminal.press("c")
    terminal.until_holds(lambda shown: "300 seconds" not in shown, "that it is off")
    terminal.press("c")
    terminal.until("within 300 seconds")
    terminal.press("a")
    shown = terminal.until(
        "Keep this change? It takes itself back at", "What the outside sees", "k Keep", "Help", timeout=60
    )
    is_whole(shown, 80)
    terminal.press("C-q")
    terminal.until("$ /", "It takes itself back unless it is confirmed: palpo-installer confirm")
    terminal.run(nginx.command)
    is_whole(terminal.until("Run 0001 waits to be confirmed", "> Follow the run", "Help"), 80)
    assert '"record":"end"' not in nginx.read(f"{RUN}/journal.jsonl")
    terminal.press("Enter")
    terminal.until("Keep this change?", "k Keep")
    terminal.press("k")
    terminal.until("Done: the changes are made and proven.", "What the outside sees", timeout=60)


def test_a_run_that_was_cut_off_is_offered_to_be_taken_back(nginx: ThrowAwayHost) -> None:
    """After the engine was killed, the next start shows it first, and one Enter makes the host as it was."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    applying = nginx.start([*nginx.command, "apply", "--answers", ways.ANSWERS, "--yes"])
    until(lambda: nginx.exists(f"{RUN}/journal.jsonl") and '"done"' in nginx.read(f"{RUN}/journal.jsonl"), "a change")
    engine = nginx.process("palpo_installer run 0001")
    watching = engine.parent()
    assert watching is not None
    # First those who would take back: the viewer, and the shell that starts another engine.
    applying.signal(signal.SIGKILL)
    watching.kill()
    engine.kill()
    psutil.wait_procs([engine], 10)
    terminal = Terminal(nginx, *SMALL)
    terminal.run(nginx.command)
    terminal.until("Run 0001 was cut off", "> Take back what was begun")
    terminal.press("Enter")
    terminal.until("Not done: everything is as it was before.", timeout=60)
    assert ways.untouched(before, nginx) == {}


@pytest.mark.slow
def test_beside_sites_that_are_there_with_edits_until_the_uninstall(nginx: ThrowAwayHost) -> None:
    """One site stays, another is switched off by a tick and kept by a key; edits are chosen; all comes back."""
    host = nginx
    sites.make(host)
    enable(host, "synapse", SYNAPSE)
    before, pages = host.snapshot(), sites.pages(host)
    terminal = Terminal(host, *SMALL)
    terminal.run(host.command)
    answer_beside_sites(terminal)
    terminal.press("c")
    terminal.until("within 300 seconds")
    terminal.press("a")
    terminal.until("Keep this change?", "k Keep", timeout=60)
    terminal.press("k")
    terminal.until("Done: the changes are made and proven.", timeout=60)
    assert sites.pages(host) == pages

    file = "/etc/nginx/sites-available/zz-palpo-installer-tls.conf"
    host.output(["sed", "-i", "s/client_max_body_size .*/client_max_body_size 99m;/", file])
    terminal.press("Enter")
    terminal.until("> Reconfigure")
    terminal.press("Enter")
    for step in ("[Names]", "[Federation]", "[Certificates]", "[Homeserver]"):
        assert "Whether the proxy's site" not in terminal.until(step, "> ")
        terminal.press("F10")
    is_whole(terminal.until("[Review]", "your edit stays", "e Edits", "f1 Help"), SMALL[0])
    terminal.press("e")
    terminal.until(f"[ ] give up the edit of {file}")
    terminal.press("Space", "Enter")
    terminal.until("your edit is given", "press a to apply")
    for step in ("[Homeserver]", "[Certificates]", "[Federation]", "[Names]", "[Found]"):
        terminal.press("Escape")
        terminal.until(step)

    go(terminal, "Uninstall")
    shown = terminal.until("[Review]", "e gives up what was", "e Edits")
    assert "Confirm" not in shown
    terminal.press("e")
    terminal.until("Give up what was edited by hand")
    terminal.press("y")
    terminal.until("keep a copy of the edited", "press a to apply")
    terminal.press("a")
    terminal.until("Uninstalled: ", timeout=60)
    assert ways.untouched(before, host) == {}
    assert sites.pages(host) == pages


def answer_beside_sites(terminal: Terminal) -> None:
    """Answer every page up to the review: the website stays, the client host's site is switched off."""
    terminal.until("Set up Palpo behind nginx")
    terminal.press("Enter")
    terminal.until("[Names]", "> Server name")
    terminal.type("example.com")
    terminal.until("(*) a site of this proxy")
    terminal.press("F10")
    terminal.until("[Federation]", "Whether the proxy's site")
    terminal.press("Tab")
    terminal.until("> Whether the proxy's site", "matrix.example.com at /etc/nginx/sites-enabled/synapse:1 and")
    terminal.press("Space")
    terminal.until("[x] yes")
    terminal.press("F10")
    terminal.until("[Certificates]", "> Where certificates come from")
    terminal.press("Down", "Down")
    terminal.until("(*) an authority of this host")
    terminal.press("F10")
    terminal.until("[Homeserver]", "> URL of Palpo's PostgreSQL database")
    terminal.type(DATABASE)
    terminal.until_holds(lambda shown: "File that holds the URL" not in shown, "the question that is left out")
    terminal.press("F10")
    terminal.until("[Review]", "press a to apply", timeout=60)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {}], ids=["without colour", "with colour"])
def test_ctrl_c_before_anything_was_done_leaves_one_line(nginx: ThrowAwayHost, environment: dict[str, str]) -> None:
    """The terminal is as it was, with one sentence in the scrollback, and nothing on the host has changed."""
    before = nginx.snapshot()
    terminal = Terminal(nginx, *SMALL, environment)
    terminal.run(nginx.command)
    terminal.until("> Set up Palpo")
    if environment:
        assert not re.search(r"\x1b\[[\d;]*[34]8;2;(\d+);(?!\1;\1)", terminal.colours())
    terminal.press("C-c")
    terminal.until("Nothing was changed.\n$")
    terminal.type("echo still there")
    terminal.press("Enter")
    terminal.until("\nstill there")
    assert nginx.snapshot() == before
