"""From raw answers to Answers: every question in order, each seeing the ones before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from palpo_installer.answers import (
    MEDIA_UPLOAD_SIZE,
    Address,
    Answers,
    BaseCertificate,
    BaseDomain,
    CertificateFiles,
    Certificates,
    Delegation,
    Federation,
    FirewallAnswer,
    Guards,
    Homeserver,
    Method,
    Names,
    Registration,
    SELinuxAnswer,
    WellKnown,
)
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.questions.authority import LETS_ENCRYPT
from palpo_installer.questions.certificates import CERTIFICATES
from palpo_installer.questions.federation import FEDERATION, FEDERATION_PORT
from palpo_installer.questions.guards import GUARDS
from palpo_installer.questions.homeserver import HOMESERVER
from palpo_installer.questions.names import NAMES
from palpo_installer.questions.optional import OPTIONAL
from palpo_installer.questions.proxies import PROXIES
from palpo_installer.questions.question import Question, Situation
from palpo_installer.secret import Secret, SecretReference

QUESTIONS: tuple[Question, ...] = (*NAMES, *FEDERATION, *PROXIES, *HOMESERVER, *OPTIONAL, *CERTIFICATES, *GUARDS)
"""Every question once, in the order in which a person is asked."""

BY_KEY: Mapping[str, Question] = {question.key: question for question in QUESTIONS}

SECRET_KEYS = tuple(question.key for question in QUESTIONS if question.secret)
"""The keys whose values are secrets themselves."""

EXCLUSIVE = (
    ("homeserver.database_url", "homeserver.database_url_file"),
    ("homeserver.registration_token", "homeserver.registration_token_file"),
)
"""Two ways to say the same."""

TABLE_KEY = re.compile(r'(?P<table>certificates\.files)\.(?P<quote>"?)(?P<name>.+)(?P=quote)\.(?P<part>chain|key)')
PLAIN_KEY = re.compile(r'[\w.":\[\]-]{1,100}', re.ASCII)


@dataclass(frozen=True)
class Asked:
    """A question that applied, for the review.

    Attributes:
        value: the typed value, a reference where it is a secret, None where there is none.
        default: whether nobody chose it.
    """

    question: Question
    value: object
    default: bool


@dataclass(frozen=True)
class Resolved:
    """The answers, the secrets that were given as text, by the name of their reference, and what was asked."""

    answers: Answers
    secrets: Mapping[str, Secret]
    asked: tuple[Asked, ...]


def resolve(raw: Mapping[str, object], facts: Facts, layout: Layout) -> Resolved:
    """Return the answers for raw values by key; missing ones take the default that a wizard would show.

    A raw value is as a person types it, as a TOML file has it, or typed already. Those for questions that
    do not apply are checked for their form and dropped.

    Raises:
        AnswersError: a key is unknown, or an answer is missing, not usable or at odds with another one.
    """
    given = folded(raw)
    for one, other in EXCLUSIVE:
        if _is_given(given, one) and _is_given(given, other):
            raise AnswersError(f"it is given, and {other} too", where=one, next="Leave out one of the two")
    earlier: dict[str, object] = {}
    asked = []
    for question in QUESTIONS:
        typed = question.parse(given[question.key]) if question.key in given else None
        situation = Situation(facts, layout, earlier, frozenset(given))
        if not question.applies(situation):
            question.moot(typed, situation)
            continue
        offered = question.parse(question.default(situation)) if typed is None else typed
        value = question.accept(offered, situation)
        asked.append(Asked(question, _referenced(question, value), default=typed is None))
        if value is not None:
            earlier[question.key] = value
    secrets = {key: value for key, value in earlier.items() if isinstance(value, Secret)}
    return Resolved(_answers(Situation(facts, layout, earlier)), secrets, tuple(asked))


def folded(raw: Mapping[str, object]) -> dict[str, object]:
    """Return raw values by the keys of questions, with the rows of a table put together.

    Raises:
        AnswersError: a key is unknown; the nearest known one is suggested.
    """
    values: dict[str, object] = {}
    rows: dict[str, dict[str, object]] = {}
    for key, value in raw.items():
        row = TABLE_KEY.fullmatch(key)
        if row is not None:
            rows.setdefault(row["name"], {})[row["part"]] = value
        elif value is not None:
            question_for(key)
            values[key] = value
    if rows:
        whole = values.get("certificates.files", {})
        values["certificates.files"] = {**whole, **rows} if isinstance(whole, Mapping) else whole
    return values


def question_for(key: str) -> Question:
    """Return the question of a key; that of a table for the keys of its rows.

    Raises:
        AnswersError: there is none.
    """
    row = TABLE_KEY.fullmatch(key)
    name = row["table"] if row else key
    if name in BY_KEY:
        return BY_KEY[name]
    if not PLAIN_KEY.fullmatch(key):
        raise AnswersError("this is no key of an answer", next="Keys look like names.server_name")
    near = get_close_matches(key, BY_KEY, n=1)
    raise AnswersError("there is no such key", where=key, next=f"Did you mean {near[0]}" if near else "")


def _is_given(given: Mapping[str, object], key: str) -> bool:
    return given.get(key) not in (None, "")


def _referenced(question: Question, value: object) -> object:
    return SecretReference(question.key, "answer", question.key) if isinstance(value, Secret) else value


def _secret(situation: Situation, key: str) -> SecretReference | None:
    """Return the reference to a secret that was given as text or as a file."""
    if situation.get(key, Secret) is not None:
        return SecretReference(key, "answer", key)
    file = situation.get(f"{key}_file", Path)
    return SecretReference(key, "file", str(file)) if file else None


def _answers(situation: Situation) -> Answers:
    """Return the answers; what was not asked has the value that makes no difference."""
    answer, get = situation.answer, situation.get
    foci = get("well_known.rtc_foci", tuple) or ()
    return Answers(
        names=Names(
            server_name=answer("names.server_name", str),
            client_host=answer("names.client_host", str),
            base_domain=get("names.base_domain", BaseDomain) or BaseDomain.OURS,
        ),
        federation=Federation(
            delegation=answer("federation.delegation", Delegation),
            port=get("federation.port", int) or FEDERATION_PORT,
        ),
        proxy=answer("proxy.kind", str),
        homeserver=Homeserver(
            config=answer("homeserver.config", Path),
            listen=answer("homeserver.listen", Address),
            upstream=answer("homeserver.upstream", Address),
            database_url=_secret(situation, "homeserver.database_url"),
            registration=answer("homeserver.registration", Registration),
            registration_token=_secret(situation, "homeserver.registration_token"),
            max_upload_size=answer("homeserver.max_upload_size", int),
            storage=answer("homeserver.storage", Path),
        ),
        media=get("media.upstream", Address),
        well_known=WellKnown(
            identity_server=get("well_known.identity_server", str) or "",
            support=get("well_known.support", str) or "",
            rtc_foci=tuple(str(url) for url in foci),
        ),
        certificates=_certificates(situation),
        take_over=get("proxy.take_over", bool) or False,
        host=Guards(get("host.selinux", SELinuxAnswer), get("host.firewall", FirewallAnswer)),
        media_upload_size=get("media.max_upload_size", int) or MEDIA_UPLOAD_SIZE,
    )


def _certificates(situation: Situation) -> Certificates:
    get = situation.get
    files: Mapping[str, CertificateFiles] = get("certificates.files", dict) or {}
    return Certificates(
        method=situation.answer("certificates.method", Method),
        email=get("certificates.email", str) or "",
        agree_terms=get("certificates.agree_terms", bool) or False,
        directory=get("certificates.directory", str) or LETS_ENCRYPT,
        ca_file=get("certificates.ca_file", Path),
        eab_file=get("certificates.eab_file", Path),
        proxy=get("certificates.proxy", str) or "",
        files=files,
        base_domain=get("certificates.base_domain", BaseCertificate) or BaseCertificate.ORDERED,
    )
