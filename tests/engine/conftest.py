"""What every test of the engine leaves behind it: nothing open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.plans import ENDS


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close the files of the runs that a test has opened."""
    yield
    ENDS.close()
