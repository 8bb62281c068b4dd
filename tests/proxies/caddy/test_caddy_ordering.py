"""Caddy's own orders: what it is told, and what its log says of them. The lines are those of Caddy 2.6.2."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.protocol import Problem
from palpo_installer.proxies.caddy import letting_go
from palpo_installer.proxies.caddy.confidant import Confidant, Told, heard
from palpo_installer.proxies.caddy.ordering import LOG, with_log, with_order
from palpo_installer.proxies.ordering import Errand
from tests.lab.running import until

FILES = CertificateFiles(Path("/storage/certificates/ca/example.com/example.com.crt"), Path("/storage/key"))
ERRAND = Errand("example.com", "https://ca.example/dir", "a@example.com", None, 10, FILES)
ISSUER = {"module": "acme", "ca": "https://ca.example/dir", "email": "a@example.com"}


def line(**fields: object) -> str:
    """Return a line of the log."""
    return json.dumps({"level": "info", "logger": "tls.obtain", **fields})


def test_the_order_stands_beside_what_is_served() -> None:
    """One name more, with a policy and a log of ours; the policy of another site gives the name away, and no more."""
    shared = {"subjects": ["example.com", "other.example"], "issuers": [{"module": "internal"}]}
    alone = {"subjects": ["example.com"]}
    document: dict[str, object] = {"apps": {"http": {"x": 1}, "tls": {"automation": {"policies": [shared, alone]}}}}
    before = json.dumps(document)
    made = json.loads(json.dumps(with_order(document, ERRAND, "127.0.0.1:7")))
    assert json.dumps(document) == before
    assert made["apps"]["http"] == {"x": 1}
    assert made["apps"]["tls"]["certificates"] == {"automate": ["example.com"]}
    assert made["apps"]["tls"]["automation"]["policies"] == [
        {"subjects": ["example.com"], "issuers": [ISSUER]},
        {**shared, "subjects": ["other.example"]},
    ]
    assert made["logging"]["logs"][LOG]["writer"] == {"output": "net", "address": "127.0.0.1:7"}


@pytest.mark.parametrize(
    ("listen", "managed"), [([":443"], True), (["127.0.0.1:8448"], True), ([":80"], False), ([":80", ":8080"], True)]
)
def test_a_name_that_caddy_has_is_let_go_and_shown_meanwhile(listen: list[str], managed: bool) -> None:
    """Every site with TLS leaves it to nobody; its certificate is one of files; plain HTTP needs none."""
    route = {"match": [{"host": ["a.example"]}, {"path": ["/"], "host": ["example.com"]}], "handle": []}
    document: dict[str, object] = {"apps": {"http": {"servers": {"srv0": {"listen": listen, "routes": [route]}}}}}
    assert letting_go.is_managed(document, "example.com") is managed
    assert not letting_go.is_managed(document, "b.example")
    made = json.loads(json.dumps(with_log(letting_go.without(document, "example.com", FILES), "127.0.0.1:7")))
    # By which a recovery knows that Caddy must go back to its Caddyfile.
    assert LOG in made["logging"]["logs"]
    skips = made["apps"]["http"]["servers"]["srv0"].get("automatic_https", {}).get("skip_certificates", [])
    assert skips == (["example.com"] if managed else [])
    loaded = {"load_files": [{"certificate": str(FILES.chain), "key": str(FILES.key)}]}
    assert made["apps"]["tls"]["certificates"] == loaded
    assert "tls" not in letting_go.without(document, "example.com", None)["apps"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            "HTTP 400 urn:ietf:params:acme:error:dns - DNS problem: NXDOMAIN looking up A for example.com",
            Problem("dns", "DNS problem: NXDOMAIN looking up A for example.com", "example.com"),
        ),
        (
            "registering account: dial tcp: connection refused",
            Problem("", "registering account: dial tcp: connection refused", "example.com"),
        ),
    ],
)
def test_a_failure_is_told_as_the_ca_says_it(error: str, problem: Problem) -> None:
    """The error type and the CA's own words where it was reached; the first failure counts."""
    told = heard(
        Told(), line(msg="could not get certificate from issuer", identifier="example.com", error=error), "example.com"
    )
    assert told.failure == problem
    again = line(level="error", msg="will retry", error="[example.com] Obtain: something else")
    assert heard(told, again, "example.com").failure == problem


@pytest.mark.parametrize(
    "said",
    [
        {"problem_type": "urn:ietf:params:acme:error:connection", "error": "timed out"},
        {"problem": {"type": "urn:ietf:params:acme:error:connection", "detail": "timed out"}},
    ],
)
def test_why_no_proof_was_found_is_said_before_the_end(said: dict[str, object]) -> None:
    """The last line knows only that no way is left; another way that does makes a doubt pass."""
    doubtful = heard(
        Told(), line(level="error", msg="challenge failed", identifier="example.com", **said), "example.com"
    )
    assert doubtful.failure is None
    end = line(msg="could not get certificate from issuer", identifier="example.com", error="no solvers available")
    assert heard(doubtful, end, "example.com").failure == Problem("connection", "timed out", "example.com")


def test_a_rate_limit_has_its_time() -> None:
    """Let's Encrypt says when the next try is free, and the ledger keeps it."""
    error = "HTTP 429 urn:ietf:params:acme:error:rateLimited - too many, retry after 2026-11-22 10:00:00 UTC"
    told = heard(
        Told(), line(msg="could not get certificate from issuer", identifier="example.com", error=error), "example.com"
    )
    assert told.failure is not None
    assert told.failure.not_again_before is not None
    assert told.failure.not_again_before.isoformat() == "2026-11-22T10:00:00+00:00"


@pytest.mark.parametrize(
    "other",
    [
        line(msg="could not get certificate from issuer", identifier="other.example", error="x"),
        line(level="error", msg="will retry", error="[other.example] Obtain: x"),
        line(msg="trying to solve challenge", identifier="other.example"),
        line(msg="stapling OCSP", identifier="example.com"),
        "no json",
        "[]",
    ],
)
def test_what_is_about_others_is_passed_over(other: str) -> None:
    """Other names of the same Caddy fail and progress by themselves."""
    assert heard(Told(), other, "example.com") == Told()


def test_it_listens_on_loopback() -> None:
    """What Caddy writes there line by line is heard."""
    with Confidant("example.com") as confidant:
        host, _, port = confidant.address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall((line(msg="trying to solve challenge", identifier="example.com") + "\n").encode())
            until(lambda: confidant.told().progress != "", "the line")
