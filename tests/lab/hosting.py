"""What holds of every host where a site of its own has answers of ours: all is proven, and all goes again."""

from __future__ import annotations

import json

from tests.lab import sites, ways
from tests.lab.hosts import LabHost


def trusted(host: LabHost) -> str:
    """Return a file of the authorities that the names' certificates come from: pebble's, and the site's itself."""
    host.write("/run/trust.pem", host.read(ways.ROOT) + host.read(sites.CHAIN))
    return "/run/trust.pem"


def complete(host: LabHost) -> None:
    """Check with Palpo behind it that every promise is kept, and that the same answers change nothing."""
    ways.start_palpo(host)
    verified = host.tool("verify", "--trust", trusted(host), "--json")
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    before = host.snapshot()
    again = host.tool("apply", "--yes")
    assert (again.returncode, again.stdout[:13]) == (0, "Nothing to do")
    assert host.snapshot() == before
