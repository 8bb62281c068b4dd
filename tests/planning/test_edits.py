"""Hand edits over any number of reruns, by the real engine on a host's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palpo_installer.changes import Plan
from palpo_installer.choices import ALL_EDITS
from palpo_installer.engine import in_force
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.files import WriteFile
from palpo_installer.plan import make
from palpo_installer.planning.inputs import IN_THE_WAY, MARKER, Inputs
from palpo_installer.questions import resolve
from palpo_installer.result import in_words, of_run
from palpo_installer.review import as_json
from palpo_installer.review import in_words as review_of
from tests.planning.made import RAW, carry_out, inputs_of, inputs_on, without_activations

TLS = "etc/nginx/sites-available/zz-palpo-installer-tls.conf"
ANSWERS: tuple[dict[str, object], ...] = (
    {"homeserver.max_upload_size": "64MiB"},
    {"homeserver.registration": "open"},
    {"federation.delegation": "none"},
    {"federation.delegation": "srv"},
    {"names.base_domain": "elsewhere", "names.client_host": "chat.example.com"},
    {"homeserver.upstream": "127.0.0.1:8018"},
)
"""Each changes the TLS half in another place."""


def rerun(inputs: Inputs, raw: dict[str, object], overwrite: frozenset[str] = frozenset()) -> tuple[Inputs, Plan]:
    """Plan other answers for the host of some inputs, and apply them; return the inputs and the plan."""
    now = inputs_of(inputs.host)
    resolved = resolve({**RAW, **raw}, now.facts, now.layout)
    now = replace(now, answers=resolved.answers, secrets=resolved.secrets, overwrite=overwrite)
    plan = make(now)
    if plan.changes:
        carry_out(without_activations(plan), now)
    return now, plan


def applied(root: Path) -> Inputs:
    """Apply the usual answers to a recorded host."""
    inputs = inputs_on(root)
    carry_out(without_activations(make(inputs)), inputs)
    return inputs


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(ANSWERS)), min_size=2, max_size=3),
)
def test_an_edit_survives_any_number_of_reruns(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, dict[str, object]]]
) -> None:
    """Comments put in anywhere between reruns are all there, and the marker is that of the text without them."""
    inputs = applied(tmp_path_factory.mktemp("host"))
    path = inputs.layout.at(TLS)
    for number, (place, raw) in enumerate(edits):
        lines = path.read_text().splitlines(keepends=True)
        lines.insert(min(place, len(lines)), f"# by hand {number}\n")
        path.write_text("".join(lines))
        before = [line for line in lines if "by hand" in line]
        inputs, plan = rerun(inputs, raw)
        text = path.read_text()
        assert [line for line in text.splitlines(keepends=True) if "by hand" in line] == before
        written = in_force.written(inputs.layout)[str(path)]
        assert isinstance(written, WriteFile)
        marker = written.pure.shown.partition("Palpo-Installer ")[2].split()[0]
        assert text.count(f"Palpo-Installer {marker}") == text.count("add_header Palpo-Installer ")
        assert [edit.path for edit in plan.edits] == [path]
        # nginx does not run here, so that only its activation is left to do.
        assert [change.operations for change in rerun(inputs, raw)[1].changes] == [(), ()]


def test_what_an_older_version_wrote_is_refused_and_not_lost(tmp_path: Path) -> None:
    """Without its plan nobody knows what was written: also a file that a later run merged is not overwritten."""
    inputs = applied(tmp_path)
    path = inputs.layout.at(TLS)
    path.write_text(f"# mine\n{path.read_text()}")
    rerun(inputs, ANSWERS[0])
    for plan in inputs.layout.runs.glob("*/plan.json"):
        plan.write_text("{}")
    with pytest.raises(RefusedPlan, match="was edited by hand, and these answers change it too") as refused:
        rerun(inputs, ANSWERS[1])
    assert refused.value.where == str(path)
    assert "--overwrite-edits" in refused.value.next
    assert path.read_text().startswith("# mine\n")


def test_a_line_that_both_changed_stays_and_is_named(tmp_path: Path) -> None:
    """In the review, with what the run would have made of it; every other line is brought up to date."""
    inputs = applied(tmp_path)
    path = inputs.layout.at(TLS)
    path.write_text(path.read_text().replace("client_max_body_size 16777216;", "client_max_body_size 1m;"))
    line = path.read_text().splitlines().index("    client_max_body_size 1m;") + 1
    now, plan = rerun(inputs, {"homeserver.max_upload_size": "64MiB"})
    assert "client_max_body_size 1m;" in path.read_text()
    assert f"line {line} stays as you made it, though this run changes it too" in plan.edits[0].kept
    shown = review_of(plan, now.host)
    assert f"  {path}: your edit stays\n      line {line} stays as you made it" in shown
    assert f"What you changed in {path}:" in shown
    assert "+    client_max_body_size 67108864;" in shown
    assert '"kept"' in as_json(plan, now.host)


def test_an_edit_in_the_only_lines_that_change_needs_no_run(tmp_path: Path) -> None:
    """A file without a marker in which theirs wins everywhere is not written at all, and says why."""
    inputs = inputs_on(tmp_path, recording="nginx_stopped")
    carry_out(without_activations(make(inputs)), inputs)
    path = inputs.layout.systemd / "palpo-installer-renew.service"
    path.write_text(path.read_text().replace("ExecStart=", "ExecStart=/usr/bin/nice "))
    moved = replace(inputs_of(inputs.host), command=Path("/opt/palpo-installer"))
    plan = make(moved)
    assert (str(path), IN_THE_WAY) in {(each.subject, each.reason) for each in plan.unchanged}
    assert [change.operations for change in plan.changes] == [(), ()]


def test_an_edit_that_is_given_up_is_kept_with_the_run(tmp_path: Path) -> None:
    """The file is ours again, the review says so before, and the result says where the copy is."""
    inputs = applied(tmp_path)
    path = inputs.layout.at(TLS)
    edited = f"# mine\n{path.read_text()}"
    path.write_text(edited)
    now, plan = rerun(inputs, {}, ALL_EDITS)
    assert f"{path}: your edit is given up" in review_of(plan, now.host)
    assert not path.read_text().startswith("# mine")
    (copy,) = [line for line in in_words(of_run(inputs.layout, "0002")).splitlines() if "was given up" in line]
    assert Path(copy.rpartition(" ")[2]).read_text() == edited


def test_mode_and_owner_stay_where_all_may_read(tmp_path: Path) -> None:
    """An administrator who closed or opened a file of ours knows why; the answers stay closed."""
    inputs = applied(tmp_path)
    path, answers = inputs.layout.at(TLS), inputs.layout.answers
    path.chmod(0o640)
    answers.chmod(0o644)
    rerun(inputs, ANSWERS[0])
    assert path.stat().st_mode & 0o777 == 0o640
    assert answers.stat().st_mode & 0o777 == 0o600


def test_what_was_removed_by_hand_is_made_again_and_told(tmp_path: Path) -> None:
    """What is served is what the answers say: a file that is missing is no answer."""
    inputs = applied(tmp_path)
    path = inputs.layout.at(TLS)
    path.unlink()
    _, plan = rerun(inputs, {})
    assert path.exists()
    sentence = f"{path} was removed by hand since the last run, and is made again: these answers need it"
    assert sentence in plan.findings


@pytest.mark.parametrize(
    "line", ["add_header Palpo-Installer 0123456789abcdef always;", "set $palpo_installer_marker 0123456789abcdef;"]
)
def test_the_marker_is_found_where_it_stands_and_nowhere_else(line: str) -> None:
    """In our own server blocks and in what a site of somebody else's includes, where the header has a variable."""
    text = f'set $palpo_installer_marker "";\nadd_header Palpo-Installer $palpo_installer_marker always;\n{line}\n'
    assert [match[0] for match in MARKER.finditer(text)] == ["0123456789abcdef"]
