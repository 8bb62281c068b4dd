"""The client well-known answer, as a browser judges it."""

from __future__ import annotations

import pytest

from palpo_installer.answers import BaseDomain
from palpo_installer.probe import Answer
from palpo_installer.verify.checks_well_known import PATH, document, objection
from palpo_installer.verify.resolution import Hop
from tests.verify.worlds import choices, json_answer, redirect, view, zone

EXPECTED = "https://matrix.example.com"
BODY = '{"m.homeserver":{"base_url":"https://matrix.example.com"}}'
DOUBLE = Answer(
    200,
    (
        ("content-type", "application/json"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-origin", "*"),
    ),
    BODY.encode(),
)


def judged(*answers: Answer) -> str:
    """Return what is objected to answers on the way."""
    return objection(
        tuple(Hop(f"https://example.com/{number}", there) for number, there in enumerate(answers)), EXPECTED
    )


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(BODY),
        json_answer(BODY.replace('.com"', '.com/"')),
        json_answer(BODY, content_type="application/json; charset=utf-8"),
        json_answer(BODY, access_control_allow_origin="https://client.example"),
    ],
)
def test_good_answers(answer: Answer) -> None:
    """A trailing slash, a charset and the echoed origin are all right."""
    assert judged(answer) == ""


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(problem="refused"), "it does not answer (refused)"),
        (json_answer(BODY, status=404), "it answers 404 instead of 200"),
        (json_answer("<html>"), "no JSON object"),
        (json_answer("{}"), "m.homeserver.base_url is None"),
        (json_answer('{"m.homeserver":"x"}'), "m.homeserver.base_url is None"),
        (json_answer(BODY.replace("https", "http")), "is 'http://matrix.example.com' instead of"),
        (json_answer(BODY, access_control_allow_origin=""), "Access-Control-Allow-Origin is missing"),
        (DOUBLE, "comes 2 times"),
        (json_answer(BODY, access_control_allow_origin="*, *"), "comes 2 times"),
        (json_answer(BODY, access_control_allow_origin="https://a.example"), "lets in that one web client only"),
        (json_answer(BODY, content_type="text/plain"), "its Content-Type is text/plain"),
        (json_answer(BODY, content_type=""), "its Content-Type is missing"),
    ],
)
def test_what_keeps_clients_away(answer: Answer, cause: str) -> None:
    """Each thing that a client stumbles over is named."""
    assert cause in judged(answer)


def test_redirects_must_be_readable_too() -> None:
    """A browser follows a redirect only if the redirect itself may be read."""
    assert judged(redirect("/1"), json_answer(BODY)) == ""
    assert "it redirects to another place, and the header" in judged(
        Answer(301, (("location", "/1"),)), json_answer(BODY)
    )


def test_the_document_to_publish() -> None:
    """A website elsewhere gets the exact document; a site of this machine is mended by the installer."""
    elsewhere = view(choices(base_domain=BaseDomain.ELSEWHERE), zone())
    cure = document(elsewhere, PATH).cure(elsewhere, elsewhere.website)
    assert cure.splitlines()[0].startswith("Publish this at https://example.com/.well-known/matrix/client,")
    assert cure.splitlines()[1] == BODY
    existing = view(choices(base_domain=BaseDomain.EXISTING), zone())
    assert "palpo-installer plan" in document(existing, PATH).cure(existing, existing.website)
