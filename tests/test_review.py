"""A plan as it is read before saying yes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Plan, Unchanged
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.review import as_json, in_words
from tests.planning.made import again, carry_out, inputs_on, without_activations
from tests.situations import DATABASE


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What the plan for a stopped nginx is made from."""
    return inputs_on(tmp_path)


def section(text: str, title: str) -> list[str]:
    """Return the lines of one section."""
    (body,) = [part for part in text.split("\n\n") if part.splitlines()[0].startswith(title)]
    return body.splitlines()[1:]


def test_every_change_is_shown_with_all_it_does(inputs: Inputs) -> None:
    """Numbered in order, each operation with its full path, each activation with its commands and limits."""
    plan = make(inputs)
    lines = section(in_words(plan, inputs.host), "Changes, in this order")
    assert [line for line in lines if not line.startswith("    ")] == [
        f" {number}. {change.title}" for number, change in enumerate(plan.changes, 1)
    ]
    operations = sum(len(change.operations) + (change.activation is not None) for change in plan.changes)
    assert len([line for line in lines if line.startswith("    - ")]) == operations
    whole = "\n".join(lines)
    assert f"    - write {inputs.answers.homeserver.config}\n        mode 0600" in whole
    assert "systemctl start nginx.service (at most 30 seconds)" in whole


def test_summary_findings_and_obstacles_have_their_places(inputs: Inputs) -> None:
    """What will be, what to know, and what must be put right first are told apart."""
    plan = replace(make(inputs), obstacles=("The name leads nowhere",), unchanged=(Unchanged("x", "is as it was"),))
    text = in_words(plan, inputs.host)
    assert section(text, "What will happen") == [f"  {sentence}" for sentence in plan.summary]
    assert section(text, "To know") == [f"  {finding}" for finding in plan.findings]
    assert section(text, "To be put right first; until then nothing is changed") == ["  The name leads nowhere"]
    assert section(text, "Left as it is") == ["  x: is as it was"]


def test_what_is_empty_is_not_shown(inputs: Inputs) -> None:
    """Nothing to do is one sentence, with no empty sections after it."""
    nothing = Plan((), (), (), (), ())
    assert in_words(nothing, inputs.host) == "Nothing to do: everything is as these answers ask for."
    kept = replace(nothing, unchanged=(Unchanged("/etc/x", "is as it should be"),))
    assert section(in_words(kept, inputs.host), "Left as it is") == ["  /etc/x: is as it should be"]


def test_differences_are_unified(inputs: Inputs) -> None:
    """Each changed file once, old and new side by side; what is the same is left out."""
    carry_out(without_activations(make(inputs)), inputs)
    answers = replace(inputs.answers, homeserver=replace(inputs.answers.homeserver, max_upload_size=64 << 20))
    text = in_words(make(replace(again(inputs), answers=answers)), inputs.host)
    assert text.count("--- ") == text.count("+++ ") == 3
    assert "-max_upload_size = 16777216" in text
    assert "+max_upload_size = 67108864" in text
    assert "zz-palpo-installer-http.conf (now)" not in text


def test_no_secret_is_in_a_review(inputs: Inputs) -> None:
    """Neither the new password nor the old one, nor the signing key, before a run and after it."""
    path = inputs.answers.homeserver.config
    path.parent.mkdir(parents=True)
    old = 'server_name = "example.com"\nregistration_token = "old-token"\n[db]\nurl = "postgres://palpo:old-password@x/y"\n'
    path.write_text(old)
    plan = make(again(inputs))
    for text in (in_words(plan, inputs.host), as_json(plan, inputs.host)):
        for secret in ("hunter2", DATABASE, "old-password", "old-token"):
            assert secret not in text
        assert "<secret>" in text
    carry_out(without_activations(plan), again(inputs))
    key = (inputs.layout.keys / "example.com").read_text().strip()
    answers = replace(inputs.answers, homeserver=replace(inputs.answers.homeserver, max_upload_size=64 << 20))
    then = make(replace(again(inputs), answers=answers))
    for text in (in_words(then, inputs.host), as_json(then, inputs.host)):
        assert "hunter2" not in text
        assert key not in text


def test_programs_get_the_same(inputs: Inputs) -> None:
    """As JSON: digest, changes with every operation and difference, and all the sentences."""
    plan = replace(make(inputs), obstacles=("An obstacle — with a dash",))
    text = as_json(plan, inputs.host)
    review = json.loads(text)
    assert review["digest"] == plan.digest
    assert [change["title"] for change in review["changes"]] == [change.title for change in plan.changes]
    first = review["changes"][0]["operations"]
    assert [set(each) for each in first] == [{"title", "diff", "details"}] * 4
    assert "+    listen 0.0.0.0:80;" in first[1]["diff"]
    assert (review["summary"], review["findings"]) == (list(plan.summary), list(plan.findings))
    assert "An obstacle — with a dash" in text
    assert text.endswith("\n")


def test_a_review_writes_nothing(inputs: Inputs, tmp_path: Path) -> None:
    """Describing an operation only reads."""
    plan = make(inputs)
    before = sorted(tmp_path.rglob("*"))
    in_words(plan, inputs.host)
    as_json(plan, inputs.host)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_removal_says_what_stays_also_where_nothing_changes(inputs: Inputs) -> None:
    """The section has its own heading, and a history that is deleted is something to do."""
    stays = (Unchanged("/etc/keys", "other servers know this server by them"),)
    text = in_words(Plan(("The history is deleted.",), (), stays, (), (), result="uninstalled"), inputs.host)
    assert section(text, "What will happen") == ["  The history is deleted."]
    assert section(text, "What stays, and why") == ["  /etc/keys: other servers know this server by them"]
    assert "Nothing to do" not in text
