"""What is compared: files by everything that can be said of them, and answers of the neighbour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from palpo_installer.demo import record
from palpo_installer.demo.premises import NEIGHBOUR
from palpo_installer.demo.record import Files, files, in_words, kept, watching
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer
from tests.ports import free_port


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host with a file, a link and a directory."""
    (tmp_path / "etc/empty").mkdir(parents=True)
    (tmp_path / "etc/file").write_text("text")
    (tmp_path / "etc/link").symlink_to("file")
    return Layout(tmp_path, private=True)


def written(path: str) -> Callable[[Path], object]:
    """Return what writes a file with its directories."""

    def write(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("more")

    return write


def linked_elsewhere(root: Path) -> None:
    """Let the link lead elsewhere."""
    (root / "etc/link").unlink()
    (root / "etc/link").symlink_to("empty")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (written("etc/file"), "/etc/file"),
        (written("etc/palpo-installer/answers.toml"), "/etc/palpo-installer/answers.toml"),
        (lambda root: (root / "etc/file").chmod(0o600), "/etc/file"),
        (lambda root: (root / "etc/empty").rmdir(), "/etc/empty"),
        (linked_elsewhere, "/etc/link"),
    ],
)
def test_every_change_of_a_file_shows(layout: Layout, change: Callable[[Path], object], path: str) -> None:
    """By its path and in the fingerprint: bytes, mode, what is new, what is gone, where a link leads."""
    before = files(layout)
    assert (before.differences(files(layout)), before.fingerprint) == ((), files(layout).fingerprint)
    change(layout.root)
    after = files(layout)
    assert after.differences(before) == before.differences(after) == (path,)
    assert after.fingerprint != before.fingerprint


def test_what_stays_on_purpose_and_what_programs_write_does_not_count(layout: Layout) -> None:
    """Keys, authority and history are kept and named; logs and process numbers are nobody's change."""
    for path in ("/var/lib", "/var/log", "/run"):
        layout.at(path).mkdir(parents=True)
    before = files(layout)
    assert kept(layout) == ()
    for path in ("etc/palpo-installer/keys/a", "var/lib/palpo-installer/lock", "var/log/x", "run/nginx.pid"):
        written(path)(layout.root)
    assert files(layout) == before
    assert kept(layout) == (layout.keys, layout.state)


def test_a_neighbour_that_answers_differently_once_is_remembered(tmp_path: Path) -> None:
    """Also when it is as before again afterwards; one round asks each of its sockets."""
    layout = Layout(tmp_path, free_port(), free_port(), ("127.0.0.1",), private=True)
    with watching(layout) as watch:
        pass
    assert [(each.host, each.tls) for each in watch.questions] == [(NEIGHBOUR, False), (NEIGHBOUR, True)]
    assert watch.first == ("no answer: refused",) * 2
    count = watch.count
    watch.look()
    assert (watch.count, watch.others) == (count + 2, [])
    watch.first = ('200, "The shop is open."', "no answer: refused")
    watch.look()
    watch.first = ("no answer: refused",) * 2
    watch.look()
    assert watch.others == ["no answer: refused"]


def test_an_answer_in_words_has_all_that_must_stay() -> None:
    """Status, text and certificate; why none came."""
    assert in_words(Answer(200, body=b"Hello\n", certificate="ab" * 32)) == (
        '200, "Hello", certificate sha256 abababababababab'
    )
    assert in_words(Answer(problem="refused")) == "no answer: refused"


def test_an_empty_record_has_a_fingerprint() -> None:
    """Of nothing, which no host has."""
    assert Files({}).fingerprint.startswith("e3b0c44298fc1c14")
    assert record.short(Files({}).fingerprint) == "sha256 e3b0c44298fc1c14"
