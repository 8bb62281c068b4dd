"""Orders from a real certificate authority: pebble, certbot, and a server for the proofs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from palpo_installer.certificates import directory, ledger, ordering, store
from palpo_installer.certificates.ordering import Order
from palpo_installer.certificates.process import CHILD, Watch
from palpo_installer.certificates.workplace import Workplace, is_busy, wait_until_idle
from palpo_installer.errors import AnswersError, HostError, Interrupted, OrderRefused
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import State
from palpo_installer.operations.certificates import OrderCertificate
from palpo_installer.serialization import dump, load
from tests.benches import Reports, workbench
from tests.lab.pebble import Pebble, ProofServer, pebble, proofs
from tests.ports import free_port

NAME = "matrix.example.com"
KEY_ID = "kid-of-the-test"
HMAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@dataclass
class Bench:
    """A CA, the server that it asks, and who watches.

    Attributes:
        webroot: where certbot writes its proofs; ``server`` may serve another directory.
        on_report: is called with every line that is reported.
    """

    root: Path
    ca: Pebble
    server: ProofServer
    webroot: Path
    reports: list[str] = field(default_factory=list)
    on_report: Callable[[str], None] = lambda _: None
    check: Callable[[], None] = lambda: None

    @property
    def layout(self) -> Layout:
        """The host under the test's directory."""
        return Layout(root=self.root / "host")

    @property
    def watch(self) -> Watch:
        """Who watches."""
        return Watch(self._report, self.check)

    def _report(self, text: str) -> None:
        self.reports.append(text)
        self.on_report(text)

    def order(self) -> Order:
        """What is ordered."""
        return Order(NAME, self.ca.directory, "a@example.com", True, self.ca.ca_file, None, "", self.webroot)

    def operation(self, staging_directory: str = "") -> OrderCertificate:
        """The same as an operation of a plan."""
        files = store.ordered(self.layout, NAME)
        return OrderCertificate(**vars(self.order()), files=files, staging_directory=staging_directory)

    def attempts(self) -> list[tuple[str, str, str]]:
        """What the ledger has: purpose, outcome and error of each attempt."""
        return [(each.purpose, each.outcome, each.error) for each in ledger.attempts(self.layout.ledger)]

    def serial(self) -> str:
        """The fingerprint of the certificate on disk."""
        certificate = store.read(Host(self.layout), store.ordered(self.layout, NAME))
        assert certificate is not None
        assert store.usable(certificate, NAME, datetime.now(UTC), remaining=0) == ""
        return certificate.sha256


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a CA with these settings; the proofs of certbot's webroot are served to it."""
    with ExitStack() as stack:

        def enter(**settings: object) -> Bench:
            webroot = tmp_path / "webroot"
            webroot.mkdir()
            server = stack.enter_context(proofs(webroot))
            ca: AbstractContextManager[Pebble] = pebble(tmp_path, server.port, settings)
            return Bench(tmp_path, stack.enter_context(ca), server, webroot)

        yield enter


def test_a_trial_then_one_order_and_no_second_one(start: Callable[..., Bench]) -> None:
    """The operation tries, orders once, and a second run with the same certificate orders nothing."""
    bench = start()
    operation, desk = bench.operation(bench.ca.directory), workbench(bench.root / "host", reports=Reports())
    desk = replace(desk, report=bench.watch.report)
    before = operation.prepare(desk, 0)
    assert operation.observe(desk, before) is State.BEFORE
    operation.act(desk, before)
    first = bench.serial()
    assert operation.observe(desk, before) is State.AFTER
    assert bench.attempts() == [("trial", "issued", ""), ("order", "issued", "")]
    assert any("has seen the proof" in line for line in bench.reports)

    operation.undo(desk, before)
    operation.finish(desk, before)
    operation.act(desk, operation.prepare(desk, 0))
    assert bench.serial() == first
    assert len(bench.attempts()) == 2
    assert "nothing is ordered" in bench.reports[-1]


def test_a_trial_that_fails_spends_no_order(start: Callable[..., Bench]) -> None:
    """Where the CA does not find the proof in the trial, the order itself is not made."""
    bench = start()
    bench.server.webroot = bench.root
    operation, desk = bench.operation(bench.ca.directory), workbench(bench.root / "host")
    with pytest.raises(OrderRefused, match="returned 404"):
        operation.act(desk, operation.prepare(desk, 0))
    assert bench.attempts() == [("trial", "failed", "unauthorized")]


def test_the_operation_is_the_same_after_json(start: Callable[..., Bench]) -> None:
    """A plan that was saved orders the same certificate."""
    operation = start().operation("https://staging.example/dir")
    assert load(dump(operation), OrderCertificate) == operation


def test_a_certificate_of_another_directory_is_ordered_anew(start: Callable[..., Bench]) -> None:
    """Whoever tried with one CA and then chose another does not keep the first one's certificate."""
    bench = start()
    ordering.order(bench.order(), bench.layout, bench.watch)
    first = bench.serial()
    other = replace(bench.operation(), directory="https://other.example/dir")
    assert bench.ca.directory in other.problem(Host(bench.layout))
    ordering.order(bench.order(), bench.layout, bench.watch)
    assert bench.serial() != first


def test_renewal_of_what_is_due_and_of_nothing_else(start: Callable[..., Bench]) -> None:
    """A fresh certificate stays, a due one is replaced, and the ledger tells one from the other."""
    bench = start(certificateValidityPeriod=30)
    ordering.order(bench.order(), bench.layout, bench.watch)
    first = bench.serial()
    assert not ordering.renew(bench.order(), bench.layout, bench.watch)
    assert bench.serial() == first

    settings = bench.layout.acme / "renewal" / f"{store.lineage(NAME)}.conf"
    settings.write_text("renew_before_expiry = 1 year\n" + settings.read_text())
    assert ordering.renew(bench.order(), bench.layout, bench.watch)
    assert bench.serial() != first
    assert bench.attempts()[1:] == [("renewal", "not due", ""), ("renewal", "issued", "")]


def test_a_renewal_that_fails_says_why(start: Callable[..., Bench]) -> None:
    """Certbot only counts failed renewals; the CA's words are told all the same."""
    bench = start()
    ordering.order(bench.order(), bench.layout, bench.watch)
    settings = bench.layout.acme / "renewal" / f"{store.lineage(NAME)}.conf"
    settings.write_text("renew_before_expiry = 10 years\n" + settings.read_text())
    bench.server.webroot = bench.root
    with pytest.raises(OrderRefused, match="returned 404"):
        ordering.renew(bench.order(), bench.layout, bench.watch)
    bench.ca.stop()
    with pytest.raises(HostError, match="the connection is refused"):
        ordering.renew(bench.order(), bench.layout, bench.watch)


def test_the_sixth_try_is_refused_without_asking(start: Callable[..., Bench]) -> None:
    """A CA that finds no proof is asked five times at most, and the sixth refusal names a time."""
    bench = start()
    bench.server.webroot = bench.root
    with pytest.raises(OrderRefused, match=f"{NAME}.*returned 404") as refused:
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert "A and AAAA records" in refused.value.next
    assert bench.attempts() == [("order", "failed", "unauthorized")]

    once = ledger.attempts(bench.layout.ledger)[0]
    for number in range(4):
        ledger.append(bench.layout.ledger, replace(once, id=str(number)))
    bench.server.asked.clear()
    desk = workbench(bench.root / "host")
    with pytest.raises(OrderRefused, match="too many orders for it failed") as refused:
        bench.operation().prepare(desk, 0)
    assert "The next safe time is" in refused.value.next
    with pytest.raises(OrderRefused, match="too many orders for it failed"):
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert not bench.server.asked.is_set()
    assert len(bench.attempts()) == 5


def test_a_ca_that_is_down_is_said_so_and_counts(start: Callable[..., Bench]) -> None:
    """One clear sentence; the ledger counts the order, since nobody knows how far it went."""
    bench = start()
    bench.ca.stop()
    with pytest.raises(HostError, match="the CA cannot be reached: the connection is refused"):
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert bench.attempts() == [("order", "failed", "ConnectionError")]
    with pytest.raises(HostError, match="the connection is refused"):
        directory.fetch(bench.ca.directory, bench.ca.ca_file, "")


def test_the_directory_tells_what_an_order_needs(start: Callable[..., Bench]) -> None:
    """Terms of service and external accounts come from the CA itself; strangers are not trusted."""
    bench = start(externalAccountBindingRequired=True, externalAccountMACKeys={KEY_ID: HMAC_KEY})
    found = directory.fetch(bench.ca.directory, bench.ca.ca_file, "")
    assert found.terms_of_service.startswith("data:text/plain")
    assert found.external_account_required
    with pytest.raises(HostError, match="certificate is not trusted") as refused:
        directory.fetch(bench.ca.directory, None, "")
    assert refused.value.next == "Set certificates.ca_file"
    nothing = bench.root / "nothing.pem"
    nothing.write_text("no certificate")
    with pytest.raises(HostError, match="has no certificate in it"):
        directory.fetch(bench.ca.directory, nothing, "")
    with pytest.raises(HostError, match="no ACME directory"):
        directory.fetch(bench.ca.directory.replace("/dir", "/nonce-plz"), bench.ca.ca_file, "")
    with pytest.raises(HostError, match="the HTTP proxy refuses"):
        directory.fetch(bench.ca.directory, bench.ca.ca_file, f"http://127.0.0.1:{free_port()}")


def test_terms_that_were_not_agreed_to(start: Callable[..., Bench]) -> None:
    """Without agreement there is no account, and the answer to change is named."""
    bench = start()
    with pytest.raises(AnswersError) as refused:
        ordering.order(replace(bench.order(), agree_terms=False), bench.layout, bench.watch)
    assert refused.value.where == "certificates.agree_terms"


def test_an_external_account_without_a_trace(start: Callable[..., Bench]) -> None:
    """The HMAC key makes the account, and stands in no argument, log, line or file of ours."""
    bench = start(externalAccountBindingRequired=True, externalAccountMACKeys={KEY_ID: HMAC_KEY})
    with pytest.raises(AnswersError) as refused:
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert refused.value.where == "certificates.eab_file"

    account = bench.root / "eab"
    account.write_text(f"EAB_KID={KEY_ID}\nEAB_HMAC_KEY={HMAC_KEY}\n")
    seen: list[str] = []
    bench.on_report = lambda _: seen.extend(word for child in psutil.Process().children() for word in words(child))
    ordering.order(replace(bench.order(), eab_file=account), bench.layout, bench.watch)
    bench.serial()
    private = next((bench.layout.acme / "accounts").rglob("private_key.json"))
    secrets = (HMAC_KEY, json.loads(private.read_text())["d"])
    written = [path for path in bench.layout.root.rglob("*") if path.is_file() and path != private]
    assert CHILD in seen
    assert any(path.name.startswith("letsencrypt.log") for path in written)
    for secret in secrets:
        assert not [word for word in (*seen, *bench.reports) if secret in word]
        assert not [path for path in written if secret in path.read_text()]


def words(process: psutil.Process) -> list[str]:
    """Return the arguments and environment of a process, as everyone and as root sees them."""
    try:
        return [*process.cmdline(), *process.environ().values()]
    except psutil.NoSuchProcess:
        return []


ENGINE = """
import sys
from pathlib import Path
from palpo_installer.certificates import ordering
from palpo_installer.certificates.process import CHILD, Watch
from palpo_installer.layout import Layout
name, directory, ca_file, webroot, root = sys.argv[1:]
order = ordering.Order(name, directory, "", True, Path(ca_file), None, "", Path(webroot))
ordering.order(order, Layout(root=Path(root)), Watch(lambda text: None, lambda: None))
"""


def test_an_order_outlives_a_killed_engine(start: Callable[..., Bench]) -> None:
    """Killed in the middle, the engine leaves an order that ends well, counts as used, and can be waited for."""
    bench = start()
    bench.server.gate.clear()
    paths = map(str, (bench.ca.ca_file, bench.webroot, bench.layout.root))
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, NAME, bench.ca.directory, *paths])
    assert bench.server.asked.wait(30)
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    assert is_busy(bench.layout)
    with pytest.raises(HostError, match="is still being made"):
        wait_until_idle(bench.layout, timeout=0)

    bench.check = bench.server.gate.set
    assert not ordering.renew(bench.order(), bench.layout, bench.watch)
    bench.serial()
    assert "still being made" in "".join(bench.reports)
    assert bench.attempts() == [("order", "unknown", ""), ("renewal", "not due", "")]
    desk = workbench(bench.root / "host")
    bench.operation().act(desk, bench.operation().prepare(desk, 0))
    assert len(bench.attempts()) == 2


def test_an_order_under_way_is_finished_before_a_run_stops(start: Callable[..., Bench]) -> None:
    """Whoever asks to stop does not lose the order; it is finished, recorded, and then the run stops."""
    bench = start()

    def stop() -> None:
        if bench.server.asked.is_set():
            raise Interrupted("asked to stop")

    bench.check = stop
    with pytest.raises(Interrupted):
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert bench.attempts() == [("order", "issued", "")]
    bench.serial()


def test_a_child_that_dies_without_a_result(start: Callable[..., Bench]) -> None:
    """When certbot is killed the outcome stays unknown, and the error names what it printed last."""
    bench = start()
    bench.server.gate.clear()

    def kill() -> None:
        if bench.server.asked.is_set():
            for child in psutil.Process().children():
                if CHILD in words(child):
                    child.kill()

    bench.check = kill
    with pytest.raises(HostError, match="ended without a result") as failed:
        ordering.order(bench.order(), bench.layout, bench.watch)
    assert failed.value.where == str(Workplace.of(bench.layout).output)
    assert bench.attempts() == [("order", "unknown", "")]
