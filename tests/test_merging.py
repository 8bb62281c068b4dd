"""Three texts become one, and what a person changed stays through any number of merges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palpo_installer.merging import Conflict, merge

BASE = "server {\n    listen 80;\n    server_name a;\n    return 404;\n}\n"
LINES = st.lists(st.sampled_from(["server {", "    listen 80;", "    root /a;", "}", "", "# why"]), max_size=12)
TEXTS = LINES.map("\n".join) | LINES.map(lambda lines: "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("theirs", "ours", "merged"),
    [
        ("listen 81;", "server_name b;", "server {\n    listen 81;\n    server_name b;\n    return 404;\n}\n"),
        ("listen 80;\n    # mine", "listen 80;", BASE.replace("listen 80;", "listen 80;\n    # mine")),
    ],
)
def test_each_keeps_its_own_lines(theirs: str, ours: str, merged: str) -> None:
    """Neighbouring lines are not the same lines: theirs stays, and ours is brought up to date."""
    edited = BASE.replace("listen 80;", theirs)
    wanted = BASE.replace("server_name a;", ours) if "server_name" in ours else BASE
    assert merge(BASE, edited, wanted).text == merged
    assert merge(BASE, edited, wanted).conflicts == ()


def test_what_both_changed_stays_theirs_and_is_named() -> None:
    """With the line in their text, what stands there and what was wanted; the rest of ours is made all the same."""
    edited = "# mine\n" + BASE.replace("server_name a;", "server_name a b;")
    wanted = BASE.replace("server_name a;", "server_name c;").replace("404", "403")
    merged = merge(BASE, edited, wanted)
    assert merged.text == edited.replace("404", "403")
    assert merged.conflicts == (Conflict(4, ("    server_name a b;",), ("    server_name c;",)),)


def test_lines_they_took_away_stay_away_when_ours_change() -> None:
    """A deletion is an edit too."""
    edited = BASE.replace("    return 404;\n", "")
    merged = merge(BASE, edited, BASE.replace("404", "403"))
    assert merged.text == edited
    assert merged.conflicts == (Conflict(4, (), ("    return 403;",)),)


def test_what_both_made_the_same_is_no_conflict() -> None:
    """Somebody who did by hand what the run would do now."""
    wanted = BASE.replace("404", "403")
    assert merge(BASE, wanted, wanted) == merge(BASE, BASE, wanted) == merge(BASE, wanted, BASE)
    assert merge(BASE, wanted, wanted).conflicts == ()


def test_lines_that_both_add_in_one_place_are_all_there() -> None:
    """Ours first; also where the old last line had no end."""
    assert merge("a\n", "a\nmine\n", "a\nours\n").text == "a\nours\nmine\n"
    assert merge("a", "a\nmine", "b").text == "b\nmine"


@given(LINES, LINES, st.integers(0, 12))
def test_a_line_put_in_anywhere_keeps_its_end(base: list[str], ours: list[str], place: int) -> None:
    """Also the last one, whatever becomes of the empty lines before it."""
    lines = [*base[:place], "# by hand", *base[place:]]
    merged = merge(*("".join(f"{line}\n" for line in each) for each in (base, lines, ours)))
    assert "# by hand\n" in merged.text
    assert merged.text.endswith("\n")


@given(TEXTS, TEXTS)
def test_one_that_changed_alone_is_taken_as_it_is(base: str, other: str) -> None:
    """Byte for byte, whichever of the two it is, and without a conflict."""
    for merged in (merge(base, other, base), merge(base, base, other), merge(base, other, other)):
        assert merged.text == other
        assert merged.conflicts == ()


@st.composite
def edited(draw: st.DrawFn, text: str, marks: list[str]) -> str:
    """Draw an edit: lines that nobody else has are put in, and lines are taken out."""
    lines = [line for line in text.split("\n") if draw(st.booleans()) or line.startswith("# by hand")]
    for mark in marks:
        lines.insert(draw(st.integers(0, len(lines))), mark)
    return "\n".join(lines)


@settings(deadline=None, max_examples=200)
@given(st.data(), TEXTS, st.lists(TEXTS, min_size=1, max_size=5))
def test_an_edit_survives_any_number_of_merges(data: st.DataObject, first: str, versions: list[str]) -> None:
    """Every line of theirs is there after every later version, each once, in the order it was put in."""
    written, on_disk, marks = first, first, 0
    for version in versions:
        added = data.draw(st.integers(0, 2))
        on_disk = data.draw(edited(on_disk, [f"# by hand {marks + n}" for n in range(added)]))
        marks += added
        order = [line for line in on_disk.split("\n") if line.startswith("# by hand")]
        on_disk = merge(written, on_disk, version).text
        assert [line for line in on_disk.split("\n") if line.startswith("# by hand")] == order
        assert len(order) == marks
        assert merge(version, on_disk, version).text == on_disk
        written = version
