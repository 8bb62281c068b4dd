"""Reports: for people and for machines."""

from __future__ import annotations

from palpo_installer.serialization import dump, load
from palpo_installer.verify.report import Report, Result, cannot_tell, describe, failed, passed

LINE = "_matrix-fed._tcp.a-very-long-name-of-a-server.example.com. 3600 IN SRV 10 0 8448 matrix.example.com."
REPORT = Report(
    (
        passed("name", "example.com", "example.com has 192.0.2.1 (this machine)."),
        failed(
            "service records", "example.com", "One is missing, " * 9, f"Publish in DNS, {'and wait ' * 12}:\n{LINE}"
        ),
        cannot_tell("connection", "port 443 at 192.0.2.2", "It cannot be reached from here."),
    )
)


def test_states_are_words() -> None:
    """Each result is said in a word at the beginning of its line, and counted at the end."""
    lines = describe(REPORT).splitlines()
    assert lines[0] == "pass         name: example.com"
    assert [line[:13].strip() for line in lines if not line.startswith((" ", "_"))][:3] == [
        "pass",
        "FAIL",
        "cannot tell",
    ]
    assert lines[-1] == "3 checks: 1 pass, 1 FAIL, 1 cannot tell"


def test_sentences_are_wrapped_and_lines_to_copy_are_not() -> None:
    """Prose fits 80 columns; a DNS line stays whole, without anything before it."""
    lines = describe(REPORT).splitlines()
    assert LINE in lines
    assert all(len(line) <= 80 for line in lines if line != LINE)
    assert any(line.startswith("             Next: Publish") for line in lines)


def test_json_and_back() -> None:
    """A report is the same after it went through JSON, and its results are words there too."""
    text = dump(REPORT)
    assert load(text, Report) == REPORT
    assert '"result": "cannot-tell"' in text


def test_counts() -> None:
    """Counts and failures are those of the checks."""
    assert REPORT.counts[Result.PASS] == 1
    assert [check.name for check in REPORT.failures] == ["service records"]
