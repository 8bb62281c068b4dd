"""Matrix server discovery, case by case: the table of the specification (v1.19, "Resolving server names")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.probe import Answer
from palpo_installer.verify.resolution import Resolution, follow, is_server_name, read_server, resolve, split
from tests.verify.worlds import dns_name, json_answer, redirect, service, zone

HOME, MATRIX = dns_name("example.com", "192.0.2.1"), dns_name("matrix.example.com", "192.0.2.2", "2001:db8::2")
WELL_KNOWN = "https://example.com/.well-known/matrix/server"
MISSING = Answer(404)


def delegation(server: object) -> Answer:
    """Return a server well-known answer."""
    return json_answer(f'{{"m.server":"{server}"}}')


def home(*, fed: tuple[ServiceRecord, ...] = (), old: tuple[ServiceRecord, ...] = ()) -> Name:
    """Return example.com with SRV records."""
    return dns_name("example.com", "192.0.2.1", federation=fed, federation_old=old)


def matrix(*, fed: tuple[ServiceRecord, ...] = (), old: tuple[ServiceRecord, ...] = ()) -> Name:
    """Return matrix.example.com with SRV records."""
    return dns_name("matrix.example.com", "192.0.2.2", federation=fed, federation_old=old)


@dataclass(frozen=True)
class Case:
    """A world, and where another server must end up in it: step, destinations, Host, SNI, certificate."""

    server_name: str
    expected: tuple[str, list[str], str, str, str]
    names: tuple[Name, ...] = (HOME, MATRIX)
    urls: Mapping[str, Answer] = field(default_factory=dict)


FED, OLD = service(8449, "fed.example.com"), service(8450, "old.example.com")
MX = "matrix.example.com"
CASES = {
    "IPv4 with a port": Case("192.0.2.9:4433", ("1", ["192.0.2.9:4433"], "192.0.2.9:4433", "", "192.0.2.9")),
    "IPv4 without": Case("192.0.2.9", ("1", ["192.0.2.9:8448"], "192.0.2.9", "", "192.0.2.9")),
    "IPv6 without": Case("[2001:db8::1]", ("1", ["[2001:db8::1]:8448"], "[2001:db8::1]", "", "2001:db8::1")),
    "IPv6 with a port": Case("[2001:db8::1]:1", ("1", ["[2001:db8::1]:1"], "[2001:db8::1]:1", "", "2001:db8::1")),
    "name with a port, nothing asked": Case(
        "example.com:8449",
        ("2", ["example.com:8449"], "example.com:8449", "example.com", "example.com"),
        names=(home(fed=FED),),
        urls={WELL_KNOWN: delegation(MX)},
    ),
    "delegated to IPv4": Case(
        "example.com",
        ("3.1", ["192.0.2.7:8448"], "192.0.2.7", "", "192.0.2.7"),
        urls={WELL_KNOWN: delegation("192.0.2.7")},
    ),
    "delegated to IPv6 with a port": Case(
        "example.com",
        ("3.1", ["[2001:db8::7]:443"], "[2001:db8::7]:443", "", "2001:db8::7"),
        urls={WELL_KNOWN: delegation("[2001:db8::7]:443")},
    ),
    "delegated with a port, SRV not asked": Case(
        "example.com",
        ("3.2", [f"{MX}:443"], f"{MX}:443", MX, MX),
        names=(HOME, matrix(fed=FED)),
        urls={WELL_KNOWN: delegation(f"{MX}:443")},
    ),
    "delegated without a port, SRV": Case(
        "example.com",
        ("3.3", ["fed.example.com:8449"], MX, MX, MX),
        names=(HOME, matrix(fed=FED, old=OLD)),
        urls={WELL_KNOWN: delegation(MX)},
    ),
    "delegated without a port, deprecated SRV": Case(
        "example.com",
        ("3.4", ["old.example.com:8450"], MX, MX, MX),
        names=(HOME, matrix(old=OLD)),
        urls={WELL_KNOWN: delegation(MX)},
    ),
    "delegated without a port, no SRV": Case(
        "example.com", ("3.5", [f"{MX}:8448"], MX, MX, MX), urls={WELL_KNOWN: delegation(MX)}
    ),
    "no well-known, SRV for the name itself": Case(
        "example.com",
        ("4", ["fed.example.com:8449"], "example.com", "example.com", "example.com"),
        names=(home(fed=FED, old=OLD), MATRIX),
    ),
    "no well-known, deprecated SRV": Case(
        "example.com",
        ("5", ["old.example.com:8450"], "example.com", "example.com", "example.com"),
        names=(home(old=OLD), MATRIX),
    ),
    "nothing at all": Case("example.com", ("6", ["example.com:8448"], "example.com", "example.com", "example.com")),
    "several SRV records, lowest priority first": Case(
        "example.com",
        ("4", ["b.example:1", "a.example:3", "c.example:2"], "example.com", "example.com", "example.com"),
        names=(
            home(
                fed=(
                    ServiceRecord(20, 1, 2, "c.example"),
                    ServiceRecord(20, 9, 3, "a.example"),
                    ServiceRecord(10, 0, 1, "b.example."),
                )
            ),
        ),
    ),
    "well-known through redirects": Case(
        "example.com",
        ("3.2", [f"{MX}:443"], f"{MX}:443", MX, MX),
        urls={
            WELL_KNOWN: redirect("https://www.example.com/.well-known/matrix/server"),
            "https://www.example.com/.well-known/matrix/server": redirect("/m"),
            "https://www.example.com/m": delegation(f"{MX}:443"),
        },
    ),
}


def world(case: Case) -> Resolution:
    """Return the resolution of a case."""
    return resolve(case.server_name, zone(*case.names), lambda url: case.urls.get(url, MISSING))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_where_another_server_ends_up(case: Case) -> None:
    """Step, destinations, Host, SNI and the certificate's name are those of the specification."""
    found = world(case)
    ends = [str(there) for there in found.destinations]
    assert (found.step.value, ends, found.host, found.sni, found.certificate) == case.expected
    assert found.trace[-1].startswith(f"Step {found.step}:")


def test_addresses_come_along() -> None:
    """A destination has every address of its host, and an IP literal is its own."""
    delegated = world(Case("example.com", ("", [], "", "", ""), urls={WELL_KNOWN: delegation(f"{MX}:443")}))
    assert delegated.destinations[0].addresses == ("192.0.2.2", "2001:db8::2")
    assert world(Case("[2001:db8::1]", ("", [], "", "", ""))).destinations[0].addresses == ("2001:db8::1",)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (MISSING, "it answers 404"),
        (Answer(problem="refused"), "it does not answer (refused)"),
        (json_answer("<html>"), "its answer is no JSON object"),
        (json_answer("[]"), "its answer is no JSON object"),
        (json_answer('{"m.server":"a",}'), "its answer is no JSON object"),
        (json_answer("{}"), "its answer has no m.server"),
        (json_answer('{"m.server":8448}'), "its answer has no m.server"),
        (delegation("https://matrix.example.com"), "its m.server is no server name"),
        (delegation("matrix.example.com:99999"), "its m.server is no server name"),
        (delegation("a" * 60_000), "its answer is longer than 50 KiB"),
    ],
)
def test_an_invalid_answer_goes_on_to_srv(answer: Answer, reason: str) -> None:
    """What is no delegation leads to the next step, and the trace says why."""
    found = world(Case("example.com", ("", [], "", "", ""), names=(home(fed=FED),), urls={WELL_KNOWN: answer}))
    assert found.step == "4"
    assert reason in found.trace[0]


def test_a_valid_well_known_shadows_srv_records() -> None:
    """SRV records that are never asked are named."""
    case = Case("example.com", ("", [], "", "", ""), (home(fed=FED, old=OLD), MATRIX), {WELL_KNOWN: delegation(MX)})
    assert world(case).shadowed == ("_matrix-fed._tcp.example.com", "_matrix._tcp.example.com")


def test_a_target_that_is_an_alias() -> None:
    """An SRV target with a CNAME is flagged (RFC 2782)."""
    aliased = dns_name(MX, "192.0.2.2", alias="host.example.net")
    assert world(Case("example.com", ("", [], "", "", ""), (home(fed=service(8448)), aliased))).aliases == (MX,)
    assert world(Case("example.com", ("", [], "", "", ""), (home(fed=service(8448)), MATRIX))).aliases == ()


def test_a_service_that_is_switched_off() -> None:
    """The target ``.`` means that there is no service; the deprecated record is not tried then."""
    found = world(Case("example.com", ("", [], "", "", ""), (home(fed=service(0, "."), old=OLD),)))
    assert (found.step, found.destinations) == ("4", ())
    assert "switched off" in found.trace[-1]


def test_dns_that_does_not_answer_is_a_problem() -> None:
    """Without DNS the way is followed as far as it goes, and what is missing is said."""
    silent = dns_name("example.com", problem="timed out")
    assert world(Case("example.com", ("", [], "", "", ""), (silent,))).problem == "timed out"


def test_redirects_end() -> None:
    """Loops and endless chains end; the redirect itself is then the answer, which is no delegation."""
    loop = follow("https://a.example/1", lambda url: redirect("/2" if url.endswith("1") else "/1"))
    assert [hop.url[-1] for hop in loop] == ["1", "2"]
    endless = follow("https://a.example/x", lambda url: redirect(url + "x"))
    assert len(endless) == 11
    assert read_server(endless[-1].answer) == ("", "it answers 302")
    assert len(follow("https://a.example/", lambda _: redirect("https://[broken"))) == 1


@pytest.mark.parametrize(
    "name", ["example.com", "example.com:8448", "192.0.2.1", "[::1]:1", "A-1.example", "localhost"]
)
def test_server_names(name: str) -> None:
    """The grammar takes what is one."""
    assert is_server_name(name)


@pytest.mark.parametrize("name", ["", "a b", "a:0", "a:65536", "a:", "a/b", "[example]", "[::1", "user@a", "ä.example"])
def test_no_server_names(name: str) -> None:
    """The grammar refuses what is none."""
    assert not is_server_name(name)


def test_split() -> None:
    """Host and port are told apart, also for IPv6."""
    assert split("example.com:8448") == ("example.com", 8448)
    assert split("[::1]") == ("[::1]", None)
