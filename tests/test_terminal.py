"""How to talk to the person, decided from what is known of the terminal; and that knowledge from real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from palpo_installer.terminal import Mode, Terminal, choose, limits, speaks_utf8
from tests.terminals import Dialogue

GOOD = Terminal(
    stdin=True, stdout=True, stderr=True, openable=True, term="xterm-256color", utf8=True, columns=80, rows=24
)
LOCALE = {"LC_ALL": "C.UTF-8", "TERM": "xterm"}


def test_a_terminal_that_can_do_all_gets_the_wizard_unless_plain_is_asked_for() -> None:
    """The wizard is the rule; --plain is always heeded."""
    assert choose(GOOD, plain=False) is Mode.WIZARD
    assert choose(GOOD, plain=True) is Mode.PLAIN


@pytest.mark.parametrize(
    ("poor", "reason"),
    [
        (replace(GOOD, term="dumb"), "TERM is dumb"),
        (replace(GOOD, term=""), "TERM is not set"),
        (replace(GOOD, utf8=False), "the locale is not UTF-8"),
        (replace(GOOD, columns=59), "59x24 is smaller than 60x18"),
        (replace(GOOD, rows=17), "80x17 is smaller than 60x18"),
        (replace(GOOD, columns=0, rows=0), "the terminal does not tell its size"),
    ],
)
def test_a_terminal_that_can_do_less_gets_plain_prompts_and_the_reason(poor: Terminal, reason: str) -> None:
    """What the wizard needs and is not there is named."""
    assert choose(poor, plain=False) is Mode.PLAIN
    assert limits(poor) == reason


def test_the_smallest_screen_for_the_wizard() -> None:
    """60x18 is enough."""
    assert choose(replace(GOOD, columns=60, rows=18), plain=False) is Mode.WIZARD


@pytest.mark.parametrize("plain", [True, False])
def test_streams_that_are_no_terminals_do_not_matter_where_the_sessions_own_opens(plain: bool) -> None:
    """As in a pipe: the terminal is opened in their place."""
    piped = replace(GOOD, stdin=False, stdout=False, stderr=False)
    assert choose(piped, plain=plain) is (Mode.PLAIN if plain else Mode.WIZARD)
    assert choose(replace(piped, openable=False), plain=plain) is Mode.NONE


def test_each_way_needs_its_own_streams_where_the_terminal_does_not_open() -> None:
    """The wizard draws on standard error, prompts go to standard output, and both read standard input."""
    closed = replace(GOOD, openable=False)
    assert choose(replace(closed, stderr=False), plain=False) is Mode.PLAIN
    assert choose(replace(closed, stdout=False), plain=False) is Mode.WIZARD
    assert choose(replace(closed, stdout=False), plain=True) is Mode.NONE
    assert choose(replace(closed, stdin=False), plain=False) is Mode.NONE


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "en_US.ISO-8859-1"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "en_US"}, False),
        ({"LANG": "", "LC_ALL": ""}, False),
        ({}, False),
    ],
)
def test_the_locale_says_whether_characters_are_utf8(environment: Mapping[str, str], utf8: bool) -> None:
    """LC_ALL over LC_CTYPE over LANG, empty ones left out; without any it is the C locale."""
    assert speaks_utf8(environment, coerced=False) is utf8


LOOK = "from palpo_installer.terminal import *; t = look(); print(choose(t, plain=False), limits(t), t.columns, t.rows)"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (LOCALE, "wizard  80 24"),
        (LOCALE | {"COLUMNS": "40"}, "plain 40x24 is smaller than 60x18 40 24"),
        ({"LC_ALL": "C", "TERM": "xterm"}, "plain the locale is not UTF-8 80 24"),
        # Python itself makes C.UTF-8 of it, for its own use.
        ({"LANG": "C", "TERM": "xterm"}, "plain the locale is not UTF-8 80 24"),
        (LOCALE | {"TERM": "dumb"}, "plain TERM is dumb 80 24"),
    ],
)
def test_a_real_terminal(environment: Mapping[str, str], said: str) -> None:
    """What a process in a terminal of 80x24 makes of it."""
    with Dialogue([sys.executable, "-c", LOOK], environment) as dialogue:
        assert dialogue.wait() == 0
        assert dialogue.said == f"{said}\n"


@pytest.mark.parametrize(
    ("size", "said"), [((0, 0), "plain the terminal does not tell its size 0 0"), ((132, 50), "wizard  132 50")]
)
def test_the_size_of_a_real_terminal(size: tuple[int, int], said: str) -> None:
    """A serial line that knows no size says 0x0."""
    with Dialogue([sys.executable, "-c", LOOK], LOCALE, columns=size[0], rows=size[1]) as dialogue:
        dialogue.expect(said)


def test_a_pipe_is_replaced_by_the_terminal() -> None:
    """In ``echo | palpo-installer | cat`` prompt and answer go through the terminal, not through the pipes."""
    program = "from palpo_installer.terminal import *; assert choose(look(), plain=True) is Mode.PLAIN; connect(0, 1); "
    ask = program + "print('heard', input('who? '))"
    with Dialogue(["sh", "-c", 'echo piped | "$1" -c "$2" | cat >/dev/null', "sh", sys.executable, ask], LOCALE) as one:
        one.answer("who? ", "a person")
        one.expect("heard a person")


def test_without_any_terminal() -> None:
    """A session of its own without a terminal, as under cron: neither way is possible."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOK], check=True, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True
    )
    assert ended.stdout.startswith(b"none")
