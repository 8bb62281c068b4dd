"""The journal on a real disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.engine.journal import OPEN, Journal, Record, progress, read
from palpo_installer.errors import HostError


def written(path: Path, *records: Record) -> None:
    """Append records as one process would."""
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    """What was appended, also by a second process, is what is read."""
    path = tmp_path / "journal.jsonl"
    first, second = Record("prepared", "0", {"path": "/etc/ä"}), Record("acting", "0")
    written(path, first)
    written(path, second)
    assert read(path) == (first, second)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_line_never_counted(tmp_path: Path, cut: int) -> None:
    """A power cut in the middle of a line loses that line only, and the next append starts a new one."""
    path = tmp_path / "journal.jsonl"
    written(path, Record("prepared", "0", {"n": 1}), Record("acting", "0"))
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == (Record("prepared", "0", {"n": 1}),)
    written(path, Record("undoing", "0"))
    assert [record.kind for record in read(path)] == ["prepared", "undoing"]


def test_an_empty_file_gets_its_header(tmp_path: Path) -> None:
    """A run that was killed between making the file and its first line can still be recorded."""
    path = tmp_path / "journal.jsonl"
    path.touch()
    written(path, Record("acting", "0"))
    assert read(path) == (Record("acting", "0"),)


def test_an_unknown_format_is_not_guessed_at(tmp_path: Path) -> None:
    """A journal of a later version is refused with what to do, not misread."""
    path = tmp_path / "journal.jsonl"
    path.write_text('{"format":2,"tool":"9.0"}\n')
    with pytest.raises(HostError, match=r"version 9\.0"):
        read(path)


def test_a_run_is_open_until_its_last_record_is_an_end() -> None:
    """Undoing after an end opens a run again, so a rollback that is cut off goes on at the next start."""
    end = Record("end", "", {"result": "applied"})
    assert progress((Record("acting", "0"),)).end is None
    assert progress((Record("acting", "0"), end)).end == {"result": "applied"}
    assert progress((Record("acting", "0"), end, Record("undoing", "0"))).end is None


def test_the_latest_preparation_of_a_step_counts() -> None:
    """A step prepared again (an edit was given up) is undone by its new record."""
    records = (Record("prepared", "0", {"n": 1}), Record("acting", "0"), Record("prepared", "0", {"n": 2}))
    assert progress(records).prepared == {"0": {"n": 2}}
    assert progress(records).begun == ("0",)


def test_a_sign_lies_beside_an_open_journal(tmp_path: Path) -> None:
    """From before the first record until after the end, and again when a rollback goes on: a boot looks for it."""
    path, sign = tmp_path / "journal.jsonl", tmp_path / OPEN
    end = Record("end", "", {"result": "applied"})
    written(path, Record("acting", "0"))
    assert sign.exists()
    written(path, end)
    assert not sign.exists()
    journal = Journal(path)
    journal.append_all([Record("prepared", "0"), Record("prepared", "1")])
    assert sign.exists()
    journal.append(end)
    assert not sign.exists()
    journal.close()
