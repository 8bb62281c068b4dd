"""Sockets of this machine that expect the line of a load balancer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.probe import Answer, Question
from palpo_installer.verify.balanced import Balanced
from palpo_installer.verify.checks_connection import check_connections
from palpo_installer.verify.report import Result
from palpo_installer.verify.view import contact
from tests.verify.worlds import BASE, CLIENT, choices, dns_name, view, zone

MARKED = Answer(200, (("palpo-installer", "abc"),))
ASKED = Question("192.0.2.1", 443, True)


def test_a_socket_of_ours_that_answers_to_a_line_is_asked_with_one_from_then_on() -> None:
    """And the certificate behind it is looked at in the same way."""
    seen: list[bool] = []

    def ask(question: Question) -> Answer:
        seen.append(question.proxy_protocol)
        return MARKED if question.proxy_protocol else Answer(problem="closed without an answer")

    balanced = Balanced(frozenset({"192.0.2.1"}), ask=ask)
    assert [balanced(ASKED), balanced(ASKED)] == [MARKED, MARKED]
    assert (seen, balanced.found) == ([False, True, True], {("192.0.2.1", 443)})


@pytest.mark.parametrize(
    ("address", "first", "second"),
    [
        ("192.0.2.1", Answer(404), MARKED),
        ("192.0.2.1", Answer(problem="refused"), MARKED),
        ("192.0.2.1", Answer(problem="tls: handshake failure"), Answer(400)),
        ("198.51.100.1", Answer(problem="closed without an answer"), MARKED),
    ],
)
def test_others_get_no_line(address: str, first: Answer, second: Answer) -> None:
    """Who answers without, nobody at all, who is no proxy of ours, and other machines."""
    balanced = Balanced(frozenset({"192.0.2.1"}), ask=lambda asked: second if asked.proxy_protocol else first)
    assert balanced(replace(ASKED, address=address)) == first
    assert balanced.found == set()


def test_a_port_behind_a_balancer_cannot_be_judged_from_here() -> None:
    """Whether names lead to the balancer, only DNS and another network can tell."""
    names = zone(dns_name(CLIENT, "192.0.2.1"), dns_name(BASE, "192.0.2.1"))
    balanced = frozenset((("192.0.2.1", port)) for port in (80, 443))
    there = replace(view(choices(), names), ask=lambda _: MARKED, balanced=balanced)
    checks = check_connections(there, {each: contact(there, each) for each in there.endpoints})
    assert {check.result for check in checks} == {Result.CANNOT_TELL}
    assert all("load balancer" in check.next for check in checks)
