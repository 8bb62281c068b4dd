"""The conversation: which questions stand on which page, and what each shows now. No screen, no terminal.

The wizard and the plain prompts both go through these pages. What a person typed is kept as typed, also when it is
not usable yet, so that going back and forth loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.questions import QUESTIONS, Choice, Kind, Question, Situation
from palpo_installer.secret import Secret
from palpo_installer.validation import shown_size

Given = Mapping[str, object]
"""What a person typed or chose, or a file of answers had, by key; a key that is missing takes the default."""


@dataclass(frozen=True)
class Page:
    """One step of the conversation.

    Attributes:
        name: of the screen.
        title: its heading.
        intro: what this is about, in a few plain sentences.
        keys: the questions that are always shown, where they apply.
        more: the questions for those who want more than the defaults.
    """

    name: str
    title: str
    intro: str
    keys: tuple[str, ...]
    more: tuple[str, ...] = ()


PAGES = (
    Page(
        "names",
        "Names",
        "The server name stands in every account and room, and cannot be changed later.",
        ("names.server_name", "names.client_host", "names.base_domain", "proxy.kind"),
    ),
    Page(
        "delegation",
        "How other servers find this one",
        "Matrix servers talk to each other. They start from the server name and must be led to this host.",
        ("federation.delegation", "federation.port", "proxy.take_over"),
    ),
    Page(
        "certificates",
        "Certificates",
        "Clients and other servers accept only certificates that are valid for the name they asked for.",
        (
            "certificates.base_domain",
            "certificates.method",
            "certificates.email",
            "certificates.agree_terms",
            "certificates.files",
        ),
        ("certificates.directory", "certificates.ca_file", "certificates.eab_file", "certificates.proxy"),
    ),
    Page(
        "homeserver",
        "The homeserver",
        "palpo-installer does not install Palpo: it writes its configuration, and restarts it where it runs.",
        (
            "homeserver.database_url",
            "homeserver.database_url_file",
            "homeserver.registration",
            "homeserver.registration_token",
            "homeserver.registration_token_file",
            "host.selinux",
            "host.firewall",
        ),
        (
            "homeserver.config",
            "homeserver.listen",
            "homeserver.upstream",
            "homeserver.max_upload_size",
            "homeserver.storage",
            "media.upstream",
            "media.max_upload_size",
            "well_known.identity_server",
            "well_known.support",
            "well_known.rtc_foci",
        ),
    ),
)


@dataclass(frozen=True)
class Field:
    """One question as a page shows it.

    Attributes:
        question: the question.
        shown: what stands in the field: what was typed, else the default; empty for none. Never a secret.
        chosen: whether somebody chose it, so that it is no default.
        problem: why it cannot be used, one sentence with what to do; empty when it can.
        source: file and line that the default is from, empty where it is a default of ours or was chosen.
        now: what is the case on this host, for answering it; empty for nothing to say.
        quiet: whether there is nothing to choose, so that no page shows it.
        hidden: the choices that other answers make impossible.
        beside: what is the case on this host with each choice, by its value.
        entails: what the answer that is shown means on this host as it is; empty for nothing to say.
    """

    question: Question
    shown: str
    chosen: bool
    problem: str
    source: str = ""
    now: str = ""
    quiet: bool = False
    hidden: frozenset[str] = frozenset()
    beside: Mapping[str, str] = field(default_factory=dict)
    entails: str = ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The choices that are shown, each with what is the case here."""
        shown = (each for each in self.question.available if each.value not in self.hidden)
        return tuple(replace(each, help=self.beside.get(each.value, each.help)) for each in shown)

    @property
    def help(self) -> str:
        """What to know for answering: what the question is about, what is the case here, where the default is from."""
        found = f"Found in {self.source}." if self.source else ""
        return " ".join(filter(None, (self.question.help, self.now, self.entails, found)))


@dataclass(frozen=True)
class Talk:
    """The whole conversation as it stands.

    Attributes:
        fields: every question that applies, in order, with what it shows.
        answers: by key, the typed answers that can be used, defaults among them.
    """

    fields: tuple[Field, ...]
    answers: Mapping[str, object] = field(default_factory=dict)

    @property
    def visible(self) -> tuple[Field, ...]:
        """The fields that have something to choose, or to put right."""
        return tuple(each for each in self.fields if each.problem or not each.quiet)

    def on(self, keys: tuple[str, ...]) -> tuple[Field, ...]:
        """Return the fields for these keys, in their order."""
        known = {each.question.key: each for each in self.visible}
        return tuple(known[key] for key in keys if key in known)

    def problems(self, page: Page) -> tuple[Field, ...]:
        """Return the fields of a page that cannot be used yet."""
        return tuple(each for each in self.on((*page.keys, *page.more)) if each.problem)

    def shown(self, key: str) -> str:
        """Return what stands in the field of a key, empty where it does not apply."""
        return next((each.shown for each in self.fields if each.question.key == key), "")


def talk(given: Given, facts: Facts, layout: Layout) -> Talk:
    """Return the conversation for what was given so far.

    A question whose answer cannot be used stands with its problem, and those after it see no answer to it; a later
    one that needs it is left out until it is there.
    """
    earlier: dict[str, object] = {}
    fields = []
    for question in QUESTIONS:
        situation = Situation(facts, layout, earlier, frozenset(given))
        try:
            if not question.applies(situation):
                continue
            default, now, hidden = question.default(situation), question.now(situation), question.hidden(situation)
            beside = question.beside(situation)
        except AnswersError:
            # It rests on an answer that is not usable yet.
            continue
        chosen = question.key in given
        raw = given.get(question.key)
        try:
            typed = question.parse(raw) if chosen else None
            value = question.accept(default if typed is None else typed, situation)
        except AnswersError as error:
            problem = sentence(error, question)
            text = _open(question, raw if chosen else default)
            fields.append(Field(question, text, chosen, problem, now=now, hidden=hidden, beside=beside))
            continue
        if value is not None:
            earlier[question.key] = value
        source = "" if chosen else _source(question, value, situation)
        text = _open(question, raw if chosen and raw not in (None, "") else value)
        entails = question.entails(value, situation)
        quiet = not question.open(situation)
        fields.append(Field(question, text, chosen, "", source, now, quiet, hidden, beside, entails))
    return Talk(tuple(fields), earlier)


def _source(question: Question, value: object, situation: Situation) -> str:
    """Return where a default is from, if it is what a configuration that is there says."""
    try:
        told = question.found(situation)
        return told.place if told is not None and question.parse(told.value) == value else ""
    except AnswersError:
        return ""


def _open(question: Question, value: object) -> str:
    """Return what stands in a field; a secret from a file of answers is plain text, and stays out of sight too."""
    if question.secret:
        return ""
    if question.kind is Kind.SIZE and isinstance(value, int):
        return shown_size(value)
    return shown(value)


def sentence(error: AnswersError, question: Question) -> str:
    """Return what is wrong, for showing at the question itself: its key only where it is another one's."""
    where = f"{error.where}: " if error.where not in {"", question.key} else ""
    text = f"{where}{error.what[:1].upper()}{error.what[1:]}."
    # Who is asked on a screen ticks a box or types yes; true is the word of a file.
    following = error.next.replace("true", "yes").replace("false", "no") if question.kind is Kind.FLAG else error.next
    return f"{text} {following}." if following else text


def shown(value: object) -> str:
    """Return a raw or typed value as a person would type it; a secret as nothing."""
    if value is None or isinstance(value, Secret):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list | Mapping):
        return ", ".join(map(str, value))
    return str(value)


def changed(given: Given, key: str, text: str) -> dict[str, object]:
    """Return what was given with one more answer; an empty one gives the default back."""
    rest = {other: value for other, value in given.items() if other != key}
    return {**rest, key: text} if text else rest


def applying(given: Given, conversation: Talk) -> dict[str, object]:
    """Return what was given without the answers to questions that do not apply any more.

    One that was typed before an earlier answer changed would contradict it: a file for a secret that is typed now.
    """
    asked = {each.question.key for each in conversation.fields}
    return {key: value for key, value in given.items() if key in asked}
