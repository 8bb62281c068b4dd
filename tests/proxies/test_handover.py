"""From one proxy to another: what is seen before the first lets go of anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import GateFailed
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.nginx.control import NginxControl
from tests.benches import workbench
from tests.proxies import test_withdrawal as withdrawals
from tests.proxies.nginx import test_activation as activations
from tests.proxies.nginx.test_activation import RUNNING, host_that_says, verbs


def test_a_reload_that_would_end_the_old_one_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Apache that cannot open a socket of somebody's would end with all its sites: both are left as they are."""
    monkeypatch.setattr(NginxControl, "hazard", lambda *_: "the old one would end")
    host = host_that_says(RUNNING)
    change = HandOver(withdrawals.WITHDRAWAL, replace(activations.ACTIVATION, start=True), ())
    record = {"old": withdrawals.before(), "new": activations.before()}
    with pytest.raises(GateFailed, match="the old one would end"):
        change.activate(replace(workbench(tmp_path), host=host), record)
    assert verbs(host) == ["/usr/sbin/nginx -c /etc/nginx/nginx.conf -t"] * 2
