from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import GateFailed
from palpo_installer.gates.markers import Former
from palpo_installer.host import Host
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.restoration import Before
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import converter, dump, load
from tests.benches import workbench
from tests.gates.servers import serving
from tests.proxies.nginx.test_activation import RUNNING, SERVICE, STOPPED, host_that_says, verbs

CLOSED = Expectation("127.0.0.1", 1, False, "example.com", "", None, False)
WITHDRAWAL = WithdrawProxy(
    proxy="nginx",
    service=SERVICE,
    error_log=None,
    expectations=(CLOSED,),
    alone=(("127.0.0.1", 1),),
    neighbours=(),
    own=(),
    stop=False,
    disable=False,
    patience=5.0,
)
FORMER = Former("ours", closed=False, silent=False)
RECORD = Before(SERVICE, True, False, True, True, (), (FORMER,), (), at=time.time())


def before(**changes: object) -> dict[str, object]:
    """Return the record of a running nginx that served us on one socket, with changes."""
    plain: dict[str, object] = json.loads(json.dumps(converter.unstructure(replace(RECORD, **changes))))  # type: ignore[arg-type]
    return plain


def test_it_shows_what_is_closed_and_goes_through_json() -> None:
    """The commands with their limits, and the ports that no other site uses."""
    shown = WITHDRAWAL.describe(Host())
    assert shown.title == "Reload nginx"
    assert "systemctl reload nginx.service (at most 30 seconds)" in shown.details
    assert "closed afterwards, as no other site uses it: port 1" in shown.details
    assert replace(WITHDRAWAL, stop=True, disable=True).describe(Host()).title == "Stop nginx"
    assert load(dump(WITHDRAWAL), WithdrawProxy) == WITHDRAWAL


def test_a_running_nginx_is_tested_and_reloaded(tmp_path: Path) -> None:
    """In this order, and nothing else."""
    host = host_that_says(RUNNING)
    WITHDRAWAL.activate(replace(workbench(tmp_path), host=host), before())
    assert verbs(host) == ["/usr/sbin/nginx -c /etc/nginx/nginx.conf -t", "systemctl reload nginx.service"]


def test_an_error_of_somebody_else_reloads_nothing(tmp_path: Path) -> None:
    """The line is named, and nginx goes on with what it has."""
    host = host_that_says(RUNNING, "!nginx: [emerg] bad in /etc/nginx/sites-enabled/shop:3\n")
    with pytest.raises(GateFailed, match="does not load without our files: bad") as failure:
        WITHDRAWAL.activate(replace(workbench(tmp_path), host=host), before())
    assert failure.value.where == "/etc/nginx/sites-enabled/shop:3"
    assert not any("reload" in command for command in verbs(host))


def test_what_is_still_served_is_told_with_its_cause(tmp_path: Path) -> None:
    """A master process that cannot have reloaded is named before the socket that shows it."""
    bench = replace(workbench(tmp_path), host=host_that_says(RUNNING.replace("MainPID=1", "MainPID=0")))
    with serving(lambda _: (200, {"Palpo-Installer": "ours"})) as port:
        withdrawal = replace(WITHDRAWAL, expectations=(replace(CLOSED, port=port),), patience=0.5)
        with pytest.raises(GateFailed, match=r"not running any more \(example\.com: still serves what is to go"):
            withdrawal.activate(bench, before())


def test_one_that_was_stopped_before_us_is_stopped_and_disabled(tmp_path: Path) -> None:
    """Without a test, which would leave files behind."""
    host = host_that_says(RUNNING)
    stopping = replace(WITHDRAWAL, stop=True, disable=True)
    stopping.activate(replace(workbench(tmp_path), host=host), before())
    assert verbs(host) == ["systemctl stop nginx.service", "systemctl disable nginx.service"]


def test_a_stopped_nginx_is_left_alone(tmp_path: Path) -> None:
    """Its owner stopped it since; the files are all there is to remove."""
    host = host_that_says(STOPPED)
    WITHDRAWAL.activate(replace(workbench(tmp_path), host=host), before(running=False, enabled=False))
    assert verbs(host) == []


def test_a_port_that_somebody_else_holds_now_need_not_close() -> None:
    """It showed no marker of ours when the removal began, and was not closed."""
    alone = replace(WITHDRAWAL, expectations=(CLOSED, replace(CLOSED, port=2), replace(CLOSED, port=3)))
    alone = replace(alone, alone=(("127.0.0.1", 1), ("127.0.0.1", 2)))
    theirs = Former("", closed=False, silent=False)
    record = replace(RECORD, sockets=(FORMER, theirs, replace(theirs, closed=True)))
    assert alone._closed(record) == (True, False, False)


def test_taken_back_it_is_enabled_and_started_again(tmp_path: Path) -> None:
    """Where the removal stopped and disabled it."""
    state = {"text": STOPPED}

    def answer(command: str) -> str:
        if " start " in command:
            state["text"] = RUNNING
        return state["text"] if "systemctl show" in command else ""

    host = host_that_says(STOPPED)
    host.answer = answer
    closed = replace(FORMER, marker="", closed=True)
    bench = replace(workbench(tmp_path), host=host)
    replace(WITHDRAWAL, stop=True, disable=True, patience=5.0).restore(bench, before(sockets=(closed,)))
    assert verbs(host) == [
        "systemctl enable nginx.service",
        "/usr/sbin/nginx -c /etc/nginx/nginx.conf -t",
        "systemctl start nginx.service",
    ]
