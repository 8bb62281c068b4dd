"""The pages and fields that the wizard and the plain prompts share."""

from __future__ import annotations

import pytest

from palpo_installer.conversation import PAGES, Given, Page, Talk, applying, changed, talk
from palpo_installer.layout import Layout
from palpo_installer.questions import QUESTIONS, is_supported, resolve
from palpo_installer.secret import Secret
from tests.situations import DATABASE, FEWEST, configured, facts, homeserver

BARE = facts()
LAYOUT = Layout()
NAMES, DELEGATION, CERTIFICATES, HOMESERVER = PAGES
ANSWERS_AT_MOST = 12


def conversing(given: Given) -> Talk:
    """Return the conversation on a host where nothing is set up."""
    return talk(given, BARE, LAYOUT)


def keys(conversation: Talk, page: Page) -> list[str]:
    """Return the keys that are always shown on a page."""
    return [field.question.key for field in conversation.on(page.keys)]


def test_every_question_that_can_matter_is_on_one_page() -> None:
    """Left out is what belongs to methods that are not there yet."""
    placed = [key for page in PAGES for key in (*page.keys, *page.more)]
    assert len(placed) == len(set(placed))
    left_out = {question.key for question in QUESTIONS} - set(placed)
    assert left_out == {"certificates.dns", "certificates.dns_credentials"}
    assert not is_supported("certificates.method", "dns-01")


def test_a_bare_host_needs_at_most_twelve_answers() -> None:
    """With every question that is always shown, and one more on each page that has further ones."""
    for secret in ("homeserver.database_url", "homeserver.database_url_file"):
        given = {**FEWEST, "homeserver.database_url": ""} | {
            secret: DATABASE if secret.endswith("url") else "/root/url"
        }
        conversation = conversing({key: value for key, value in given.items() if value})
        asked = sum(len(keys(conversation, page)) + bool(conversation.on(page.more)) for page in PAGES)
        assert not any(conversation.problems(page) for page in PAGES)
        assert asked <= ANSWERS_AT_MOST


def test_most_of_them_are_enter() -> None:
    """A person must type the server name, agree to the terms, and say where the database is; the rest has defaults."""
    conversation = conversing({"names.server_name": "example.com"})
    problems = [field.question.key for page in PAGES for field in conversation.problems(page)]
    assert problems == ["certificates.agree_terms", "homeserver.database_url_file"]


def test_what_is_shown_is_what_is_used() -> None:
    """Every field of a complete conversation shows, and every answer is, what resolving the same answers gives."""
    conversation = conversing(FEWEST)
    resolved = resolve(FEWEST, BARE, LAYOUT)
    used = {asked.question.key: asked for asked in resolved.asked}
    assert [field.question.key for field in conversation.fields] == list(used)
    assert conversation.shown("names.client_host") == resolved.answers.names.client_host
    assert {field.question.key: not field.chosen for field in conversation.fields} == {
        key: asked.default for key, asked in used.items()
    }
    assert conversation.answers["homeserver.listen"] == resolved.answers.homeserver.listen


def test_defaults_follow_earlier_answers() -> None:
    """Another server name has another client host; one that was typed stays."""
    assert conversing({"names.server_name": "example.org"}).shown("names.client_host") == "matrix.example.org"
    typed = {"names.server_name": "example.org", "names.client_host": "chat.example.org"}
    assert conversing(typed).shown("names.client_host") == "chat.example.org"


def test_a_bad_answer_stands_with_its_problem() -> None:
    """It is kept as typed, and what rests on it waits until it is there."""
    conversation = conversing({"names.server_name": "exa_mple.com"})
    (field,) = conversation.on(("names.server_name",))
    assert (field.shown, field.chosen) == ("exa_mple.com", True)
    assert field.problem == "An underscore cannot stand in a host name. Use a hyphen, or another name."
    assert keys(conversation, NAMES) == ["names.server_name"]
    assert "names.server_name" not in conversation.answers


def test_a_tick_that_is_missing_is_asked_for_in_words_of_people() -> None:
    """Who ticks a box or answers a prompt says yes; true is the word of a file."""
    field = next(
        each
        for each in conversing({"names.server_name": "example.com"}).fields
        if each.question.key == "certificates.agree_terms"
    )
    assert field.problem == "An answer is needed. For example: yes."


def test_a_problem_that_another_answer_has_names_it() -> None:
    """The field where it shows says which answer is meant."""
    (field,) = conversing({"names.server_name": "example.com"}).on(("homeserver.database_url_file",))
    assert field.problem.startswith("homeserver.database_url: Palpo needs a PostgreSQL database.")


@pytest.mark.parametrize("value", [DATABASE, Secret(DATABASE), "no-url-but-s3cret"])
def test_a_secret_is_never_shown(value: object) -> None:
    """Neither one that was typed, nor one that stood in a file of answers, nor one that cannot be used."""
    conversation = conversing({**FEWEST, "homeserver.database_url": value})
    (field,) = conversation.on(("homeserver.database_url",))
    assert (field.shown, field.chosen) == ("", True)
    assert "hunter2" not in repr(conversation)
    assert "s3cret" not in repr(conversation)


def test_an_existing_palpo_gives_its_answers() -> None:
    """The name and the database of a palpo.toml that is there need no typing."""
    found = facts(palpo=homeserver(configured("example.net")))
    conversation = talk({}, found, LAYOUT)
    assert conversation.shown("names.server_name") == "example.net"
    assert [field.question.key for page in PAGES for field in conversation.problems(page)] == [
        "certificates.agree_terms"
    ]


def test_an_empty_answer_gives_the_default_back() -> None:
    """Other answers stay, and what was given is not changed itself."""
    given = {"names.server_name": "example.com", "names.client_host": "chat.example.com"}
    assert changed(given, "names.client_host", "") == {"names.server_name": "example.com"}
    assert changed(given, "names.client_host", "x.example.com")["names.client_host"] == "x.example.com"
    assert given["names.client_host"] == "chat.example.com"


def test_answers_to_questions_that_do_not_apply_any_more_are_left_out() -> None:
    """A file for the secret that is typed now would contradict it."""
    given = {**FEWEST, "homeserver.database_url_file": "/root/url", "federation.port": 8448}
    left = applying(given, conversing(given))
    assert left == FEWEST
    assert resolve(left, BARE, LAYOUT).answers.names.server_name == "example.com"


def test_delegation_with_a_port_of_its_own_asks_for_it() -> None:
    """The port is a question for srv and direct only."""
    assert keys(conversing(FEWEST), DELEGATION) == ["federation.delegation"]
    assert keys(conversing({**FEWEST, "federation.delegation": "srv"}), DELEGATION)[1:] == ["federation.port"]
