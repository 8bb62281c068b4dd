"""Plain mode through a real terminal on a throw-away host: from the first prompt to the result, and back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lab import ways
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.running import ENVIRONMENT
from tests.lab.services import Authority
from tests.terminals import Dialogue

POOR = {"TERM": "dumb", "LC_ALL": "C"}
DATABASE = f"postgres://palpo:{ways.DATABASE_PASSWORD}@127.0.0.1/palpo"
APPLY, SAVE = "1", "6"
"""Where these stand in the menu below the review."""


def door(host: ThrowAwayHost) -> list[str]:
    """Return the command that leads to the host."""
    return ["nsenter", "--target", str(host.pid), "--all", "--"]


def talk(host: ThrowAwayHost, *arguments: str, environment: Mapping[str, str] = POOR, columns: int = 80) -> Dialogue:
    """Start the installer in a terminal on the host; one that can do little gets plain prompts by itself."""
    return Dialogue([*host.command, *arguments], ENVIRONMENT | dict(environment), within=door(host), columns=columns)


def answer_the_questions(dialogue: Dialogue, method: str) -> int:
    """Answer every question of a host where nothing is set up yet, most by Enter; return how many there were."""
    answers = [("Answer:", "example.com")]
    answers += [(f"Answer [{default}]:", "") for default in ("matrix.example.com", "1 ours", "1 nginx", "1 well-known")]
    answers += [("Answer [1 http-01]:", method)]
    if method == "1":
        answers += [("Answer [none]:", "admin@example.com"), ("Answer:", "yes"), ("More settings? [no]:", "")]
    answers += [("not shown [none]:", DATABASE), ("Answer [1 closed]:", ""), ("More settings? [no]:", "")]
    for prompt, typed in answers:
        dialogue.answer(prompt, typed)
    dialogue.expect("What now?")
    return len(answers)


def test_from_the_first_prompt_to_the_result_and_back(nginx: ThrowAwayHost, acme: Authority) -> None:
    """Typed answers are reviewed, applied with real certificates and shown; the next visit rolls all of it back."""
    host = nginx
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    trusting = (f"certificates.{key}" for key in (f"directory={acme.directory}", f"ca_file={acme.ca_file}"))
    with talk(host, *(word for setting in trusting for word in ("--set", setting))) as visit:
        assert answer_the_questions(visit, "1") <= 12
        assert host.snapshot() == before
        assert "Its terms of service: " in visit.said
        assert "@user:example.com, and that is for ever." in visit.said
        visit.answer("Number:", APPLY)
        assert visit.wait(120) == 0
        assert "Done: the changes are made and proven." in visit.said
        assert "homeserver, 127.0.0.1:8008" in visit.said
        assert "To go back: palpo-installer rollback 0001" in visit.said
        assert "/var/lib/palpo-installer/runs/0001/result.txt" in visit.said
        assert visit.said.isascii()
        assert "\x1b" not in visit.said
        assert ways.DATABASE_PASSWORD not in visit.said
    assert ways.DATABASE_PASSWORD in host.read("/etc/palpo/palpo.toml")
    assert ways.served(host, "198.18.0.10", 443, "example.com") == ways.on_disk(host, "example.com")

    with talk(host) as visit:
        visit.expect("Last run: 0001")
        visit.expect("Done: the changes are made and proven.")
        visit.answer("Number [1]:", "4")
        visit.answer("Number [1]:", "1")
        visit.answer("Take back run 0001? [no]:", "yes")
        assert visit.wait(120) == 0
        assert "Rolled back." in visit.said
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours


def test_the_next_visit_begins_with_the_earlier_answers(nginx: ThrowAwayHost) -> None:
    """Enter at every question of a host that is set up ends at a review with nothing to do; verify and history show."""
    host = nginx
    ways.prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    with talk(host) as visit:
        visit.answer("Number [1]:", "2")
        visit.expect("checks:")
        visit.answer("Number [1]:", "5")
        visit.expect("0001  ")
        visit.expect("applied")
        visit.answer("Number [1]:", "")
        assert visit.take_defaults() == 9
        assert "Answer, not shown [kept as it is]:" in visit.said
        assert "Nothing to do: everything is as these answers ask for." in visit.said
        visit.answer("Number:", "2")
        assert visit.wait() == 0
        assert visit.said.endswith("Nothing was changed.\n")


def test_ctrl_c_while_it_is_applied_takes_everything_back(nginx: ThrowAwayHost) -> None:
    """The engine is asked to take back, is followed to its end, and the exit code is 1."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    with talk(host, "--answers", ways.ANSWERS) as visit:
        visit.take_defaults()
        visit.answer("Number:", APPLY)
        visit.expect("  done  write")
        visit.press(b"\x03")
        assert visit.wait(120) == 1
        assert "stopped on request" in visit.said
        assert "Not done, and everything is as it was before." in visit.said
    assert ways.untouched(before, host) == {}


def test_a_run_that_was_cut_off_is_taken_back_first(nginx: ThrowAwayHost) -> None:
    """After a killed engine the visit says so and, after Enter, puts everything back before it asks anything else."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    engine = [host.python, str(CHECKOUT / "tests/lab/faulty_engine.py")]
    identity = host.output([*engine, "register", ways.ANSWERS]).strip()
    assert host.run([*engine, "kill", identity, "30"]).returncode not in {0, 1, 5}
    assert ways.untouched(before, host) != {}
    with talk(host) as visit:
        visit.expect(f"Run {identity}")
        visit.answer("as it was before? [yes]:", "")
        visit.match(r"^Answer: \Z")
        assert ways.untouched(before, host) == {}
        visit.press(b"\x03")
        assert visit.wait() == 2
        assert "nothing else was changed" in visit.said


def test_a_saved_plan_is_applied_as_it_was_shown(nginx: ThrowAwayHost) -> None:
    """Saving writes the plan without the secret that was typed, which lies beside it for its owner only."""
    host = nginx
    with talk(host) as visit:
        answer_the_questions(visit, "3")
        visit.answer("Number:", SAVE)
        visit.answer("File [/palpo-plan.json]:", "/root/plan.json")
        assert visit.wait() == 0
    assert not host.exists("/var/lib/palpo-installer")
    assert ways.DATABASE_PASSWORD not in host.read("/root/plan.json")
    beside = "/root/plan.json.answers.toml"
    assert host.output(["stat", "--format=%a", beside]).strip() == "600"
    applied = host.tool("apply", "--plan", "/root/plan.json", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert ways.DATABASE_PASSWORD in host.read("/etc/palpo/palpo.toml")


def test_without_root_the_review_is_shown_and_cannot_be_applied(nginx: ThrowAwayHost) -> None:
    """Somebody else gets as far as the review, is told the sudo command, and is not offered to apply."""
    host = nginx
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    with Dialogue([*nobody, *host.command], ENVIRONMENT | POOR, within=door(host)) as visit:
        visit.expect("You are not root")
        answer_the_questions(visit, "3")
        menu = visit.expect("Number:")
        assert "sudo palpo-installer" in visit.said
        assert "Make these changes" not in menu
        visit.type("")
        visit.expect("Type a number")
        visit.press(b"\x04")
        assert visit.wait() == 2
        assert visit.said.endswith("Stopped. Nothing was changed.\n")


@pytest.mark.parametrize("streams", ["</dev/null", "</dev/null 2>/dev/null", ">/dev/null </dev/null"])
def test_without_a_terminal_it_says_what_to_pass(host: ThrowAwayHost, streams: str) -> None:
    """No terminal anywhere: exit code 2 at once, whatever is redirected, also when plain prompts are asked for."""
    for wish in ("", "--plain"):
        ended = host.run(["sh", "-c", f'exec "$@" {streams}', "sh", *host.command, *([wish] if wish else [])])
        assert ended.returncode == 2
        if "2>" not in streams:
            assert "apply --answers FILE --yes" in ended.stderr
