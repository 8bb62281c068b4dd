"""A question: its wording, how its answer is read, and what it depends on. No screen, no terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from palpo_installer.answers import BaseDomain, Names
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.facts.matrix import Told
from palpo_installer.layout import Layout
from palpo_installer.questions.support import INSTEAD, is_supported

Value = TypeVar("Value")


class Kind(StrEnum):
    """What an answer is, for choosing a widget."""

    NAME = "name"
    HOST = "host"
    CHOICE = "choice"
    ADDRESS = "address"
    SIZE = "size"
    PATH = "path"
    SECRET = "secret"  # noqa: S105
    SECRET_FILE = "secret-file"  # noqa: S105
    FLAG = "flag"
    URL = "url"
    EMAIL = "e-mail"
    CONTACT = "contact"
    PORT = "port"
    LIST = "list"
    TABLE = "table"
    WORD = "word"


@dataclass(frozen=True)
class Choice:
    """One of the values that an answer may have, or, for a URL, a value that is offered."""

    value: str
    label: str
    help: str = ""


@dataclass(frozen=True)
class Situation:
    """What a default, a check or the question itself may depend on.

    Attributes:
        facts: what is on the host.
        layout: where things are on it.
        earlier: the typed answers to earlier questions; what was not asked, or has no answer, is not in it.
        given: the keys of all the answers that somebody gave, now or for an earlier run.
    """

    facts: Facts
    layout: Layout
    earlier: Mapping[str, object]
    given: frozenset[str] = frozenset()

    def get(self, key: str, kind: type[Value]) -> Value | None:
        """Return an earlier answer, None where there is none."""
        value = self.earlier.get(key)
        return value if isinstance(value, kind) else None

    def answer(self, key: str, kind: type[Value]) -> Value:
        """Return an earlier answer that must be there.

        Raises:
            AnswersError: it is not.
        """
        value = self.get(key, kind)
        if value is None:
            raise AnswersError("an answer is missing", where=key, next="Answer it first")
        return value

    @property
    def base(self) -> str:
        """The server name without its port."""
        return Names(self.answer("names.server_name", str), "", BaseDomain.OURS).base


def _no_default(_: Situation) -> object:
    return None


def _not_found(_: Situation) -> Told | None:
    return None


def _always(_: Situation) -> bool:
    return True


def _nothing(_: Situation) -> str:
    return ""


def _none(_: Situation) -> frozenset[str]:
    return frozenset()


def _nothing_beside(_: Situation) -> Mapping[str, str]:
    return {}


def _no_more(_value: object, _situation: Situation) -> str:
    return ""


def _as_it_is(value: object, _: Situation) -> object:
    return value


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        key: its key in answers.toml.
        text: the question itself, one line; also the comment in answers.toml.
        help: what to know for answering it.
        kind: what an answer is.
        read: from what was typed, or stands in a file, or is already typed, to the typed value. Raises
            AnswersError without a key.
        default: the typed value that is offered, or None.
        settle: the value as it will be used, or an AnswersError where it does not go together with earlier
            answers; called with None where there is no answer.
        applies: whether it is asked at all.
        open: whether there is anything to choose, so that a page shows it; its default counts where there is not.
        moot: called with an answer to a question that does not apply; raises AnswersError where leaving it out would
            do something else than was asked for.
        now: what is the case on this host, for answering it; empty where there is nothing to say.
        choices: for ``choice`` all there are; for ``url`` those that are offered.
        required: whether there must be an answer.
        example: an answer, for a placeholder.
        hidden: the choices that earlier answers make impossible, and that are not shown.
        found: what a configuration that is already there says, None for nothing; the default may follow it.
        beside: what is the case on this host with each choice, by its value; it stands where the choice's help would.
        entails: what an answer means on this host as it is, for whoever chooses it; empty where nothing is to be said.
    """

    key: str
    text: str
    help: str
    kind: Kind
    read: Callable[[object], object]
    default: Callable[[Situation], object] = _no_default
    settle: Callable[[object, Situation], object] = _as_it_is
    applies: Callable[[Situation], bool] = _always
    open: Callable[[Situation], bool] = _always
    moot: Callable[[object, Situation], object] = _as_it_is
    now: Callable[[Situation], str] = _nothing
    choices: tuple[Choice, ...] = ()
    required: bool = True
    example: str = ""
    hidden: Callable[[Situation], frozenset[str]] = _none
    found: Callable[[Situation], Told | None] = _not_found
    beside: Callable[[Situation], Mapping[str, str]] = _nothing_beside
    entails: Callable[[object, Situation], str] = _no_more

    @property
    def secret(self) -> bool:
        """Whether the answer itself must not be shown."""
        return self.kind is Kind.SECRET

    @property
    def available(self) -> tuple[Choice, ...]:
        """The choices that this version can do."""
        return tuple(choice for choice in self.choices if is_supported(self.key, choice.value))

    def parse(self, raw: object) -> object:
        """Return the typed value; None stays None, and so reads an empty answer to a question that needs none.

        Raises:
            AnswersError: it is of the wrong type or form; ``where`` is the key.
        """
        empty = raw == "" or (self.kind is Kind.LIST and raw in ([], ()))
        if raw is None or (empty and not self.required):
            return None
        try:
            return self.read(raw)
        except AnswersError as error:
            raise AnswersError(error.what, where=error.where or self.key, next=error.next) from None

    def accept(self, value: object, situation: Situation) -> object:
        """Return a typed value as it will be used in a situation.

        Raises:
            AnswersError: it is missing, not possible in this version, or does not go with earlier answers.
        """
        if value is None and self.required:
            example = f"For example: {self.example}" if self.example else ""
            raise AnswersError("an answer is needed", where=self.key, next=example)
        if isinstance(value, str) and self.kind is Kind.CHOICE and not is_supported(self.key, value):
            others = " or ".join(choice.value for choice in self.available)
            following = INSTEAD.get((self.key, value), f"Choose {others}")
            raise AnswersError(f"{value} is not possible in this version", where=self.key, next=following)
        try:
            return self.settle(value, situation)
        except AnswersError as error:
            raise AnswersError(error.what, where=error.where or self.key, next=error.next) from None
