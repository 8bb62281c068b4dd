"""Values as JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from palpo_installer.serialization import dump, load, tag


@dataclass(frozen=True)
class Circle:
    """One shape."""

    radius: int


@dataclass(frozen=True)
class Square:
    """Another one with the same field."""

    radius: int
    label: str = ""


Shape = Circle | Square
tag(Shape)


@dataclass(frozen=True)
class Drawing:
    """A value with everything that plans have."""

    path: Path
    shapes: tuple[Shape, ...]
    frame: Shape | None = None
    names: tuple[str, ...] = ()


DRAWING = Drawing(Path("/a/ü"), (Circle(1), Square(1, "x")), Square(2), ("é", "b"))


def test_a_value_comes_back_as_it_was() -> None:
    """Paths, tuples, and members of a union that have the same fields."""
    assert load(dump(DRAWING), Drawing) == DRAWING
    assert load(dump(Drawing(Path("/"), ())), Drawing) == Drawing(Path("/"), ())


def test_a_member_of_a_union_has_its_name() -> None:
    """Also where there may be none; otherwise a square could come back as a circle."""
    fields = json.loads(dump(DRAWING))
    assert [shape["kind"] for shape in fields["shapes"]] == ["Circle", "Square"]
    assert fields["frame"]["kind"] == "Square"
    assert json.loads(dump(Circle(1), Shape)) == {"kind": "Circle", "radius": 1}


def test_the_text_is_stable() -> None:
    """The same value is the same text, keys in order, readable, with a newline at its end: it is hashed."""
    text = dump(DRAWING)
    assert text == dump(load(text, Drawing))
    assert text.endswith("}\n")
    assert "/a/ü" in text
    keys = [line.split('"')[1] for line in text.splitlines() if line.startswith(' "')]
    assert keys == ["frame", "names", "path", "shapes"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"path": "/", "shapes": 1}',
        '{"path": "/", "shapes": [{"radius": 1}]}',
        '{"path": "/", "shapes": [{"kind": "Triangle", "radius": 1}]}',
        '{"path": "/", "shapes": [{"kind": "Circle", "radius": 1, "more": 2}]}',
        '{"path": "/", "shapes": [], "unknown": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_such_value_is_refused(text: str) -> None:
    """Broken JSON, missing, unknown and wrong fields are all a ValueError, never a half-read value."""
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the libraries'
        load(text, Drawing)


def test_a_refusal_names_the_field() -> None:
    """So that a broken file can be looked at."""
    with pytest.raises(ValueError, match=r"\$\.shapes"):
        load('{"path": "/", "shapes": 1}', Drawing)
