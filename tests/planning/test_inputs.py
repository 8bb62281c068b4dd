"""What a plan is made from, and how a wanted file is compared with what is there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.operations.files import MakeLink, WriteFile
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, EDITED, Inputs, link, missing_directories, rewrite, write
from palpo_installer.secret import Secret, SecretReference, Text
from tests.planning.made import inputs_on

PASSWORD = SecretReference("password", "answer", "password")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for a host without earlier runs is made from."""
    return inputs_on(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is ours to write."""
    return tmp_path / "file"


def recorded_as_ours(inputs: Inputs, path: Path, text: str = "old") -> Inputs:
    """Return inputs in which an earlier run wrote a text to a path."""
    path.write_text(text)
    path.chmod(0o644)
    return replace(inputs, ours={str(path): hashlib.sha256(text.encode()).hexdigest()})


def test_what_is_not_there_is_written(inputs: Inputs, path: Path) -> None:
    """For us as owner, and only while still nothing is there."""
    operation = write(inputs, path, Text("new"), 0o600)
    assert operation == WriteFile(path, Text("new"), 0o600, os.geteuid(), os.getegid(), planned="")


def test_what_is_right_stays_whoever_wrote_it(inputs: Inputs, path: Path) -> None:
    """The same bytes and mode need nothing, recorded or not."""
    path.write_text("new")
    path.chmod(0o644)
    assert write(inputs, path, Text("new"), 0o644) == Unchanged(str(path), AS_IT_SHOULD_BE)


def test_what_is_ours_is_replaced(inputs: Inputs, path: Path) -> None:
    """Only as long as it is what the plan was made for: the operation knows its hash."""
    ours = recorded_as_ours(inputs, path)
    operation = write(ours, path, Text("new"), 0o644)
    assert isinstance(operation, WriteFile)
    assert operation.planned == ours.ours[str(path)]


def test_a_mode_that_somebody_opened_is_put_right(inputs: Inputs, path: Path) -> None:
    """The same bytes with another mode are written again."""
    ours = recorded_as_ours(inputs, path)
    path.chmod(0o666)
    assert isinstance(write(ours, path, Text("old"), 0o600), WriteFile)


def test_an_edit_is_never_overwritten(inputs: Inputs, path: Path) -> None:
    """It stays while the answers do; with others that change the file too, the person must choose."""
    ours = recorded_as_ours(inputs, path)
    path.write_text("by hand")
    assert ours.edited(path)
    assert write(ours, path, Text("old"), 0o644) == Unchanged(str(path), EDITED)
    assert write(ours, path, Text("by hand"), 0o644) == Unchanged(str(path), AS_IT_SHOULD_BE)
    with pytest.raises(RefusedPlan, match="was edited by hand, and these answers change it too") as refused:
        write(ours, path, Text("new"), 0o644)
    assert refused.value.where == str(path)


def test_what_a_person_is_meant_to_edit_is_rewritten(inputs: Inputs, path: Path) -> None:
    """Whoever wrote it last; only what is no regular file is in the way."""
    path.write_text("by hand")
    operation = rewrite(inputs, path, Text("new"), 0o600)
    assert isinstance(operation, WriteFile)
    assert operation.planned == inputs.host.digest(path)
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(RefusedPlan, match="is in the way"):
        rewrite(inputs, path, Text("new"), 0o600)


def test_a_file_of_ours_that_was_deleted_is_no_edit(inputs: Inputs, path: Path) -> None:
    """It is written again."""
    ours = recorded_as_ours(inputs, path)
    path.unlink()
    assert not ours.edited(path)
    assert isinstance(write(ours, path, Text("new"), 0o644), WriteFile)


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_not_ours_is_in_the_way(inputs: Inputs, path: Path, kind: str) -> None:
    """A stranger's file, directory or link is named and left, for files and for links."""
    match kind:
        case "file":
            path.write_text("theirs")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("theirs")
    for plan in (lambda: write(inputs, path, Text("new"), 0o644), lambda: link(inputs, path, "ours")):
        with pytest.raises(RefusedPlan, match="palpo-installer did not make it") as refused:
            plan()
        assert refused.value.where == str(path)


def test_links(inputs: Inputs, path: Path) -> None:
    """Made where nothing is, kept where it is right, changed where it is ours."""
    assert link(inputs, path, "target") == MakeLink(path, "target", "")
    path.symlink_to("target")
    assert link(inputs, path, "target") == Unchanged(str(path), AS_IT_SHOULD_BE)
    ours = replace(inputs, ours={str(path): ""})
    assert link(ours, path, "other") == MakeLink(path, "other", "link target")


def test_a_text_with_secrets_is_compared_with_them(inputs: Inputs, path: Path) -> None:
    """A file with the right secret in it is as it should be; with another, or an unknown one, it is not."""
    given = replace(inputs, secrets={"password": Secret('hunter"2')})
    text = Text(f'password = "{PASSWORD.placeholder}"\n', (PASSWORD,))
    path.write_text('password = "hunter\\"2"\n')
    path.chmod(0o600)
    ours = {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}
    assert isinstance(write(replace(given, ours=ours), path, text, 0o600), Unchanged)
    for secrets in ({"password": Secret("another")}, {}):
        assert isinstance(write(replace(given, ours=ours, secrets=secrets), path, text, 0o600), WriteFile)


def test_secrets_are_found_where_they_are(inputs: Inputs, tmp_path: Path) -> None:
    """Given as text, in a file without its line end, or as the signing key that is there; else there is none yet."""
    file = SecretReference("password", "file", str(tmp_path / "password"))
    key = SecretReference("signing key", "signing-key", "example.com")
    for reference in (PASSWORD, file, key):
        assert inputs.reveal(reference) is None
    assert not inputs.layout.keys.exists()
    (tmp_path / "password").write_text("hunter2\n")
    made = signing_key(inputs.layout, "example.com")
    given = replace(inputs, secrets={"password": Secret("from the answers")})
    assert given.reveal(PASSWORD) == Secret("from the answers")
    assert given.reveal(file) == Secret("hunter2")
    assert given.reveal(key) == made


def test_missing_directories_are_made_from_the_top(tmp_path: Path) -> None:
    """Each once, however many files lie in it; what is there, also as a link, is not touched."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    paths = (tmp_path / "a/b/one", tmp_path / "a/two", tmp_path / "there/three", tmp_path / "link/four")
    assert [each.path for each in missing_directories(paths)] == [tmp_path / "a", tmp_path / "a/b"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_we_may_not_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    """Without root, a plan ends with the file and what to try, never with a traceback."""
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    script = (
        "import sys; from pathlib import Path\n"
        "from palpo_installer.errors import HostError; from palpo_installer.planning.inputs import look\n"
        "import os; os.setuid(65534)\n"
        "try: look(Path(sys.argv[1]))\n"
        "except HostError as error: print(error)\n"
    )
    argv = (sys.executable, "-c", script, str(tmp_path / "secret"))
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert said.stdout == f"{tmp_path}/secret: cannot be read: Permission denied. Try it as root\n"
