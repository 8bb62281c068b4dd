"""The applied site of each proxy, for the tests that send requests to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conformance.rows import PARAMETERS, Row
from tests.lab.conformance.served import Served, applied


@pytest.fixture(scope="session", params=PARAMETERS)
def standing(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One host for all tests of a proxy."""
    row: Row = request.param
    with applied(row) as served, served.behind():
        yield served


@pytest.fixture
def served(standing: Served) -> Iterator[Served]:
    """The applied site; this thread's sockets are on its host."""
    standing.forget()
    with standing.host.network():
        yield standing
