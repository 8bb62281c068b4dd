"""Port numbers as firewalls and SELinux write them: single ones and ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

RANGE = re.compile(r"(?P<first>\d+)(?:[-:](?P<last>\d+))?")


@dataclass(frozen=True)
class PortRange:
    """The ports from ``first`` to ``last``, both included."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    @property
    def size(self) -> int:
        """How many ports there are."""
        return self.last - self.first + 1


def parse_ranges(text: str) -> tuple[PortRange, ...]:
    """Return the ranges in ``80, 443, 8000-8010`` or ``80,8000:8010``; what is neither is left out."""
    words = re.split(r"[,\s]+", text)
    found = (RANGE.fullmatch(word) for word in words)
    return tuple(PortRange(int(one["first"]), int(one["last"] or one["first"])) for one in found if one)


def covers(ranges: Iterable[PortRange], port: int) -> bool:
    """Return whether one of the ranges has a port."""
    return any(port in each for each in ranges)
