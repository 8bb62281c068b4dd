from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.media.configuration import ServedName, parse
from tests.media.made import PATH, SOUND, edited


def test_what_it_says_is_read_with_the_lines() -> None:
    """And of the database's password nothing is kept."""
    found = parse(Path(PATH), SOUND.encode())
    assert (found.address, found.port, found.use_forwarded_host, found.repo_line) == ("127.0.0.1", 8000, True, 2)
    key = "/etc/matrix-media-repo/signing.key"
    assert found.served == (ServedName("example.com", "http://127.0.0.1:8008/", key, 7),)
    assert (found.of("example.com"), found.of("example.org")) == (found.served[0], None)
    assert "hunter2" not in repr(found)


def test_what_it_leaves_out_has_the_defaults_of_matrix_media_repo() -> None:
    """Its own ones (``common/config/conf_main.go``): loopback, port 8000, 100 MiB, the forwarded host."""
    found = parse(Path(PATH), b"homeservers: []\n")
    assert (found.address, found.port, found.use_forwarded_host) == ("127.0.0.1", 8000, True)
    assert (found.upload_size, found.token_seconds, found.served) == (104857600, 0, ())


@pytest.mark.parametrize(("word", "expected"), [("false", False), ("no", False), ("off", False), ("yes", True)])
def test_words_for_true_and_false(word: str, expected: bool) -> None:
    """As the Go library reads them into a boolean."""
    assert parse(Path(PATH), f"repo: {{useForwardedHost: {word}}}".encode()).use_forwarded_host is expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"repo: [", "line 1: expected the node content"),
        (b"repo:\n\tport: 8000\n", "line 2: found character '\\t'"),
        (b"\xff", "is not UTF-8"),
        (b"", "says nothing"),
        (b"- 1\n", "says nothing"),
        (b"[" * 5000, "is nested too deeply"),
    ],
)
def test_a_broken_file_says_why_and_where(data: bytes, problem: str) -> None:
    """Never a traceback."""
    assert parse(Path(PATH), data).problem.startswith(problem)


def test_values_of_a_wrong_kind_are_as_if_they_were_not_there() -> None:
    """Numbers that are none, tables that are texts; an address that is empty is every address."""
    text = edited(("port: 8000", "port: many"), ("bindAddress: '127.0.0.1'", "bindAddress:"))
    found = parse(Path(PATH), f"{text}uploads: 7\n".encode())
    assert (found.port, found.address, found.upload_size) == (8000, "0.0.0.0", 104857600)
