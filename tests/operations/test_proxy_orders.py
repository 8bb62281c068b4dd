"""Orders that a proxy makes itself, with a stand-in for the proxy; with the real one: tests/lab."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates import authority, ledger
from palpo_installer.certificates.ledger import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from palpo_installer.certificates.process import Watch
from palpo_installer.certificates.protocol import Problem
from palpo_installer.errors import HostError, NotPutBack, OrderRefused
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import State
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.proxies.controls import CONTROLS
from palpo_installer.proxies.ordering import Errand, Failed
from palpo_installer.serialization import converter
from palpo_installer.services import Service
from tests.benches import workbench

NAME = "example.com"


@dataclass
class Proxy:
    """A proxy that orders; it makes certificates of the local authority, or fails with a problem.

    Attributes:
        storage: where it keeps them, by directory.
        problem: why it fails.
        stuck: whether it does not go back to what it is configured for.
        asked: the directories that it ordered from.
    """

    storage: dict[str, CertificateFiles]
    problem: Problem | None = None
    stuck: bool = False
    asked: list[str] = field(default_factory=list)
    title: str = "Proxy"

    def order(self, host: Host, service: Service, errand: Errand, watch: Watch, arrived: Callable[[], bool]) -> None:
        """Order at once."""
        self.asked.append(errand.directory)
        assert not arrived()
        if self.problem is not None:
            raise Failed(self.problem)
        made, kept = authority.issue(errand.name, host.layout), self.storage[errand.directory]
        kept.chain.parent.mkdir(parents=True)
        shutil.copy(made.chain, kept.chain)
        shutil.copy(made.key, kept.key)
        assert arrived()

    def forget(self, host: Host, service: Service) -> None:
        """Go back."""
        if self.stuck:
            raise HostError("does not go back")


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """The proxy, as one of those that this version knows."""
    places = {
        url: tmp_path / "storage" / str(number) for number, url in enumerate((LETS_ENCRYPT, LETS_ENCRYPT_STAGING))
    }
    found = Proxy({url: CertificateFiles(place / "a.crt", place / "a.key") for url, place in places.items()})
    monkeypatch.setitem(CONTROLS, "caddy", found)
    return found


def order(proxy: Proxy) -> OrderByProxy:
    """Return an order at Let's Encrypt, which has a directory for trials."""
    return OrderByProxy(
        name=NAME,
        proxy="caddy",
        service=Service("caddy", "direct"),
        directory=LETS_ENCRYPT,
        email="",
        ca_file=None,
        files=proxy.storage[LETS_ENCRYPT],
        staging_directory=LETS_ENCRYPT_STAGING,
        staging_files=proxy.storage[LETS_ENCRYPT_STAGING],
    )


def told(layout: Layout) -> list[tuple[str, str, str]]:
    """Return what the ledger knows."""
    return [(each.purpose, each.outcome, each.error) for each in ledger.attempts(layout.ledger)]


def test_tried_first_then_ordered_once(tmp_path: Path, proxy: Proxy) -> None:
    """Both are in the ledger; a second act orders nothing."""
    bench, operation = workbench(tmp_path), order(proxy)
    assert "tried first at" in " ".join(operation.describe(bench.host).details)
    before = operation.prepare(bench, 1)
    assert operation.observe(bench, before) is State.BEFORE
    for _ in range(2):
        assert operation.act(bench, before)["certificate"]
        assert proxy.asked == [LETS_ENCRYPT_STAGING, LETS_ENCRYPT]
    assert operation.observe(bench, before) is State.AFTER
    assert told(bench.host.layout) == [("trial", "issued", ""), ("order", "issued", "")]
    assert converter.structure(converter.unstructure(operation), OrderByProxy) == operation


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Problem("dns", "NXDOMAIN", NAME), f"the CA cannot look up {NAME} in DNS. Proxy says: NXDOMAIN"),
        (Problem("odd", "no", NAME), r"the CA refuses the order for example.com \(odd\)"),
        (Problem("", "connection refused", NAME), f"Proxy could not order for {NAME}: connection refused"),
    ],
)
def test_a_failed_trial_spares_the_order(tmp_path: Path, proxy: Proxy, problem: Problem, said: str) -> None:
    """The authority's words, explained; nothing is asked of the directory with the limits."""
    proxy.problem = problem
    bench, operation = workbench(tmp_path), order(proxy)
    with pytest.raises(OrderRefused, match=said):
        operation.act(bench, operation.prepare(bench, 1))
    assert told(bench.host.layout) == [("trial", "failed", problem.type)]


def test_the_ledger_refuses_before_anything_is_changed(tmp_path: Path, proxy: Proxy) -> None:
    """Five failures within the hour: no run is begun."""
    bench, operation = workbench(tmp_path), order(proxy)
    layout = bench.host.layout
    for _ in range(5):
        ledger.begin(layout.ledger, LETS_ENCRYPT, NAME, "order", datetime.now(UTC))
    with pytest.raises(OrderRefused, match="no certificate is ordered"):
        operation.prepare(bench, 1)
    assert proxy.asked == []


def test_taken_back_the_certificate_stays(tmp_path: Path, proxy: Proxy) -> None:
    """Only an order that was cut off is forgotten; where that fails, it is said."""
    bench, operation = workbench(tmp_path), order(proxy)
    before = operation.prepare(bench, 1)
    operation.act(bench, before)
    operation.undo(bench, before)
    assert operation.observe(bench, before) is State.AFTER
    proxy.stuck = True
    with pytest.raises(NotPutBack, match="does not go back"):
        operation.undo(bench, before)
