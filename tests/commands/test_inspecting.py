"""Commands that only read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from palpo_installer.commands.inspecting import detect, history, verify
from palpo_installer.engine.process import Engine
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.serialization import load
from palpo_installer.verify import Report
from tests.commands.invoking import ANSWERS, answers, invoke
from tests.engine.runs import registered
from tests.planning.made import OfflineHost
from tests.recorded import recorded
from tests.trees import tree


def test_detect_shows_the_facts(tmp_path: Path) -> None:
    """In words for people, as JSON for programs that is the facts themselves, and the names that were asked for."""
    host = recorded("debian_sites", tmp_path)
    before = tree(tmp_path)
    said = invoke(detect, host, "example.com")
    assert said.code is None
    for part in ("Debian GNU/Linux 12", "nginx (nginx.service)", "shop.example", "example.com"):
        assert part in said.output
    facts = load(invoke(detect, host, "--json", "example.com").output, Facts)
    assert facts.nginx is not None
    assert [name.name for name in facts.names] == ["example.com"]
    assert tree(tmp_path) == before


def test_an_empty_history_is_said(tmp_path: Path) -> None:
    """In words, and as an empty list."""
    host = Host(Layout(tmp_path))
    assert invoke(history, host).output == "No runs yet.\n"
    assert json.loads(invoke(history, host, "--json").output) == []


def test_the_history_has_every_run_with_its_cause(tmp_path: Path) -> None:
    """Oldest first: number, time, result, and why it was taken back."""
    host = Host(Layout(tmp_path))
    Engine(host).carry_on(registered(tmp_path, ("file", "text")))
    Engine(host).carry_on(registered(tmp_path, ("none/file", "text")))
    text = invoke(history, host).output
    assert re.search(r"^0001  \d{4}-\d\d-\d\d \d\d:\d\d UTC  applied", text, re.MULTILINE)
    assert re.search(r"^0002 .* did not work out, and was taken back$", text, re.MULTILINE)
    assert "No such file or directory" in text
    rows = json.loads(invoke(history, host, "--json").output)
    assert [(row["id"], row["result"], row["reversible"]) for row in rows] == [
        ("0001", "applied", True),
        ("0002", "taken-back", True),
    ]
    assert "No such file or directory" in rows[1]["cause"]
    assert rows[0]["began"].endswith("+00:00")


def test_verify_needs_to_know_what_was_promised(tmp_path: Path) -> None:
    """Without answers, and with a file that is not there, it is an error of the answers."""
    host = OfflineHost(Layout(tmp_path))
    assert isinstance(invoke(verify, host).error, AnswersError)
    assert isinstance(invoke(verify, host, "--answers", tmp_path / "none").error, AnswersError)


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_verify_fails_where_nothing_answers(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 6 and a report that names each failure with what to do, in both forms."""
    host = OfflineHost(Layout(tmp_path, http_port=1, https_port=2, addresses=("127.0.0.1",)))
    said = invoke(verify, host, "--answers", answers(tmp_path, ANSWERS), *arguments)
    assert said.error is None
    assert said.code == 6
    if arguments:
        assert load(said.output, Report).failures
    else:
        assert "FAIL" in said.output or "fail" in said.output
