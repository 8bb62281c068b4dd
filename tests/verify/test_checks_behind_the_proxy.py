"""Closed paths and request targets: whose answer is it, and is it the same as without the proxy?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.probe import Answer, Question
from palpo_installer.site import NOTHING
from palpo_installer.verify.checks_paths import reaches, spellings
from palpo_installer.verify.checks_targets import Target, judge, targets
from palpo_installer.verify.report import Result
from tests.verify.worlds import choices, json_answer, view, zone

REFUSAL = NOTHING
REFUSED = json_answer('{"error":"Nothing is served here", "errcode":"M_UNRECOGNIZED"}', status=404)
DENIED = json_answer('{"errcode":"M_MISSING_TOKEN","error":"Missing access token."}', status=401)
UNKNOWN = json_answer('{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}', status=404)
SILENT = Answer(problem="refused")


@pytest.mark.parametrize(
    ("answer", "homeserver", "expected"),
    [
        (REFUSED, (DENIED, DENIED), False),
        (DENIED, (DENIED, DENIED), True),
        (UNKNOWN, (UNKNOWN, DENIED), True),
        (DENIED, (UNKNOWN, DENIED), True),
        (json_answer('{"errcode":"M_FORBIDDEN","error":"not an admin"}', status=403), (UNKNOWN, DENIED), True),
        (Answer(200, (), b""), (DENIED, DENIED), False),
        (Answer(200, (), b"ok"), (Answer(200, (), b"ok"),), True),
        (Answer(404, (), b"<html>nginx"), (UNKNOWN, UNKNOWN), False),
        (Answer(404, (), b""), (Answer(404, (), b""),), None),
        (DENIED, (SILENT, SILENT), True),
        (Answer(403, (), b"<html>nginx"), (SILENT, SILENT), False),
        (SILENT, (DENIED, DENIED), False),
    ],
)
def test_whose_answer_it_is(answer: Answer, homeserver: tuple[Answer, ...], expected: bool | None) -> None:
    """Content decides, never the status alone: an empty 200 is closed, and the homeserver's own 404 is not."""
    assert reaches(answer, homeserver, (REFUSAL,)) is expected


def test_spellings_mean_the_same_path() -> None:
    """The path itself, dots, encoded dots and slashes, doubled slashes and encoded letters are all tried."""
    found = list(spellings("/_synapse/admin"))
    assert found[0] == "/_synapse/admin"
    assert {
        "/_matrix/../_synapse/admin/v1/users",
        "/_matrix/%2e%2e/_synapse/admin/v1/users",
        "/_matrix/..%2f_synapse/admin/v1/users",
        "//_synapse/admin/v1/users",
        "/%5Fsynapse/admin/v1/users",
    } <= set(found)
    assert "/_matrix/key/v2/server" in set(spellings("/_matrix/key"))


def through(proxy: Answer, sent: Answer, changed: Answer, *, needed: bool = True) -> tuple[Result, str]:
    """Judge one target by the answers through the proxy and of the homeserver to both of its forms."""
    here = view(choices(), zone())

    def ask(question: Question) -> Answer:
        if question.tls:
            return proxy
        return sent if question.target == "/a%2Fb" else changed

    return judge(replace(here, ask=ask), here.client, "192.0.2.1", Target("slashes", "/a%2Fb", "/a/b", needed))


def test_a_target_that_arrives() -> None:
    """Equal answers prove something only where the changed target would have got another one."""
    assert through(UNKNOWN, UNKNOWN, DENIED)[0] is Result.PASS
    assert through(UNKNOWN, UNKNOWN, UNKNOWN)[0] is Result.CANNOT_TELL


def test_a_target_that_does_not() -> None:
    """The answer of the changed form, a refusal, and any other answer are failures; with what was seen."""
    result, words = through(DENIED, UNKNOWN, DENIED)
    assert result is Result.FAIL
    assert words == "/a%2Fb arrives as /a/b"
    assert through(Answer(400), UNKNOWN, UNKNOWN) == (Result.FAIL, "/a%2Fb gets 400, without the proxy 404")


def test_a_target_that_matrix_does_not_need_may_be_refused() -> None:
    """Dot segments may be refused by the proxy, but not passed on changed."""
    assert through(Answer(400), UNKNOWN, DENIED, needed=False)[0] is Result.PASS
    assert through(DENIED, UNKNOWN, DENIED, needed=False)[0] is Result.FAIL
    assert through(Answer(502), UNKNOWN, DENIED, needed=False)[0] is Result.FAIL


def test_without_the_homeserver_nothing_is_proved() -> None:
    """Where the homeserver itself cannot be asked, equal answers cannot be seen."""
    assert through(UNKNOWN, SILENT, SILENT)[0] is Result.CANNOT_TELL


def test_targets_stay_at_home() -> None:
    """Every alias and user that is asked for is of this server, so that no other one is bothered."""
    found = targets("example.com:8449")
    assert all("example.com%3A8449" in target.sent for target in found if "%3A" in target.sent)
    assert all(target.sent.isascii() and target.changed.isascii() for target in found)
    assert len({target.kind for target in found}) == len(found)
