"""Rehearsals with the real programs of the other proxies: every promise is kept, and nothing is left of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import pytest

from palpo_installer.answers import Answers, BaseCertificate, BaseDomain, Delegation, Registration
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Proxy
from palpo_installer.rehearsal import rehearse
from palpo_installer.rehearsal.stage import as_planned, staged
from palpo_installer.verify.report import Check, Report, Result
from tests.commands.invoking import CHECKOUT, NOBODY, as_root
from tests.rehearsal.made import KINDS, MEDIA, answers, faulty, here, left, programs, visiting

EVERYTHING = list(product(Delegation, Registration, (None, MEDIA)))

CHECKS = {
    "configuration", "marker", "certificate", "plain HTTP", "well-known", "request targets", "answers",
    "forwarding headers", "closed paths", "limits", "body size", "header size",
}  # fmt: skip

UNTOLD = {"apache": ["limits"], "caddy": ["limits"], "haproxy": []}
"""What a proxy does not do by its nature."""

NONSENSE = {
    **dict.fromkeys(KINDS, "\nnonsense_of_ours here\n"),
    # Outside of braces, Caddy would take the words for the address of a site.
    "caddy": "\nhttp://nonsense.example {\n\tnonsense_of_ours here\n}\n",
}


@pytest.fixture(params=KINDS)
def proxy(request: pytest.FixtureRequest) -> Proxy:
    """Each proxy of this machine but nginx."""
    return here(request.param)


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where rehearsals have their directories, so that what they leave is seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def names(checks: tuple[Check, ...] | list[Check], result: Result) -> list[str]:
    """Return the names of the checks with a result."""
    return [check.name for check in checks if check.result is result]


def sound(choices: Answers, proxy: Proxy) -> Report:
    """Rehearse, check that no promise is broken and that nothing else is untold than what the proxy does not do."""
    report = rehearse(choices, proxy, Layout())
    assert report.failures == ()
    assert names(report.checks, Result.CANNOT_TELL) == UNTOLD[proxy.kind]
    return report


@pytest.mark.parametrize(("delegation", "registration"), [("srv", "closed"), ("none", "open")])
def test_every_promise_is_kept(proxy: Proxy, delegation: str, registration: str) -> None:
    """Every check that applies was made; what the proxy does not do is said and is no failure."""
    report = sound(answers(Delegation(delegation), Registration(registration), media=MEDIA), proxy)
    made = {check.name for check in report.checks}
    assert made >= CHECKS
    assert ("registration" in made) == (registration == "closed")
    assert ("server keys" in made) == (delegation != "none")


@pytest.mark.slow
@pytest.mark.parametrize(("delegation", "registration", "media"), EVERYTHING)
def test_every_site_keeps_every_promise(
    proxy: Proxy, delegation: Delegation, registration: Registration, media: object
) -> None:
    """For every delegation, registration and media repository."""
    sound(answers(delegation, registration, media=MEDIA if media else None), proxy)


def test_it_is_short(proxy: Proxy) -> None:
    """The largest site, in less than three seconds; twice that where others are at work on this machine."""
    began = time.monotonic()
    sound(answers(Delegation.SRV, Registration.OPEN, media=MEDIA), proxy)
    assert time.monotonic() - began < 6


def test_a_configuration_that_is_not_taken_is_told(proxy: Proxy, private: Path) -> None:
    """With the proxy's own words; it is the only check then, and nothing is left."""
    report = rehearse(answers(), proxy, Layout(), render=faulty(lambda text: text + NONSENSE[proxy.kind]))
    (failure,) = report.checks
    assert (failure.name, failure.result) == ("configuration", Result.FAIL)
    assert f"{proxy.title} takes the configuration" in failure.what
    assert "nonsense_of_ours" in failure.what
    assert left(private) == []
    assert programs(proxy.binary.name) == []


def test_ctrl_c_in_the_middle_ends_it(proxy: Proxy, private: Path) -> None:
    """All of its processes, by their numbers; the ports are free again."""
    with pytest.raises(KeyboardInterrupt), staged(answers(), proxy, Layout(), as_planned) as stage:  # noqa: PT012
        processes = programs(proxy.binary.name)
        assert processes
        assert stage.send(stage.view.client, "/_matrix/x").arrived
        raise KeyboardInterrupt
    assert not any(process.is_running() for process in processes)
    assert stage.view.ask(stage.view.client.question("127.0.0.1", "/")).problem == "refused"
    assert left(private) == []


def test_two_at_once_do_not_meet(proxy: Proxy) -> None:
    """Each has ports and files of its own, and its own requests arrive."""
    first = staged(answers(), proxy, Layout(), as_planned)
    second = staged(answers(), proxy, Layout(), as_planned)
    with first as one, second as other:
        assert not {*one.doors.ports.values()} & {*other.doors.ports.values()}
        for stage in (one, other):
            assert stage.send(stage.view.client, "/_matrix/x").arrived


AS_ANOTHER = """
import os, sys, tempfile
from tests.commands.invoking import CHECKOUT, NOBODY, as_root
from tests.rehearsal.made import MEDIA, answers, here
from palpo_installer.layout import Layout
from palpo_installer.rehearsal import rehearse
number, kind, tempfile.tempdir = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for _ in range(2):
    failures = rehearse(answers(media=MEDIA), here(kind), Layout()).failures
    print(os.geteuid(), os.listdir(tempfile.tempdir), failures)
    # The second time round this changes nothing any more.
    os.setgroups([]) if os.geteuid() == 0 else None
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
"""
"""Rehearses twice: as root, which loads all that another account might not be able to read, and as that account."""


@as_root
def test_it_needs_no_root(proxy: Proxy) -> None:
    """Another account keeps every promise too, and nothing is left by it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o1777)
        ended = subprocess.run(
            (sys.executable, "-c", AS_ANOTHER, str(NOBODY), proxy.kind, directory),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=CHECKOUT,
        )
    assert (ended.stdout.splitlines(), ended.returncode) == (["0 [] ()", f"{NOBODY} [] ()"], 0), ended.stderr


def test_a_site_that_is_there_is_told_about(proxy: Proxy) -> None:
    """Where a line of ours goes into a site, a made-up one shows that it works; that it is made up is said."""
    report = rehearse(visiting(Delegation.SRV, BaseCertificate.SITE), proxy, Layout())
    assert report.failures == ()
    assert "site that is there" in names(report.checks, Result.CANNOT_TELL)


def test_a_website_on_another_machine(proxy: Proxy) -> None:
    """Nothing of the base domain is served here then."""
    report = rehearse(answers(base_domain=BaseDomain.ELSEWHERE), proxy, Layout())
    assert report.failures == ()
