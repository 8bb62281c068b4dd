"""Apache under systemd on a booted Debian host: its unit reloads it, and a reload that would end it is not made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import services, ways
from tests.lab.booted import BootedHost
from tests.lab.booted_proxies import applied, main_process, without_nginx
from tests.lab.hosts import ADDRESS4
from tests.lab.running import require_root
from tests.lab.test_taken_ports import HOLD

pytestmark = [pytest.mark.booted, pytest.mark.slow]

UNIT = "apache2"


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[BootedHost]:
    """A booted host with Apache instead of nginx, beside the installer a neighbour's site."""
    require_root()
    with without_nginx(tmp_path, "apache", ("apache2",)) as host:
        services.configure_apache(host)
        host.output(["systemctl", "restart", UNIT])
        host.until_listening(443)
        yield host


def test_the_whole_way_under_systemd(debian: BootedHost) -> None:
    """The unit is reloaded, never restarted; taken back, the host is as before."""
    host = debian
    ways.prepare(host, None, "srv", proxy='kind = "apache"')
    before, neighbours, running = host.snapshot(), ways.neighbour_answers(host), main_process(host, UNIT)
    assert "systemctl reload apache2.service" in applied(host, UNIT)
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert main_process(host, UNIT) == running
    assert ways.neighbour_answers(host) == neighbours


def test_what_would_end_apache_is_refused_before_the_reload(debian: BootedHost) -> None:
    """A Listen of somebody else's for a port that a program holds: Apache's test passes, and it goes on as it is."""
    host = debian
    ways.prepare(host, None, "well-known", proxy='kind = "apache"')
    host.start([host.python, "-c", HOLD, f"{ADDRESS4}/9999"])
    host.until_listening(9999)
    host.write("/etc/apache2/conf-enabled/later.conf", "Listen 9999\n")
    assert host.run(["apache2ctl", "-t"]).returncode == 0
    before, running = host.snapshot(), main_process(host, UNIT)
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1
    assert "port 9999 (/etc/apache2/conf-enabled/later.conf:1) cannot be opened" in refused.stdout + refused.stderr
    assert main_process(host, UNIT) == running
    assert ways.untouched(before, host) == {}
