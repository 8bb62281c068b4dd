"""Rehearsals with the real nginx that keep every promise, and what is left of them."""

from __future__ import annotations

import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import psutil
import pytest

from palpo_installer.answers import Answers, BaseCertificate, BaseDomain, Delegation, Method, Registration
from palpo_installer.errors import HostError, Interrupted, RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.guests import leaflet
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import program, rehearse
from palpo_installer.rehearsal.stage import as_planned, staged
from palpo_installer.site import Guest
from palpo_installer.verify.report import Check, Report, Result
from tests.rehearsal.made import MEDIA, answers, faulty, interrupted, left, nginx, programs, visiting

EVERYTHING = list(product(Delegation, Registration, (None, MEDIA)))


def sound(choices: Answers, layout: Layout | None = None) -> Report:
    """Rehearse, check that nothing failed, and return the report."""
    report = rehearse(choices, nginx(), layout or Layout())
    assert report.failures == ()
    return report


def named(report: Report, name: str) -> list[Check]:
    """Return the checks of a name."""
    return [check for check in report.checks if check.name == name]


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where rehearsals have their directories, so that what they leave is seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("delegation", "registration", "media"), EVERYTHING)
def test_every_promise_is_kept(delegation: Delegation, registration: Registration, media: object) -> None:
    """For every delegation, registration and media repository; every check that applies was made."""
    report = sound(answers(delegation, registration, media=MEDIA if media else None))
    assert {check.result for check in report.checks} == {Result.PASS}
    names = {check.name for check in report.checks}
    assert names >= {"configuration", "marker", "certificate", "plain HTTP", "well-known", "request targets", "answers"}
    assert names >= {"forwarding headers", "closed paths", "limits", "body size", "header size"}
    assert ("registration" in names) == (registration is Registration.CLOSED)
    assert ("federation off" in names) == (delegation is Delegation.NONE)
    assert ("server keys" in names) == (delegation is not Delegation.NONE)
    limited = {check.subject.rpartition("/")[2] for check in named(report, "limits")}
    assert limited == {"login", "password"} | ({"register"} if registration is not Registration.CLOSED else set())
    own_port = delegation in {Delegation.SRV, Delegation.DIRECT}
    passing = ["matrix.example.com:443", *(["example.com:8448"] if own_port else [])]
    for name in ("request targets", "forwarding headers", "answers", "closed paths", "body size"):
        assert [check.subject for check in named(report, name)] == passing


@pytest.mark.parametrize("delegation", Delegation)
@pytest.mark.parametrize("client", ["matrix.example.com", "example.com"])
def test_a_website_on_another_machine_and_one_name_for_all(delegation: Delegation, client: str) -> None:
    """What another machine must answer is taken for granted, and said; nothing else cannot be told."""
    report = sound(answers(delegation, client_host=client, base_domain=BaseDomain.ELSEWHERE))
    untold = [check.subject for check in report.checks if check.result is Result.CANNOT_TELL]
    elsewhere = client != "example.com" and delegation is not Delegation.NONE
    assert untold == (["https://example.com"] if elsewhere else [])
    assert len(named(report, "server keys")) == (delegation is not Delegation.NONE)


@pytest.mark.parametrize(
    ("server_name", "port"), [("example.com:8449", 8449), ("203.0.113.5", 8448), ("[2001:db8::5]:9000", 9000)]
)
def test_server_names_that_are_not_delegated(server_name: str, port: int) -> None:
    """A port in the name, and IP addresses, which have no SNI: other servers get the keys there."""
    choices = answers(Delegation.DIRECT, server_name=server_name, base_domain=BaseDomain.ELSEWHERE, port=port)
    report = sound(choices)
    (keys,) = named(report, "server keys")
    assert (keys.result, keys.subject) == (Result.PASS, f"https://{server_name}/_matrix/key/v2/server")


def test_srv_is_followed_with_the_name_of_the_server() -> None:
    """Other servers end up at the client host's port, with Host and certificate of the server name."""
    report = sound(answers(Delegation.SRV))
    assert "leads to matrix.example.com:8448" in named(report, "discovery")[0].what
    assert "example.com:8448 at 127.0.0.1" in {check.subject for check in named(report, "certificate")}
    assert named(report, "service records")[0].result is Result.PASS


def test_what_is_said_names_the_ports_of_the_host() -> None:
    """Also where they are unusual; without a challenge there is none to look at."""
    choices = answers()
    choices = replace(choices, certificates=replace(choices.certificates, method=Method.SELF_SIGNED))
    report = sound(choices, Layout(http_port=8080, https_port=8443))
    assert named(report, "request targets")[0].subject == "matrix.example.com:8443"
    plain = named(report, "plain HTTP")[0]
    assert plain.subject == "matrix.example.com:8080"
    assert plain.what == "Everything else is sent to https://matrix.example.com:8443 with its target as it came."


def test_it_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    """The largest site, in less than two seconds; twice that where others are at work on this machine."""
    began = time.monotonic()
    report = sound(answers(Delegation.SRV, Registration.OPEN, media=MEDIA))
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{len(report.checks)} checks of a rehearsal took {took:.2f} s")  # noqa: T201
    assert took < 4


def test_nothing_is_left(private: Path) -> None:
    """No file and no process, whether it went well, was refused or was interrupted on its way."""
    sound(answers())
    assert not rehearse(answers(), nginx(), Layout(), render=faulty(lambda text: f"{text}nonsense;")).checks[1:]
    with pytest.raises(KeyboardInterrupt):
        rehearse(answers(), nginx(), Layout(), render=interrupted(KeyboardInterrupt()))
    assert left(private) == []
    assert programs("nginx") == []


def test_ctrl_c_in_the_middle_ends_nginx(private: Path) -> None:
    """The master and its worker, by their numbers; the ports are free again."""
    with pytest.raises(KeyboardInterrupt), staged(answers(), nginx(), Layout(), as_planned) as stage:  # noqa: PT012
        processes = programs("nginx")
        assert len(processes) == 2
        assert stage.send(stage.view.client, "/_matrix/x").arrived
        raise KeyboardInterrupt
    assert not any(process.is_running() for process in processes)
    assert stage.view.ask(stage.view.client.question("127.0.0.1", "/")).problem == "refused"
    assert left(private) == []


def test_ctrl_c_at_any_moment_leaves_nothing(private: Path) -> None:
    """Twenty times, from the first step to the last, also while something starts or is removed."""
    usual = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for moment in range(1, 21):
            with suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, moment * 0.008)
                rehearse(answers(), nginx(), Layout())
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert left(private) == []
            assert programs("nginx") == []
    finally:
        signal.signal(signal.SIGALRM, usual)


def test_a_rehearsal_that_is_stopped_goes_on_no_further(private: Path) -> None:
    """It is asked before each request whether to go on."""
    asked: list[int] = []

    def check() -> None:
        asked.append(len(asked))
        if len(asked) == 3:
            raise Interrupted("the rehearsal was stopped")

    with pytest.raises(Interrupted), staged(answers(), nginx(), Layout(), as_planned, check) as stage:  # noqa: PT012
        for _ in range(10):
            stage.send(stage.view.client, "/_matrix/x")
    assert len(asked) == 3
    assert left(private) == []


def test_a_program_that_will_not_end_is_killed(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped (SIGSTOP), so that it cannot be asked; its worker goes with it."""
    monkeypatch.setattr(program, "PATIENCE", 0.2)
    with staged(answers(), nginx(), Layout(), as_planned):
        master, worker = programs("nginx")
        master.suspend()
        worker.suspend()
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in (master, worker))
    assert left(private) == []


def test_without_nginx() -> None:
    """Said at once, with what to do; a program that is gone is named."""
    with pytest.raises(RefusedPlan, match=r"nginx is not installed on this host\. Install it"):
        rehearse(answers(), None, Layout())
    with pytest.raises(HostError, match="/nowhere/nginx: cannot be started"):
        rehearse(answers(), replace(nginx(), binary=Path("/nowhere/nginx")), Layout())


def test_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory for temporary files that cannot be used is named."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(HostError, match=f"{tmp_path}/none.*: there is no room for a rehearsal"):
        rehearse(answers(), nginx(), Layout())


WAYS = [
    (Delegation.WELL_KNOWN, BaseCertificate.ORDERED, ["example.com:443"]),
    (Delegation.SRV, BaseCertificate.SITE, ["example.com:443"]),
    (Delegation.SRV, BaseCertificate.ORDERED, ["example.com:80", "example.com:443"]),
]


@pytest.mark.parametrize(("delegation", "certificate", "places"), WAYS)
def test_a_site_that_is_there_takes_a_line(
    delegation: Delegation, certificate: BaseCertificate, places: list[str]
) -> None:
    """A made-up site that forbids everything answers at our paths and at no others, and that it is made up is said."""
    report = sound(visiting(delegation, certificate))
    found = named(report, "site that is there")
    assert [check.subject for check in found if check.result is Result.PASS] == places
    assert [check.subject for check in found if check.result is Result.CANNOT_TELL] == places
    assert "example.com:443" in {check.subject for check in named(report, "well-known")}
    assert [check.result for check in named(report, "discovery")] == [Result.PASS]


@pytest.mark.parametrize("fault", ['add_header Access-Control-Allow-Origin "*" always;', "    allow all;\n"])
def test_a_fault_in_what_goes_into_a_site_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the header that browsers want, or without access for everybody, the rehearsal fails."""

    def broken(guest: Guest, directory: Path, found: Nginx) -> Leaflet:
        made = leaflet(guest, directory, found)
        return replace(made, file=replace(made.file, text=made.file.text.replace(fault, "")))

    monkeypatch.setattr("palpo_installer.proxies.nginx.guests.leaflet", broken)
    report = rehearse(visiting(Delegation.SRV, BaseCertificate.ORDERED), nginx(), Layout())
    assert report.failures
    assert {check.subject for check in report.failures} <= {"example.com:80", "example.com:443"}
