from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.media.configuration import MediaConfiguration, ServedName, parse
from palpo_installer.media.documents import Place
from tests.media.made import PATH, SOUND, edited, parsed

LISTED = "homeservers: [{name: example.com, csApi: 'http://127.0.0.1:8008', signingKeyPath: /k}]\n"


def laid(**files: str) -> MediaConfiguration:
    """Return what a directory of files says; each is named as the argument, with .yaml."""
    directory = Path("/etc/mmr")
    return parse(directory, {directory / f"{name}.yaml": text.encode() for name, text in files.items()})


def test_what_it_says_is_read_with_the_lines() -> None:
    """And of the database's password nothing is kept."""
    found, file = parsed(SOUND), Path(PATH)
    assert (found.address, found.port, found.use_forwarded_host) == ("127.0.0.1", 8000, True)
    assert found.repo_at == Place(file, 2)
    key = "/etc/matrix-media-repo/signing.key"
    entry = ServedName("example.com", "http://127.0.0.1:8008/", key, Place(file, 7), Place(file), Place(file))
    assert found.served == (entry,)
    assert (found.of("example.com"), found.of("example.org")) == (entry, None)
    assert "hunter2" not in repr(found)


def test_what_it_leaves_out_has_the_defaults_of_matrix_media_repo() -> None:
    """Its own ones (``common/config/conf_main.go``): loopback, port 8000, 100 MiB, the forwarded host."""
    found = parsed("homeservers: [{name: example.com}]\n")
    assert (found.address, found.port, found.use_forwarded_host) == ("127.0.0.1", 8000, True)
    assert [(each.upload_size, each.token_seconds) for each in found.served] == [(104857600, 0)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("false", False), ("no", False), ("No", False), ("'off'", False), ("yes", True), ("'true'", None), ("1", None)],
)
def test_words_for_true_and_false(word: str, expected: bool | None) -> None:
    """As the Go library reads them into a boolean; it refuses what is neither."""
    found = parsed(f"repo: {{useForwardedHost: {word}}}")
    assert (None if found.problem else found.use_forwarded_host) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("8_001", 8001), ("0x1f41", 8001), ("8e3", 8000), ("010", 8), ("08000", 8000), ("~", 8000),
     ("'8001'", None), ("many", None), ("1:20", None), ("99999999999999999999", None), ("[1]", None)],
)  # fmt: skip
def test_ways_of_writing_a_number(word: str, expected: int | None) -> None:
    """As the Go library reads them; it refuses what is none, and matrix-media-repo does not start."""
    found = parsed(f"repo: {{port: {word}}}")
    assert (None if found.problem else found.port) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"repo: [", "line 1: expected the node content"),
        (b"repo:\n\tport: 8000\n", "line 2: found character '\\t'"),
        (b"repo: {port: 1}\nrepo: {port: 2}\n", "line 2: repo is there twice"),
        (b"repo: [1]", "line 1: repo is no table"),
        (b"homeservers: {name: a}", "line 1: homeservers is no list of tables"),
        (b"homeservers: [a]", "line 1: homeservers is no list of tables"),
        (b"repo: {bindAddress: {a: b}}", "line 1: bindAddress is no text"),
        (b"\xff", "is not UTF-8"),
        (b"", "says nothing"),
        (b"- 1\n", "says nothing"),
        (b"[" * 5000, "is nested too deeply"),
    ],
)
def test_a_broken_file_says_why_and_where(data: bytes, problem: str) -> None:
    """Never a traceback."""
    assert parse(Path(PATH), {Path(PATH): data}).problem.startswith(problem)


def test_an_address_that_is_empty() -> None:
    """A text without a letter is every address; no value at all leaves the default."""
    assert parsed(edited(("'127.0.0.1'", "''"))).address == "0.0.0.0"
    assert parsed(edited(("'127.0.0.1'", ""))).address == "127.0.0.1"


def test_what_is_taken_over_and_what_comes_after() -> None:
    """References and merges count; of several documents the first."""
    found = parsed("x: &r {port: 7}\nrepo:\n  <<: *r\n  bindAddress: 192.0.2.1\n---\nrepo: {port: 9}\n")
    assert (found.address, found.port) == ("192.0.2.1", 7)


def test_a_directory_is_laid_over_section_by_section() -> None:
    """A later section replaces the whole of an earlier one, so what that said is gone."""
    found = laid(a=f"repo: {{port: 1, bindAddress: '0.0.0.0'}}\n{LISTED}", b="\n\nrepo: {port: 2}\n")
    assert (found.port, found.address, found.repo_at) == (2, "127.0.0.1", Place(Path("/etc/mmr/b.yaml"), 3))
    assert [each.name for each in found.served] == ["example.com"]


def test_a_file_for_one_server_alone() -> None:
    """Its words win for that server; a section of it that says nothing means 0, not the default."""
    common = f"{LISTED}uploads: {{maxBytes: 5}}\naccessTokens: {{maxCacheTimeSeconds: 3}}\n"
    found = laid(a=common, b="homeserver: example.com\ncsApi: http://[::1]:8008\n", c="homeserver: example.org\n")
    entry, other = found.served
    assert (entry.cs_api, entry.signing_key, entry.upload_size, entry.token_seconds) == (
        "http://[::1]:8008",
        "/k",
        5,
        3,
    )
    assert (other.name, other.cs_api, other.place) == (
        "example.org",
        "https://UNDEFINED",
        Place(Path("/etc/mmr/c.yaml")),
    )
    own = laid(a=common, b="homeserver: example.com\n\nuploads:\n  minBytes: 1\n").served[0]
    assert (own.upload_size, own.uploads_at) == (0, Place(Path("/etc/mmr/b.yaml"), 4))


def test_a_problem_in_a_directory_names_the_file() -> None:
    """It reads every file there, whatever it is called."""
    assert laid(a=LISTED, b="repo: [").problem.startswith("b.yaml: line 1: ")
