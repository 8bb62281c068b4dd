"""Fetching URLs: which socket is asked for what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.layout import Layout
from palpo_installer.probe import Answer, Question
from palpo_installer.verify.fetching import Fetcher
from palpo_installer.verify.view import Contact
from tests.verify.worlds import BASE, choices, dns_name, view, zone

LOOKUP = zone(dns_name(BASE, "192.0.2.1", "2001:db8::1"), dns_name("www.example.com", "192.0.2.3"))


def fetched(url: str, silent: frozenset[str] = frozenset()) -> tuple[list[Question], Answer]:
    """Return what was asked for a URL, and the answer, with the ports 1080 and 1443 in the place of 80 and 443."""
    asked: list[Question] = []

    def ask(question: Question) -> Answer:
        asked.append(question)
        return Answer(problem="refused") if question.address in silent else Answer(200)

    here = replace(view(choices(), LOOKUP, layout=Layout(http_port=1080, https_port=1443)), ask=ask)
    answer = Fetcher(here, {})(url)
    return asked, answer


def test_ports_of_the_layout_stand_for_the_usual_ones() -> None:
    """A URL without a port leads to the layout's, one with a port to that one."""
    ((plain,), _) = fetched("http://www.example.com/a?b=c")
    assert (plain.address, plain.port, plain.tls, plain.target) == ("192.0.2.3", 1080, False, "/a?b=c")
    ((other,), _) = fetched("http://www.example.com:81")
    assert (other.port, other.target, other.sni) == (81, "/", "")


def test_every_address_is_tried() -> None:
    """An address that does not answer is not the end."""
    asked, answer = fetched("http://example.com/", silent=frozenset({"192.0.2.1"}))
    assert [question.address for question in asked] == ["192.0.2.1", "2001:db8::1"]
    assert answer.status == 200
    assert fetched("http://nowhere.example/")[1].problem == "its name has no address"


def test_literals() -> None:
    """An IPv6 literal is its own address and keeps its brackets in the Host header."""
    ((question,), _) = fetched("http://[2001:db8::5]:81/")
    assert (question.address, question.host) == ("2001:db8::5", "[2001:db8::5]:81")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "https://bad host/", "https://example.com:99999/", "https://ä.example/", "https:///x"]
)
def test_urls_that_cannot_be_used(url: str) -> None:
    """A redirect may lead anywhere; what cannot be asked is an answer, never an exception."""
    assert fetched(url) == ([], Answer(problem="no usable URL"))


def test_characters_that_no_request_may_have() -> None:
    """What a Location header has beyond ASCII is encoded before it is sent."""
    ((question,), _) = fetched("http://example.com/ü ?ö")
    assert question.target == "/%C3%BC%20?%C3%B6"


def test_an_untrusted_certificate_is_no_answer() -> None:
    """Over TLS the answer counts only if the certificate does; a socket nobody listens on says so."""
    here = replace(view(choices(), zone(dns_name("local.example", "127.0.0.1"))), ask=lambda _: Answer(200))
    assert Fetcher(here, {})("https://local.example:1/").problem.startswith("its certificate: no TLS connection")


def test_one_address_whatever_its_certificate() -> None:
    """A chosen address of an endpoint is asked alone, its certificate left to its own check."""
    here = replace(view(choices(), LOOKUP), ask=lambda question: Answer(200, (("at", question.address),)))
    door = Contact(here.website, {"192.0.2.1": Answer(200)}, {})
    fetch = Fetcher(here, {here.website: door}, only=(here.website, "2001:db8::1"))
    assert fetch("https://example.com/").header("at") == "2001:db8::1"
