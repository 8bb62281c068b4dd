"""Every version of Caddy from 2.6 to 2.10: told its version, and rehearsed with every promise kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.answers import Delegation
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy.discovery import version_of
from palpo_installer.rehearsal import rehearse
from palpo_installer.verify.report import Result
from tests.lab import from_go
from tests.rehearsal.made import MEDIA, answers, here


def test_a_rehearsal_keeps_every_promise(caddy_program: Path) -> None:
    """With federation by SRV and a media repository; what Caddy does not do by its nature is told."""
    version = version_of(Host(), caddy_program)
    assert version is not None
    assert ".".join(map(str, version[:2])) in {from_go.DEBIANS, *from_go.RELEASES}
    assert (caddy_program == from_go.found(from_go.DEBIANS)) is (version[:2] == (2, 6))
    proxy = replace(here("caddy"), binary=caddy_program, version=version)
    report = rehearse(answers(Delegation.SRV, media=MEDIA), proxy, Layout())
    assert report.failures == ()
    assert {check.name for check in report.checks if check.result is Result.CANNOT_TELL} == {"limits"}
