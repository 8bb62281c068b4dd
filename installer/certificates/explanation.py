"""What a failed order means: the CA's own words, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palpo_installer.certificates.directory import unreachable
from palpo_installer.certificates.ledger import clock
from palpo_installer.certificates.protocol import Problem, Result
from palpo_installer.errors import AnswersError, HostError, InstallerError, OrderRefused


@dataclass(frozen=True)
class Meaning:
    """An error type (RFC 8555, section 6.7) for people; ``{}`` stands for the name."""

    what: str
    next: str


MEANINGS = {
    "dns": Meaning(
        "the CA cannot look up {} in DNS",
        "Check that its A and AAAA records exist and that every name server of the domain answers",
    ),
    "connection": Meaning(
        "the CA cannot connect to {} on port 80",
        "Open port 80 in the firewall, and check that the A and AAAA records lead to this host",
    ),
    "unauthorized": Meaning(
        "something else than this host's proof answered for {}",
        "Check that its A and AAAA records lead to this host alone, and that nothing in front of it redirects",
    ),
    "caa": Meaning(
        "CAA records forbid this CA to issue for {}",
        "Add a CAA record that names this CA, or choose another one",
    ),
    "rejectedIdentifier": Meaning(
        "the CA does not issue for {}", "Choose another CA (certificates.directory), or bring files"
    ),
    "rateLimited": Meaning("a rate limit of the CA forbids an order for {} now", "Try again later, not sooner"),
    "serverInternal": Meaning("the CA has trouble of its own", "Try again later; its status page may say more"),
}
SAME = {"incorrectResponse": "unauthorized", "tls": "connection", "unknownHost": "dns", "dnssec": "dns"}
IPV6 = "The CA asked the IPv6 address: serve port 80 there too, or remove the AAAA record"

EMAIL = Meaning("the CA does not take this address as a contact", "Correct the address, or leave it empty")
ANSWERS = {
    "externalAccountRequired": (
        "certificates.eab_file",
        Meaning("the CA wants an account of its own behind every order", "Put its key id and HMAC key into a file"),
    ),
    "userActionRequired": (
        "certificates.agree_terms",
        Meaning("the CA's terms of service are not agreed to", "Read them and agree to them"),
    ),
    "invalidContact": ("certificates.email", EMAIL),
    "invalidEmail": ("certificates.email", EMAIL),
    "unsupportedContact": ("certificates.email", EMAIL),
}
"""Error types that an answer can cure, with its key."""

WORDS = (
    ("Terms of Service", "userActionRequired"),
    ("external account binding", "externalAccountRequired"),
    ("invalid email", "invalidEmail"),
)
"""What certbot says itself, without asking the CA, and the type that the CA would have used."""

NETWORK = ("ConnectionError", "SSLError", "ProxyError", "ConnectTimeout", "ReadTimeout", "Timeout")


def explain(name: str, directory: str, result: Result, logs: Path) -> InstallerError:
    """Return the error for an order that failed; ``logs`` is where certbot's own logs are."""
    said = [f"{problem.identifier}: {problem.detail}".removeprefix(": ") for problem in result.problems]
    about = next((problem for problem in result.problems if problem.identifier), None)
    main = about or (result.problems[-1] if result.problems else _own(result))
    if "No space left on device" in result.text:
        return HostError("the disk is full", where=str(logs), next="Make room, then try again")
    if main is None and result.error in NETWORK:
        return unreachable(directory, f"{result.error}: {result.text}")
    if main is not None and main.type in ANSWERS:
        key, meaning = ANSWERS[main.type]
        return AnswersError(f"{meaning.what}. It says: {main.detail}", where=key, next=meaning.next)
    log = f"Certbot's log: {logs / 'letsencrypt.log'}"
    if main is None:
        return OrderRefused(f"certbot could not order for {name}: {_line(result.text)}", where=directory, next=log)
    known = MEANINGS.get(SAME.get(main.type, main.type))
    what = known.what.format(name) if known else f"the CA refuses the order for {name} ({main.type})"
    return OrderRefused(f"{what}. It says: {'; '.join(said)}", where=directory, next=_next(main, known) or log)


def refused_by(directory: str, problem: Problem, orderer: str) -> InstallerError:
    """Return the error for an order that a proxy made itself and that failed; ``orderer`` is what people call it."""
    name = problem.identifier
    if not problem.type:
        return OrderRefused(
            f"{orderer} could not order for {name}: {_line(problem.detail)}",
            where=directory,
            next=f"See that {orderer} can reach the CA, then try again",
        )
    if problem.type in ANSWERS:
        key, meaning = ANSWERS[problem.type]
        return AnswersError(f"{meaning.what}. It says: {problem.detail}", where=key, next=meaning.next)
    known = MEANINGS.get(SAME.get(problem.type, problem.type))
    what = known.what.format(name) if known else f"the CA refuses the order for {name} ({problem.type})"
    return OrderRefused(
        f"{what}. {orderer} says: {_line(problem.detail)}",
        where=directory,
        next=_next(problem, known) or f"{orderer}'s log says more",
    )


def _own(result: Result) -> Problem | None:
    """Return what certbot found by itself as the problem that the CA would have named."""
    kind = next((kind for words, kind in WORDS if words in result.text), "")
    return Problem(kind, _line(result.text)) if kind else None


def _next(problem: Problem, meaning: Meaning | None) -> str:
    if problem.not_again_before:
        return f"Try again after {clock(problem.not_again_before)}"
    if problem.type == "connection" and "[" in problem.detail and "::" in problem.detail:
        return IPV6
    return meaning.next if meaning else ""


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
