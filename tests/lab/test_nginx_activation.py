"""The activation of a change in a real nginx: what counts as applied, what does not, and the way back."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from palpo_installer.errors import GateFailed, NotPutBack
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.serialization import dump, load
from tests.benches import Reports, workbench
from tests.facts.made import certificate
from tests.lab.nginx_with_neighbours import PrivateNginx, held
from tests.lab.running import require_programs, until

SHOP = "shop.example.org"
OURS = "matrix.example.com"


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[PrivateNginx]:
    """A private nginx with a neighbour's site over TLS, not started yet."""
    require_programs("nginx")
    tmp_path.chmod(0o755)
    private = PrivateNginx(tmp_path)
    certificate(SHOP).write(*private.certificate(SHOP))
    certificate(OURS).write(*private.certificate(OURS))
    private.add_site("shop", SHOP, 'return 200 "shop";')
    try:
        yield private
    finally:
        private.end()


@pytest.fixture
def said() -> Reports:
    """What was reported."""
    return Reports()


@pytest.fixture
def bench(tmp_path: Path, said: Reports) -> Workbench:
    """A workbench on this machine."""
    return workbench(tmp_path / "host", reports=said)


def prepared(activation: ActivateProxy, bench: Workbench) -> Json:
    """Return what prepare records, as a killed engine would find it: through JSON."""
    again = load(dump(activation), ActivateProxy)
    assert again == activation
    recorded: Json = json.loads(json.dumps(again.prepare(bench)))
    return recorded


def test_a_change_counts_as_applied_when_every_socket_shows_it(nginx: PrivateNginx, bench: Workbench) -> None:
    """Reload, prove on the shared and on the new port; taken back, the new port is closed again."""
    nginx.start()
    activation = nginx.activation("one", nginx.https, nginx.federation)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https, nginx.federation)
    activation.activate(bench, before)
    assert nginx.marker(nginx.https) == nginx.marker(nginx.federation) == "one"
    nginx.remove()
    activation.restore(bench, before)
    assert nginx.marker(nginx.https) == ""
    assert nginx.ask(nginx.federation, OURS).problem == "refused"


def test_a_second_change_is_taken_back_to_the_first(nginx: PrivateNginx, bench: Workbench) -> None:
    """What was served before is the earlier marker, not its absence."""
    nginx.install("one", nginx.https)
    nginx.start()
    activation = nginx.activation("two", nginx.https)
    before = prepared(activation, bench)
    nginx.install("two", nginx.https)
    activation.activate(bench, before)
    nginx.install("one", nginx.https)
    activation.restore(bench, before)
    activation.restore(bench, before)
    assert nginx.marker(nginx.https) == "one"


def test_a_restore_notices_that_the_change_is_still_on_disk(nginx: PrivateNginx, bench: Workbench) -> None:
    """The proof of the old answers fails when the new ones are served."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    with pytest.raises(NotPutBack, match="still shows one"):
        activation.restore(bench, before)


def test_a_port_that_another_program_holds(nginx: PrivateNginx, bench: Workbench) -> None:
    """``nginx -t`` and the reload return 0, the old configuration stays: the port's owner is named."""
    nginx.start()
    with held(nginx.federation):
        activation = nginx.activation("one", nginx.https, nginx.federation)
        before = prepared(activation, bench)
        nginx.install("one", nginx.https, nginx.federation)
        with pytest.raises(GateFailed) as failure:
            activation.activate(bench, before)
        nginx.remove()
        activation.restore(bench, before)
    me = psutil.Process()
    assert f"127.0.0.1:{nginx.federation}: Address already in use" in failure.value.what
    assert f"held by {me.name()} (process {me.pid})" in failure.value.what
    assert nginx.ask(nginx.https, SHOP).status == 200


def test_a_port_that_another_program_took_meanwhile(nginx: PrivateNginx, bench: Workbench) -> None:
    """It was free before and is not now, and that is not ours to put back; one that nginx itself keeps is."""
    nginx.start()
    activation = nginx.activation("one", nginx.federation)
    before = prepared(activation, bench)
    nginx.install("one", nginx.federation)
    with held(nginx.federation):
        with pytest.raises(GateFailed, match="Address already in use"):
            activation.activate(bench, before)
        nginx.remove()
        activation.restore(bench, before)
    nginx.install("one", nginx.federation)
    activation.activate(bench, before)
    with pytest.raises(NotPutBack, match="takes connections now and did not before"):
        activation.restore(bench, before)


def test_an_error_in_another_sites_file_is_named_and_nothing_is_reloaded(
    nginx: PrivateNginx, bench: Workbench, said: Reports
) -> None:
    """File and line are the other site's; what is served is as before, so that taking back succeeds and says so."""
    nginx.start()
    workers = nginx.workers()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    broken = nginx.write_site("other", "nonsense;\n")
    with pytest.raises(GateFailed, match="not ours") as failure:
        activation.activate(bench, before)
    assert failure.value.where == f"{broken}:1"
    nginx.remove()
    activation.restore(bench, before)
    assert nginx.workers() == workers
    assert f"{broken}:1: unknown directive" in said.lines[-1]


def test_somebody_elses_error_keeps_a_live_change_from_being_put_back(nginx: PrivateNginx, bench: Workbench) -> None:
    """The running proxy is left alone, and the message names the file that is to blame."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    nginx.remove()
    broken = nginx.write_site("other", "nonsense;\n")
    with pytest.raises(NotPutBack, match="does not load any more") as failure:
        activation.restore(bench, before)
    assert str(broken) in failure.value.what
    assert nginx.marker(nginx.https) == "one"


@pytest.mark.parametrize("deed", ["exec sleep 60", "exit 0", "exit 1"], ids=["hangs", "lies", "fails"])
def test_a_reload_that_does_nothing(nginx: PrivateNginx, bench: Workbench, deed: str) -> None:
    """Bounded in time, found out, and put back: what is served is still the old configuration."""
    nginx.start()
    nginx.stand_in(deed)
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    started = time.monotonic()
    with pytest.raises(GateFailed):
        activation.activate(bench, before)
    nginx.remove()
    activation.restore(bench, before)
    assert time.monotonic() - started < 20
    assert nginx.marker(nginx.https) == ""


def test_a_restore_reaches_the_master_where_the_usual_reload_hangs(nginx: PrivateNginx, bench: Workbench) -> None:
    """The change is live, the reload hangs: the signal itself brings the old configuration back."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    nginx.stand_in("exec sleep 60")
    nginx.remove()
    activation.restore(bench, before)
    assert nginx.marker(nginx.https) == ""


def test_a_stopped_master_process_is_named(nginx: PrivateNginx, bench: Workbench) -> None:
    """A master under SIGSTOP takes the signal and does nothing; its workers serve the old configuration."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    master = psutil.Process(nginx.pid)
    master.send_signal(signal.SIGSTOP)
    until(lambda: master.status() == psutil.STATUS_STOPPED, "the stop of the master")
    try:
        with pytest.raises(GateFailed, match=rf"process {nginx.pid} is stopped"):
            activation.activate(bench, before)
        nginx.remove()
        activation.restore(bench, before)
    finally:
        master.send_signal(signal.SIGCONT)


def test_a_stopped_nginx_is_started_and_stopped_again(nginx: PrivateNginx, bench: Workbench) -> None:
    """Before and after, nothing listens and no file with a process number is there."""
    activation = nginx.activation("one", nginx.https, start=True)
    before = prepared(activation, bench)
    assert not nginx.pid_file.exists()
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    assert nginx.marker(nginx.https) == "one"
    nginx.remove()
    activation.restore(bench, before)
    assert nginx.ask(nginx.https, SHOP).problem == "refused"
    assert not nginx.pid_file.exists()


def test_a_start_that_fails_leaves_no_empty_process_file(nginx: PrivateNginx, bench: Workbench) -> None:
    """``nginx -t`` makes that file where nginx is stopped; the port's owner is named from what the start said."""
    with held(nginx.federation):
        activation = nginx.activation("one", nginx.federation, start=True)
        before = prepared(activation, bench)
        nginx.install("one", nginx.federation)
        with pytest.raises(GateFailed, match=r"held by .*process \d+"):
            activation.activate(bench, before)
        assert nginx.pid_file.read_bytes() == b""
        nginx.remove()
        activation.restore(bench, before)
    assert not nginx.pid_file.exists()


def test_a_change_that_becomes_the_default_server_is_refused(nginx: PrivateNginx, bench: Workbench) -> None:
    """Requests without a known name got the shop's certificate before and would get ours."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https, default=True)
    with pytest.raises(GateFailed, match=rf"without a known name .*on 127\.0\.0\.1:{nginx.https}") as failure:
        activation.activate(bench, before)
    assert "status 200 before, status 404 now" in failure.value.what
    nginx.remove()
    activation.restore(bench, before)


def test_another_certificate_than_the_one_on_disk_is_no_success(nginx: PrivateNginx, bench: Workbench) -> None:
    """The marker is there, the certificate is the shop's: named with the names that came."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https, shown=SHOP)
    with pytest.raises(GateFailed, match=rf"got another one, for {SHOP}"):
        activation.activate(bench, before)


def test_a_flapping_neighbour_fails_nothing(nginx: PrivateNginx, bench: Workbench) -> None:
    """A site that answers 200 or 503 as it likes is asked until it answers as before."""
    nginx.add_site("flapping", "flapping.example.org", "if ($flap) { return 503; } return 200;")
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    assert nginx.marker(nginx.https) == "one"
    assert nginx.ask(nginx.https, "flapping.example.org").status in {200, 503}


def test_a_neighbours_renewed_certificate_fails_nothing(nginx: PrivateNginx, bench: Workbench) -> None:
    """Renewed on disk and not loaded yet: our reload lets it be shown, and that is the neighbour's own doing."""
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    earlier = nginx.ask(nginx.https, SHOP).certificate
    certificate(SHOP).write(*nginx.certificate(SHOP))
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    assert nginx.marker(nginx.https) == "one"
    assert nginx.ask(nginx.https, SHOP).certificate != earlier


def test_a_name_that_another_site_has_is_refused(nginx: PrivateNginx, bench: Workbench) -> None:
    """Nginx only warns and ignores the later block; nothing is reloaded, and the rival is named."""
    nginx.add_site("rival", OURS, "return 200;")
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    nginx.install("one", nginx.https)
    with pytest.raises(GateFailed, match=f'conflicting server name "{OURS}".*rival.conf:1'):
        activation.activate(bench, before)
    assert nginx.marker(nginx.https) == ""


def test_an_old_conflict_between_others_is_none_of_ours(nginx: PrivateNginx, bench: Workbench) -> None:
    """The warning was there before the change."""
    nginx.add_site("shop-again", SHOP, "return 404;")
    nginx.start()
    activation = nginx.activation("one", nginx.https)
    before = prepared(activation, bench)
    assert f'conflicting server name "{SHOP}"' in str(before["warnings"])
    nginx.install("one", nginx.https)
    activation.activate(bench, before)
    assert nginx.marker(nginx.https) == "one"
