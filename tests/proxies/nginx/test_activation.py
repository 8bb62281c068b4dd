from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import GateFailed, NotPutBack
from palpo_installer.gates.markers import Former
from palpo_installer.host import Host
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.restoration import FRESH, Before
from palpo_installer.serialization import converter, dump, load
from palpo_installer.services import Service
from tests.benches import Reports, workbench
from tests.scripted import ScriptedHost

SERVICE = Service("nginx", "systemd", unit="nginx.service", argv=("/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"))
ACTIVATION = ActivateProxy(
    proxy="nginx",
    service=SERVICE,
    error_log=None,
    expectations=(),
    neighbours=(),
    own=(Path("/etc/nginx/sites-enabled/zz-palpo"),),
    start=False,
    enable=True,
    patience=0.0,
)
STOPPED = "MainPID=0\nActiveState=inactive\nUnitFileState=disabled\n"
RUNNING = "MainPID=1\nActiveState=active\nUnitFileState=enabled\n"


def before(**changes: object) -> dict[str, object]:
    """Return the record of a stopped nginx, with changes."""
    record = Before(SERVICE, False, False, False, False, None, (), (), at=4e9)
    plain: dict[str, object] = json.loads(json.dumps(converter.unstructure(replace(record, **changes))))  # type: ignore[arg-type]
    return plain


def host_that_says(unit: str, test: str = "") -> ScriptedHost:
    """Return a host whose systemd says this of the unit, and whose ``nginx -t`` says that."""
    return ScriptedHost(lambda command: unit if "systemctl show" in command else test if " -t" in command else "")


def verbs(host: ScriptedHost) -> list[str]:
    """Return what was done, without what was only asked."""
    return [command for command in host.commands if " show " not in command and "journalctl" not in command]


def test_it_shows_its_commands_with_their_limits() -> None:
    """What will run, for how long at most, and what proves it."""
    expected = Expectation("192.0.2.5", 443, True, "matrix.example.com", "m", Path("/c.pem"), False)
    shown = replace(ACTIVATION, expectations=(expected, expected)).describe(Host())
    assert shown.title == "Reload nginx"
    assert "systemctl reload nginx.service (at most 30 seconds)" in shown.details
    assert "/usr/sbin/nginx -c /etc/nginx/nginx.conf -t (at most 30 seconds)" in shown.details
    assert "systemctl enable nginx.service (at most 15 seconds)" in shown.details
    assert any("proven on one address and port: the new configuration must answer" in line for line in shown.details)
    assert replace(ACTIVATION, start=True).describe(Host()).title == "Start nginx"


def test_it_goes_through_json() -> None:
    """The plan and its run may be two processes."""
    assert load(dump(ACTIVATION), ActivateProxy) == ACTIVATION


def test_a_stopped_nginx_is_not_tested_beforehand(tmp_path: Path) -> None:
    """``nginx -t`` would write files where nginx is stopped."""
    host = host_that_says(STOPPED)
    recorded = ACTIVATION.prepare(replace(workbench(tmp_path), host=host))
    assert verbs(host) == []
    assert (recorded["running"], recorded["enabled"], recorded["warnings"]) == (False, False, None)


def test_it_is_started_and_enabled_where_the_plan_says_so(tmp_path: Path) -> None:
    """In this order: test, start, enable."""
    host = host_that_says(STOPPED)
    replace(ACTIVATION, start=True).activate(replace(workbench(tmp_path), host=host), before())
    assert verbs(host) == [
        "/usr/sbin/nginx -c /etc/nginx/nginx.conf -t",
        "systemctl start nginx.service",
        "systemctl enable nginx.service",
    ]


def test_it_is_not_started_where_the_plan_does_not_say_so(tmp_path: Path) -> None:
    """It ran when the plan was made, and somebody stopped it since."""
    host = host_that_says(STOPPED)
    with pytest.raises(GateFailed, match="not running"):
        ACTIVATION.activate(replace(workbench(tmp_path), host=host), before())
    assert not any("start" in command for command in verbs(host))


def test_a_failing_test_reloads_nothing(tmp_path: Path) -> None:
    """The line is in our own file, and the message says so."""
    host = host_that_says(RUNNING, "!nginx: [emerg] bad in /etc/nginx/sites-enabled/zz-palpo:3\n")
    with pytest.raises(GateFailed, match="bad, in our own file") as failure:
        ACTIVATION.activate(replace(workbench(tmp_path), host=host), before(running=True))
    assert failure.value.where == "/etc/nginx/sites-enabled/zz-palpo:3"
    assert len(verbs(host)) == 1


def test_a_stopped_unit_is_stopped_disabled_and_not_failed_again(tmp_path: Path) -> None:
    """As it was before: also the failure that our start left behind is forgotten."""
    enabled = "MainPID=0\nActiveState=failed\nUnitFileState=enabled\n"
    host = host_that_says(enabled)
    ACTIVATION.restore(replace(workbench(tmp_path), host=host), before())
    assert verbs(host) == ["systemctl reset-failed nginx.service", "systemctl disable nginx.service"]


def test_a_rollback_long_after_leaves_nginx_running(tmp_path: Path) -> None:
    """It was stopped when the run began; other sites may live on it by now."""
    host = host_that_says(RUNNING)
    old = before(at=time.time() - FRESH - 1, late=True)
    ACTIVATION.restore(replace(workbench(tmp_path), host=host), old)
    assert verbs(host)[-1] == "systemctl reload nginx.service"
    assert not any("stop" in command or "disable" in command for command in verbs(host))


def test_a_wish_to_stop_does_not_end_a_restore(tmp_path: Path) -> None:
    """Taking back goes to its end: nginx is reloaded, and nobody is asked whether to stop."""

    def check() -> None:
        raise AssertionError("asked whether to stop")

    host = host_that_says(RUNNING)
    closed = Expectation("127.0.0.1", 1, False, "example.com", "m", None, False)
    record = before(running=True, sockets=(Former("", closed=True, silent=False),))
    activation = replace(ACTIVATION, expectations=(closed,), patience=10.0)
    activation.restore(replace(workbench(tmp_path), host=host, check=check), record)
    assert verbs(host)[-1] == "systemctl reload nginx.service"


def test_what_cannot_be_put_back_says_why(tmp_path: Path) -> None:
    """The earlier configuration does not load, and the sockets do not answer as before."""
    host = host_that_says(RUNNING, "!nginx: [emerg] bad in /etc/nginx/sites-enabled/shop:3\n")
    refused = Expectation("127.0.0.1", 1, False, "example.com", "m", None, False)
    record = before(running=True, sockets=(Former("old", closed=False, silent=False),))
    reports = Reports()
    bench = replace(workbench(tmp_path, reports=reports), host=host)
    with pytest.raises(NotPutBack, match=r"not load any more, .*: /etc/nginx/sites-enabled/shop:3: bad"):
        replace(ACTIVATION, expectations=(refused,)).restore(bench, record)
    assert not any("reload" in command for command in verbs(host))
