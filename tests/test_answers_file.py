"""answers.toml: what is read, what is refused with its line, and that what was saved is read back equal."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palpo_installer.answers_file import assignments, findings, load, text
from palpo_installer.errors import AnswersError
from palpo_installer.layout import Layout
from palpo_installer.questions import QUESTIONS, Resolved, resolve
from tests.situations import DATABASE, FEWEST, facts

EMPTY = facts()

LABEL = st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)
DOMAIN = LABEL.map("{}.example.com".format)
PATHS = st.from_regex(r"(/[A-Za-z0-9._@+,=~:-]{1,12}){1,4}", fullmatch=True).filter(
    lambda path: ".." not in path.split("/") and path.strip("/.") != ""
)
PRIVATE_PORTS = st.integers(1024, 65535)
UPSTREAMS = st.builds("{}:{}".format, st.sampled_from(["127.0.0.1", "10.0.0.7", "[::1]", "[fd00::7]"]), PRIVATE_PORTS)
PASSWORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="%/@:#?[]"), max_size=20)


@st.composite
def choices(draw: st.DrawFn) -> dict[str, object]:
    """Return raw answers that go together, with any of the optional ones."""
    base, client = draw(DOMAIN), draw(DOMAIN)
    raw: dict[str, object] = {"names.server_name": base, "names.client_host": client, **draw(method(base, client))}
    secret = st.builds("postgres://palpo:{}@127.0.0.1/palpo".format, PASSWORDS)
    registration = draw(st.sampled_from(["closed", "open", "token"]))
    raw["homeserver.registration"] = registration
    if registration == "token":
        raw |= draw(
            one_of_two("homeserver.registration_token", st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True))
        )
    raw |= draw(one_of_two("homeserver.database_url", secret))
    optional = {
        "names.base_domain": st.sampled_from(["ours", "elsewhere"]),
        "federation.delegation": st.sampled_from(["well-known", "srv", "direct", "none"]),
        "homeserver.config": PATHS.map("{}.toml".format),
        "homeserver.storage": PATHS,
        "homeserver.max_upload_size": st.integers(1 << 20, 1 << 30),
        "media.upstream": UPSTREAMS.filter(lambda one: not one.endswith((":8008", ":8448"))),
        "well_known.identity_server": DOMAIN.map("https://{}".format),
        "well_known.support": st.sampled_from(["admin@example.com", "@admin:example.com", "https://example.com/help"]),
        "well_known.rtc_foci": st.lists(DOMAIN.map("https://{}/jwt".format), max_size=3),
    }
    return raw | draw(st.fixed_dictionaries({}, optional=optional))


def one_of_two(key: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, object]]:
    """Return a secret, as text or in a file."""
    return st.one_of(values.map(lambda value: {key: value}), PATHS.map(lambda path: {f"{key}_file": path}))


def method(*names: str) -> st.SearchStrategy[dict[str, object]]:
    """Return where certificates come from, with what that method needs."""
    row = st.fixed_dictionaries({"chain": PATHS, "key": PATHS})
    files = st.fixed_dictionaries(dict.fromkeys(names, row))
    authority = st.fixed_dictionaries(
        {"certificates.method": st.just("http-01"), "certificates.agree_terms": st.just(value=True)},
        optional={
            "certificates.email": DOMAIN.map("admin@{}".format),
            "certificates.directory": DOMAIN.map("https://{}:14000/dir".format),
            "certificates.ca_file": PATHS,
            "certificates.eab_file": PATHS,
            "certificates.proxy": DOMAIN.map("http://{}:3128".format),
        },
    )
    return st.one_of(
        authority,
        st.just({"certificates.method": "self-signed"}),
        files.map(lambda table: {"certificates.method": "files", "certificates.files": table}),
    )


def read_back(first: Resolved) -> Resolved:
    """Save answers as the engine does, load the file and resolve it again."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "answers.toml"
        path.write_text(text(first.answers).reveal(first.secrets), encoding="utf-8")
        return resolve(load(path), EMPTY, Layout())


@settings(deadline=None)
@given(choices())
def test_what_was_saved_is_read_back_equal(raw: dict[str, object]) -> None:
    """Answers and secrets survive the file, whatever the passwords are made of."""
    first = resolve(raw, EMPTY, Layout())
    second = read_back(first)
    assert second.answers == first.answers
    assert second.secrets == first.secrets


@settings(deadline=None)
@given(choices())
def test_the_shown_text_has_no_secret(raw: dict[str, object]) -> None:
    """What is shown is TOML with placeholders; the values come only from ``reveal``."""
    first = resolve(raw, EMPTY, Layout())
    saved = text(first.answers)
    assert {reference.name for reference in saved.secrets} == set(first.secrets)
    for reference in saved.secrets:
        assert f'"{reference.placeholder}"' in saved.shown
    if "homeserver.database_url" in first.secrets:
        assert first.secrets["homeserver.database_url"].reveal() not in saved.shown


def test_every_key_is_in_the_file_with_a_comment() -> None:
    """Each key is written, or commented out with an example, under a line that says what it is."""
    shown = text(resolve(FEWEST, EMPTY, Layout()).answers).shown
    lines = shown.splitlines()
    for question in QUESTIONS:
        said = next(number for number, line in enumerate(lines) if line.startswith(f"# {question.text}"))
        if question.key != "certificates.files":
            assert re.match(rf"(# )?{question.key.partition('.')[2]} = \S", lines[said + 1])
    assert '# identity_server = "https://identity.example.com"' in lines
    assert "# Who may make an account: closed | token | open" in lines


def written(directory: Path, content: str | bytes) -> Path:
    """Return a file of answers with this content."""
    path = directory / "answers.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_tables_become_dotted_keys(tmp_path: Path) -> None:
    """Sections are flattened, also the table by host name when its quotes were forgotten."""
    path = written(
        tmp_path,
        """
        version = 1
        names.server_name = "example.com"
        [homeserver]
        max_upload_size = "16MiB"
        [certificates.files."example.com"]
        chain = "/a"
        [certificates.files.matrix.example.com]
        key = "/b"
        """,
    )
    assert load(path) == {
        "names.server_name": "example.com",
        "homeserver.max_upload_size": "16MiB",
        'certificates.files."example.com".chain': "/a",
        'certificates.files."matrix.example.com".key': "/b",
    }


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_the_version_may_be_missing(tmp_path: Path, start: str) -> None:
    """A file without a version is of the first one; a byte order mark does no harm."""
    path = written(tmp_path, f'{start}[names]\nserver_name = "example.com"\n')
    assert load(path) == {"names.server_name": "example.com"}


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        ("[names]\nserver_name = example.com\n", ":2", "no TOML"),
        ("[names]\nserver_name = 'a'\nserver_name = 'b'\n", ":3", "no TOML"),
        ("[names\n", ":1", "no TOML"),
        ("a = 1\nb = [", ":2", "no TOML"),
        (b"a = 1\n# \xff\n", ":2", "UTF-8"),
        ("version = 2\n", "", "newer palpo-installer"),
        ("version = '1'\n", ": version", "whole number"),
        ("version = true\n", ": version", "whole number"),
        ("#" * (1 << 20) + "\n", "", "1 MiB"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str | bytes, where: str, said: str) -> None:
    """A mistake is named with file and line; a newer version and a wrong file are told apart."""
    path = written(tmp_path, content)
    with pytest.raises(AnswersError) as caught:
        load(path)
    assert caught.value.where == f"{path}{where}"
    assert said in str(caught.value)


def test_a_missing_file_is_bad_usage(tmp_path: Path) -> None:
    """A file that is not there, or is a directory, is an error of the answers, with its path."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(AnswersError) as caught:
            load(path)
        assert (caught.value.where, caught.value.exit_code) == (str(path), 2)


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1), (0o604, 1), (0o602, 1)])
def test_a_secret_that_others_can_read_is_reported(tmp_path: Path, mode: int, expected: int) -> None:
    """A file with a secret is for its owner alone; one without may be read by all."""
    path = written(tmp_path, f"[homeserver]\ndatabase_url = {json.dumps(DATABASE)}\n")
    path.chmod(mode)
    said = findings(path, load(path))
    assert len(said) == expected
    assert all(f"chmod 600 {path}" in one and "hunter2" not in one for one in said)
    assert findings(path, {"homeserver.database_url_file": "/root/url"}) == ()


def test_assignments_have_the_types_of_a_file() -> None:
    """Words of the command line become what a TOML file would hold, so that both can be merged and stored."""
    values = assignments(
        (
            "names.server_name=example.com",
            "federation.port=8448",
            "certificates.agree_terms=yes",
            "homeserver.max_upload_size=16MiB",
            "homeserver.config=/etc/palpo/a=b.toml",
            "well_known.rtc_foci=https://a.example.com,https://b.example.com",
            'certificates.files."example.com".chain=/srv/chain.pem',
            "names.server_name=example.org",
            "certificates.email=",
        )
    )
    assert values == {
        "names.server_name": "example.org",
        "federation.port": 8448,
        "certificates.agree_terms": True,
        "homeserver.max_upload_size": 16 << 20,
        "homeserver.config": "/etc/palpo/a=b.toml",
        "well_known.rtc_foci": ["https://a.example.com", "https://b.example.com"],
        'certificates.files."example.com".chain': "/srv/chain.pem",
        "certificates.email": "",
    }
    assert json.loads(json.dumps(values)) == values


def test_an_empty_assignment_takes_an_answer_away() -> None:
    """What a file says can be unsaid, a secret included."""
    raw = {**FEWEST, "well_known.support": "admin@example.com", **assignments(["well_known.support="])}
    assert resolve(raw, EMPTY, Layout()).answers.well_known.support == ""
    merged = {**FEWEST, **assignments(["homeserver.database_url=", "homeserver.database_url_file=/root/url"])}
    reference = resolve(merged, EMPTY, Layout()).answers.homeserver.database_url
    assert reference is not None
    assert (reference.source, reference.locator) == ("file", "/root/url")


@pytest.mark.parametrize(
    ("word", "where", "said"),
    [
        (
            f"homeserver.database_url={DATABASE}",
            "homeserver.database_url",
            "--set homeserver.database_url_file=PATH",
        ),
        ("homeserver.registration_token=hunter2", "homeserver.registration_token", "process list"),
        (DATABASE, "--set", "has no ="),
        (f"{DATABASE}?sslmode=disable", "", "no key"),
        ("names.servername=example.com", "names.servername", "Did you mean names.server_name"),
        ("federation.port=http", "federation.port", "1 to 65535"),
        ("certificates.agree_terms=perhaps", "certificates.agree_terms", "true or false"),
    ],
)
def test_refused_assignments(word: str, where: str, said: str) -> None:
    """A secret on the command line is refused, wherever it stands, and never repeated."""
    with pytest.raises(AnswersError) as caught:
        assignments([word])
    assert caught.value.where == where
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
