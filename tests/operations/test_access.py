"""Who gets through to a certificate of ours: a group, as narrowly as can be, and taken back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from palpo_installer.certificates import access, authority, store
from palpo_installer.errors import HostError
from palpo_installer.layout import Layout
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.base import State, Workbench
from tests.benches import workbench

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files change their group")

ACCOUNT, GROUP = "www-data", "www-data"


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory through which every account gets, other than those of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@pytest.fixture
def bench(room: Path) -> Workbench:
    """A workbench in it."""
    return workbench(room)


def key(path: Path) -> LetGroupIn:
    """Return the operation on a key."""
    return LetGroupIn(path, directory=False, account=ACCOUNT, group=GROUP)


def seen(path: Path) -> tuple[str, int]:
    """Return group and mode."""
    return path.group(), path.stat().st_mode & 0o7777


def test_a_key_is_given_to_the_group_and_back(bench: Workbench, room: Path) -> None:
    """Read by the group, by nobody else; twice is once, in both directions."""
    path = room / "one.pem"
    path.touch(mode=0o600)
    before = key(path).prepare(bench, 1)
    for _ in range(2):
        key(path).act(bench, before)
        assert seen(path) == (GROUP, 0o640)
        assert key(path).observe(bench, before) is State.AFTER
    for _ in range(2):
        key(path).undo(bench, before)
        assert seen(path) == ("root", 0o600)
        assert key(path).observe(bench, before) is State.BEFORE


def test_a_lineage_is_given_back_with_its_earlier_keys(bench: Workbench, room: Path) -> None:
    """Certbot keeps earlier keys, each with the group of the one before; what was yet to be ordered becomes root's."""
    live = room / "privkey.pem"
    before = key(live).prepare(bench, 1)
    archive = room / "archive"
    archive.mkdir()
    for number in (1, 2):
        (archive / f"privkey{number}.pem").touch(mode=0o600)
    live.symlink_to(archive / "privkey2.pem")
    key(live).act(bench, before)
    assert {seen(each) for each in archive.iterdir()} == {(GROUP, 0o640)}
    key(live).undo(bench, before)
    assert {seen(each) for each in archive.iterdir()} == {("root", 0o600)}


def test_a_group_that_had_it_before_and_could_not_read_it_cannot_again(bench: Workbench, room: Path) -> None:
    """Only the mode was changed, and it comes back."""
    path = room / "one.pem"
    path.touch(mode=0o600)
    shutil.chown(path, group=GROUP)
    before = key(path).prepare(bench, 1)
    key(path).act(bench, before)
    assert seen(path) == (GROUP, 0o640)
    key(path).undo(bench, before)
    assert seen(path) == (GROUP, 0o600)
    assert key(path).observe(bench, before) is State.BEFORE


def test_what_somebody_gave_to_others_since_stays(bench: Workbench, room: Path) -> None:
    """Another group is the administrator's own."""
    path = room / "one.pem"
    path.touch(mode=0o600)
    before = key(path).prepare(bench, 1)
    key(path).act(bench, before)
    os.chown(path, -1, 1)
    assert key(path).observe(bench, before) is State.OTHER
    key(path).undo(bench, before)
    assert path.stat().st_gid == 1


def test_who_is_kept_out_all_the_same_is_an_error(bench: Workbench, room: Path) -> None:
    """A key that never came cannot be given to anybody."""
    missing = key(room / "none.pem")
    with pytest.raises(HostError, match="kept out"):
        missing.act(bench, missing.prepare(bench, 1))


def test_a_directory_is_passed_and_not_listed(bench: Workbench, room: Path) -> None:
    """0710: names of other certificates are nobody's business."""
    directory = room / "live"
    directory.mkdir(mode=0o700)
    operation = LetGroupIn(directory, directory=True, account=ACCOUNT, group=GROUP)
    before = operation.prepare(bench, 1)
    operation.act(bench, before)
    assert seen(directory) == (GROUP, 0o710)
    assert "mode 0710" in " ".join(operation.describe(bench.host).details)


def test_a_certificate_issued_again_keeps_its_group(bench: Workbench) -> None:
    """The local authority does as certbot does: who could read the former one can read the next."""
    layout = bench.host.layout
    files = authority.issue("example.com", layout)
    for path in access.way(layout, files):
        operation = LetGroupIn(path, directory=path.is_dir(), account=ACCOUNT, group=GROUP)
        operation.act(bench, operation.prepare(bench, 1))
    authority.issue("example.com", layout)
    assert seen(files.chain) == (GROUP, 0o640)
    assert access.barrier(files.key, ACCOUNT) is None
    assert access.barrier(authority.authority_files(layout).key, ACCOUNT) is not None


def test_what_is_in_the_way() -> None:
    """Of an order: our directories and the key; of the local authority: the certificate too; of others nothing."""
    layout = Layout()
    ordered, issued = (access.way(layout, of(layout, "example.com")) for of in (store.ordered, store.self_signed))
    assert [path.name for path in ordered] == ["palpo-installer", "acme", "live", "archive", "privkey.pem"]
    assert [path.name for path in issued][-3:] == ["example.com", "fullchain.pem", "privkey.pem"]
    assert access.way(Layout(Path("/elsewhere")), store.ordered(layout, "example.com")) == ()
    assert access.barrier(Path("/etc/passwd"), "nobody") is None
    assert access.barrier(Path("/etc/passwd"), "no such account") == Path("/etc/passwd")
