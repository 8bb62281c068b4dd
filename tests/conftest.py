"""What every test shares: the option ``--slow``, the markers, and the outcome of the static checks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

CHECKS_FAILED = "PALPO_CHECKS_FAILED"
TOLD = "told"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``."""
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and let Ctrl-C reach what a test starts.

    What a shell without job control starts in the background ignores SIGINT, and so would every program that a test
    starts (POSIX.1-2017, Shell Command Language, 2.11).
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: takes more than a minute; runs with --slow")
    config.addinivalue_line("markers", "booted: boots a Debian host with systemd; runs as root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out unless they are asked for."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail when ``tests/run`` says that a static check failed."""
    if os.environ.get(CHECKS_FAILED) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Says something at the end of the whole run, such as how many cases there were."""
    return lambda line: request.node.user_properties.append((TOLD, str(line)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests told, and above the last line, where it is looked for, that a static check failed."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    told = [(report.nodeid, line) for report in reports for key, line in report.user_properties if key == TOLD]
    if told:
        terminalreporter.section("counted")
    for test, line in dict.fromkeys(told):
        terminalreporter.line(f"{test.rpartition('/')[2]}: {line}")
    if os.environ.get(CHECKS_FAILED):
        terminalreporter.section("tests/check failed: see above", red=True)
