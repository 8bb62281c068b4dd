"""A zone's file goes back byte for byte where nobody else changed the zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.layout import Layout
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.zone_file import ZoneFile, settings

PACKAGED = '<?xml version="1.0"?>\n<zone>\n  <service name="ssh"/>\n  <forward/>\n</zone>\n'
OWN = '<zone target="default"><!-- mine -->\n<forward/><service name="ssh"/></zone>\n'
REWRITTEN = '<zone target="default">\n  <service name="ssh"/>\n  <forward/>\n</zone>\n'
ANOTHER = REWRITTEN.replace("<forward/>", '<forward/><port port="9" protocol="tcp"/>')


@pytest.fixture
def zone(tmp_path: Path) -> ZoneFile:
    """A zone of which only the package's file is there."""
    found = ZoneFile.of(Layout(root=tmp_path), "public")
    for path in (found.path, found.packaged):
        path.parent.mkdir(parents=True)
    found.packaged.write_text(PACKAGED)
    return found


def copied(zone: ZoneFile, directory: Path) -> tuple[str, str]:
    """Copy what is there, as a run does, and return where to."""
    directory.mkdir()
    file, backup = (str(path) if path else "" for path in zone.copies(directory, 3))
    zone.keep(file, backup)
    return file, backup


def test_a_file_that_was_not_there_goes(zone: ZoneFile, tmp_path: Path) -> None:
    """With its backup; twice is as once."""
    copies = copied(zone, tmp_path / "copies")
    assert copies == ("", "")
    zone.path.write_text(PACKAGED)
    zone.backup.write_text("opened")
    zone.settle(*copies)
    zone.settle(*copies)
    assert list(zone.path.parent.iterdir()) == []


def test_a_file_written_by_hand_comes_back(zone: ZoneFile, tmp_path: Path) -> None:
    """Comment, order and mode; firewalld kept the settings only."""
    zone.path.write_text(OWN)
    zone.path.chmod(0o600)
    zone.backup.write_text("older")
    before = state_of(zone.path), state_of(zone.backup)
    copies = copied(zone, tmp_path / "copies")
    zone.path.write_text(REWRITTEN)
    zone.path.chmod(0o644)
    zone.backup.write_text(OWN)
    zone.settle(*copies)
    assert (state_of(zone.path), state_of(zone.backup)) == before
    assert len(list(zone.path.parent.iterdir())) == 2


def test_what_somebody_changed_since_stays(zone: ZoneFile, tmp_path: Path) -> None:
    """The port is closed; the rest of the file is theirs now."""
    zone.path.write_text(OWN)
    copies = copied(zone, tmp_path / "copies")
    zone.path.write_text(ANOTHER)
    zone.settle(*copies)
    assert zone.path.read_text() == ANOTHER


def test_copies_that_are_gone_leave_firewallds_own_form(zone: ZoneFile, tmp_path: Path) -> None:
    """After ten runs they are; what the file says is the same."""
    zone.path.write_text(REWRITTEN)
    zone.settle(str(tmp_path / "gone.xml"), "")
    assert zone.path.read_text() == REWRITTEN


def test_settings_are_compared_whatever_their_form(tmp_path: Path) -> None:
    """Order, space and comments say nothing; what cannot be read says nothing either."""
    texts = {name: tmp_path / name for name in ("own", "rewritten", "another", "broken")}
    for path, text in zip(texts.values(), (OWN, REWRITTEN, ANOTHER, "<zone"), strict=True):
        path.write_text(text)
    assert settings(texts["own"]) == settings(texts["rewritten"]) != settings(texts["another"])
    assert settings(texts["broken"]) is settings(tmp_path / "none") is None
