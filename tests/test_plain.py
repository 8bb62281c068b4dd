"""Plain prompts: what is asked, what each key does, and that nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Change, Plan
from palpo_installer.conversation import PAGES, talk
from palpo_installer.facts import Facts, matrix
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.plain.asking import Asking
from palpo_installer.plain.console import Console, ascii_only, wrapped
from palpo_installer.plain.prompts import Prompt
from palpo_installer.plain.reviewing import Action, flat, possible
from palpo_installer.plain.session import Visit
from palpo_installer.questions import resolve
from palpo_installer.questions.resolution import folded
from palpo_installer.secret import Secret
from tests.audit.made import host_with, known
from tests.audit.test_auditing import DOCUMENTED
from tests.recorded import recorded
from tests.situations import DATABASE, facts

NAME = "example.com"


class Typing(Console):
    """A console on which these lines are typed; what is printed is kept."""

    def __init__(self, lines: Iterable[str], rows: int = 24) -> None:
        super().__init__(80, rows)
        self.lines = list(lines)
        self.asked: list[str] = []
        self.said = ""

    def say(self, text: str = "") -> None:
        """Keep what would be printed."""
        self.said += "".join(f"{line}\n" for line in wrapped(text, self.width))

    def ask(self, prompt: str) -> str:
        """Return the next line; there must be one."""
        self.asked.append(prompt)
        self.said += f"{prompt} \n"
        assert self.lines, f"nothing is typed at {prompt}: {self.said}"
        return self.lines.pop(0)

    def ask_secretly(self, prompt: str) -> str:
        """Return the next line."""
        return self.ask(prompt)


def asked(
    tmp_path: Path, *lines: str, given: dict[str, object] | None = None, on: Facts | None = None
) -> tuple[Asking, Typing]:
    """Type lines at the questions of a host; every line must be needed."""
    console = Typing(lines)
    asking = Asking(console, recorded("nginx_stopped", tmp_path), on or facts(), given or {})
    assert asking.run()
    assert not console.lines
    return asking, console


SELF_SIGNED = (NAME, "", "", "", "self-signed", DATABASE, "", "")


def test_few_answers_lead_to_the_review(tmp_path: Path) -> None:
    """Three are typed, most are Enter; only what was typed is given, so that defaults stay defaults."""
    asking, console = asked(tmp_path, *SELF_SIGNED)
    assert len(console.asked) <= 12
    assert asking.given == {
        "names.server_name": NAME,
        "certificates.method": "self-signed",
        "homeserver.database_url": Secret(DATABASE),
    }
    assert "    @you:example.com\n" in console.said
    assert all(page.title in console.said for page in PAGES)


def test_a_problem_is_said_at_once_and_the_question_asked_again(tmp_path: Path) -> None:
    """Also for an empty answer where there must be one."""
    _, console = asked(tmp_path, "", "exa_mple.com", *SELF_SIGNED)
    assert "! An answer is needed. For example: example.com.\n" in console.said
    assert "! An underscore cannot stand in a host name." in console.said


def test_back_goes_through_pages_and_loses_nothing(tmp_path: Path) -> None:
    """From the fourth page to the first and forwards again: what was typed stands in brackets."""
    there = (NAME, "chat.example.com", "3", "4", "self-signed")
    asking, console = asked(tmp_path, *there, "<", "<", "<", "<", "", "", "", "", DATABASE, "", "")
    assert console.asked[9:13] == [
        "Answer [chat.example.com]:",
        "Answer [3 elsewhere]:",
        "Answer [4 none]:",
        "Answer [3 self-signed]:",
    ]
    assert asking.given["federation.delegation"] == "none"


def test_back_before_the_first_question_leaves_the_questions(tmp_path: Path) -> None:
    """So that a menu above them can come back."""
    console = Typing(["<"])
    assert not Asking(console, recorded("nginx_stopped", tmp_path), facts(), {}).run()


def test_help_explains_and_asks_again(tmp_path: Path) -> None:
    """At a question and before further settings."""
    _, console = asked(tmp_path, "?", *SELF_SIGNED[:-1], "?", "")
    assert "It is part of every user and room for ever" in console.said
    assert "Largest upload: 16MiB" in console.said


def test_choices_are_numbers_or_words(tmp_path: Path) -> None:
    """A number counts what can be chosen here; another one is refused with the numbers that there are."""
    asking, console = asked(tmp_path, NAME, "", "4", "elsewhere", "4", "9", "3", DATABASE, "", "")
    assert asking.given["names.base_domain"] == "elsewhere"
    assert asking.given["federation.delegation"] == "none"
    assert asking.given["certificates.method"] == "self-signed"
    assert console.said.count("Type a number from 1 to 3.") == 2


def test_a_choice_that_this_version_cannot_do_says_what_instead(tmp_path: Path) -> None:
    """A word of the documentation is understood, not called unknown."""
    _, console = asked(tmp_path, *SELF_SIGNED[:4], "dns-01", *SELF_SIGNED[4:])
    said = " ".join(console.said.split())
    assert "! Dns-01 is not possible in this version. Choose http-01" in said


def test_a_hyphen_empties_an_answer(tmp_path: Path) -> None:
    """The default comes back."""
    given: dict[str, object] = {"names.server_name": NAME, "names.client_host": "chat.example.com"}
    asking, _ = asked(tmp_path, "", "-", *SELF_SIGNED[2:], given=given)
    assert "names.client_host" not in asking.given
    assert asking.talk().shown("names.client_host") == "matrix.example.com"


def test_a_secret_is_asked_without_echo_and_never_printed(tmp_path: Path) -> None:
    """One that is there is kept by Enter, without a word of it."""
    given: dict[str, object] = {"homeserver.database_url": DATABASE, "certificates.method": "self-signed"}
    asking, console = asked(tmp_path, NAME, "", "", "", "", "", "", "", given=given)
    assert "Answer, not shown [kept as it is]:" in console.asked
    assert asking.given["homeserver.database_url"] == DATABASE
    assert "hunter2" not in console.said


def test_a_bad_secret_is_not_repeated(tmp_path: Path) -> None:
    """Its problem says what is wrong, not what was typed."""
    _, console = asked(tmp_path, *SELF_SIGNED[:5], "mysql://hunter2", *SELF_SIGNED[5:])
    assert console.said.count("! ") == 1
    assert "hunter2" not in console.said


def test_further_settings_are_asked_when_wanted(tmp_path: Path) -> None:
    """Yes shows the page's other questions, each with its default."""
    asking, console = asked(tmp_path, *SELF_SIGNED[:-1], "yes", "", "", "", "32MiB", *[""] * 5)
    assert "Answer [/var/lib/palpo/media]:" in " ".join(console.asked).replace(str(tmp_path), "")
    assert "Answer [16MiB]:" in console.asked
    assert asking.given["homeserver.max_upload_size"] == "32MiB"


def test_a_problem_behind_further_settings_is_not_passed_over(tmp_path: Path) -> None:
    """A file of answers has a bad one: further settings are offered, and it is asked for in any case."""
    bad: dict[str, object] = {"homeserver.max_upload_size": "many"}
    for more in ("", "no"):
        lines = ("", "", "", "1MiB", *[""] * 5) if more == "" else ("1MiB", *[""] * 5)
        asking, console = asked(tmp_path / (more or "yes"), *SELF_SIGNED[:-1], more, *lines, given=dict(bad))
        assert "More settings? [yes]:" in console.asked
        assert asking.given["homeserver.max_upload_size"] == "1MiB"


def test_certificates_of_ones_own_are_asked_name_by_name(tmp_path: Path) -> None:
    """Chain and key of each; they resolve, and travel as a file of answers has them."""
    paths = ("/etc/ssl/m.pem", "/etc/ssl/m.key", "not-absolute", "/etc/ssl/e.key")
    again = (*paths[:2], "/etc/ssl/e.pem", "/etc/ssl/e.key")
    asking, console = asked(tmp_path, NAME, "", "", "", "files", *paths, *again, DATABASE, "", "")
    assert console.said.count("! ") == 1
    rows = flat(asking.given)
    assert rows['certificates.files."example.com".chain'] == "/etc/ssl/e.pem"
    answers = resolve(folded(rows), facts(), asking.host.layout).answers
    assert str(answers.certificates.files["matrix.example.com"].key) == "/etc/ssl/m.key"


def test_an_error_of_the_plan_leads_to_its_question(tmp_path: Path) -> None:
    """Also to one behind further settings, or to the row of a table; an unknown one leads nowhere."""
    asking, _ = asked(tmp_path, *SELF_SIGNED)
    found = {key: asking.step_for(key) for key in ("homeserver.listen", "names.client_host", "nothing.at.all")}
    assert [step.key if step else None for step in found.values()] == ["homeserver.listen", "names.client_host", None]


def test_what_can_be_done_with_a_review() -> None:
    """Only root applies, only what has changes and no obstacle; leaving and changing answers is always there."""
    empty, ready = Plan((), (), (), (), ()), Plan((), (Change("a change", ()),), (), (), ())
    blocked = Plan((), ready.changes, (), (), (), {}, ("port 80 is taken",))
    assert possible(ready, root=True)[:2] == [Action.APPLY, Action.TRY]
    assert possible(ready, root=True, remote=True)[:2] == [Action.TRY, Action.APPLY]
    for plan, root in ((ready, False), (blocked, True), (empty, True), (None, True)):
        assert {Action.APPLY, Action.TRY}.isdisjoint(possible(plan, root=root))
        assert {Action.CHANGE, Action.LEAVE} < set(possible(plan, root=root)) | {Action.READ}
    assert Action.LOOK_AGAIN in possible(blocked, root=True)
    assert Action.SAVE not in possible(empty, root=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a \u2026 b \u2014 c \u201cd\u201d", 'a ... b - c "d"'),
        ("b\u00fccher", "b\\xfccher"),
        ("\x1b[31mred\x07", "?[31mred?"),
        ("a\tb", "a   b"),
    ],
)
def test_only_ascii_is_printed_and_nothing_that_a_terminal_acts_on(text: str, shown: str) -> None:
    """Whatever names, files and other programs' words have in them."""
    assert ascii_only(text) == shown


def test_lines_fit_and_keep_their_indent() -> None:
    """Long ones are broken at spaces only, so that paths and addresses stay whole."""
    text = f"  - {'word ' * 30}/{'x' * 90}"
    lines = wrapped(text, 60)
    assert all(len(line) <= 60 for line in lines[:-1])
    assert lines[-1].strip() == "/" + "x" * 90
    assert all(line.startswith("    ") for line in lines[1:])


def test_numbers_and_confirmations() -> None:
    """Enter takes the default where there is one; anything else is asked again."""
    console = Typing(["0", "", "x", "2", "", "maybe", "yes"])
    assert console.choose("Which?", ["one", "two"]) == 1
    assert console.choose("Which?", ["one", "two"], 0) == 0
    assert console.confirm("Sure?", default=False) is True
    assert "Type yes or no." in console.said


def test_a_long_text_is_shown_one_screen_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Enter goes on, q stops."""
    console = Typing(["", "q"], rows=12)
    console.page("\n".join(map(str, range(40))))
    assert capsys.readouterr().out.split() == [str(number) for number in range(20)]


def test_a_matrix_configuration_that_is_there_is_told_and_can_be_read(tmp_path: Path) -> None:
    """How many traps it has, the traps on a yes, and at ``?`` where a default is from."""
    host = host_with(tmp_path, DOCUMENTED)
    there = known(host)
    there = replace(there, matrix=matrix.read(host, there.nginx, there.palpo))
    console = Typing(["yes"])
    Visit(console, host, {}).show_audit(there)
    assert "Matrix is already configured here." in console.said
    assert "BREAKS" in console.said
    console = Typing([])
    Visit(console, Host(Layout(tmp_path / "empty")), {}).show_audit(facts())
    assert console.said == ""
    (field,) = talk({}, there, host.layout).on(("names.server_name",))
    prompt = Typing([])
    Prompt(prompt, field).explain()
    assert f"Found in {tmp_path}/etc/palpo/palpo.toml:1." in prompt.said.replace("\n", " ")
