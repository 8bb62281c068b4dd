"""Certificates that a proxy orders itself, as an answer: where it can be chosen, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from palpo_installer import matrix_site
from palpo_installer.answers import Answers
from palpo_installer.conversation import Field, talk
from palpo_installer.errors import AnswersError
from palpo_installer.layout import Layout
from palpo_installer.plain.prompts import Prompt
from palpo_installer.questions import resolve
from tests.proxies.caddy.test_caddy_rendering import CADDY
from tests.situations import FEWEST, facts
from tests.test_plain import Typing

HOST = replace(facts(), caddy=CADDY)
OWN: Mapping[str, object] = {
    "proxy.kind": "caddy",
    "certificates.method": "proxy",
    "certificates.agree_terms": True,
}
ELSEWHERE = {"names.base_domain": "elsewhere", "federation.delegation": "srv"}


def answers(chosen: Mapping[str, object]) -> Answers:
    """Return the answers for what a test chooses on a host with Caddy."""
    return resolve({**FEWEST, **OWN, **chosen}, HOST, Layout()).answers


def field(kind: str) -> Field:
    """Return the question for the method as it is shown once a proxy is chosen."""
    (found,) = talk({**FEWEST, "proxy.kind": kind}, HOST, Layout()).on(("certificates.method",))
    return found


def test_it_is_offered_for_a_proxy_that_can() -> None:
    """With Caddy it is one of the choices, with nginx there is no row for it."""
    assert "proxy" in [choice.value for choice in field("caddy").choices]
    assert "proxy" not in [choice.value for choice in field("nginx").choices]


def test_the_prompt_numbers_what_is_offered() -> None:
    """A number leads to the choice before which it stands."""
    for kind, offered in (("caddy", 4), ("nginx", 3)):
        console = Typing([])
        prompt = Prompt(console, field(kind))
        prompt.introduce()
        assert f"  {offered}. self-signed" in console.said
        assert f"  {offered + 1}. " not in console.said


def test_another_proxy_is_refused_by_name() -> None:
    """With what to choose instead."""
    with pytest.raises(AnswersError, match="nginx orders no certificates itself") as refused:
        answers({"proxy.kind": "nginx"})
    assert refused.value.next == "Choose http-01, files or self-signed"


@pytest.mark.parametrize(
    ("key", "value"),
    [("certificates.eab_file", "/root/account"), ("certificates.proxy", "http://proxy.example.com:3128")],
)
def test_what_it_would_not_be_told_is_refused(key: str, value: str) -> None:
    """An external account and an HTTP proxy are not dropped in silence."""
    with pytest.raises(AnswersError, match="is not told of this") as refused:
        answers({key: value})
    assert refused.value.where == key
    assert "http-01" in refused.value.next


def test_a_name_that_somebody_else_answers_for_needs_files() -> None:
    """SRV with the base domain elsewhere: the authority would ask there; the other name is the proxy's."""
    with pytest.raises(AnswersError, match="a certificate of yours is needed") as refused:
        answers(ELSEWHERE)
    assert refused.value.where == 'certificates.files."example.com"'
    brought = answers(
        {**ELSEWHERE, "certificates.files": {"example.com": {"chain": "/a/chain.pem", "key": "/a/key.pem"}}}
    )
    assert matrix_site.build(brought, Layout()).managed == ("matrix.example.com",)


def test_the_site_names_the_authority() -> None:
    """Every name that has no files is ordered from it; with another method nothing is."""
    site = matrix_site.build(answers({"certificates.email": "a@example.com"}), Layout())
    assert site.managed == site.certificates
    assert site.issuer is not None
    assert site.issuer.email == "a@example.com"
    other = matrix_site.build(answers({"certificates.method": "http-01"}), Layout())
    assert (other.managed, other.issuer) == ((), None)
