"""One question as a prompt: its words, what Enter takes, and what the keys for help and going back are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from palpo_installer.answers import CertificateFiles
from palpo_installer.conversation import Field, Given, changed
from palpo_installer.plain.console import Console
from palpo_installer.questions import Choice, Kind, Question
from palpo_installer.secret import Secret

KEYS = "Enter takes what stands in brackets, ? explains, < goes back, - empties an answer; Ctrl-C leaves."


class Key(StrEnum):
    """What can be typed instead of an answer."""

    HELP = "?"
    BACK = "<"
    EMPTY = "-"


@dataclass(frozen=True)
class Prompt:
    """A question, asked on a console."""

    console: Console
    field: Field

    @property
    def question(self) -> Question:
        """The question."""
        return self.field.question

    def introduce(self) -> None:
        """Print the question and its choices; and what is wrong with an answer that somebody gave already."""
        self.console.say()
        self.console.say(self.question.text)
        for number, choice in enumerate(self.field.choices, 1):
            self.console.say(f"  {number}. {described(choice)}")
        for told in filter(None, (self.field.now, self.field.entails)):
            self.console.say(told)
        if self.field.chosen and self.field.problem:
            self.console.say(f"! {self.field.problem}")

    def read(self, given: Given) -> dict[str, object] | None:
        """Return what is given with one more answer, None for going back; help is printed as often as asked for."""
        while True:
            typed = self.console.ask_secretly(self._line()) if self.question.secret else self.console.ask(self._line())
            match typed:
                case Key.HELP:
                    self.explain()
                case Key.BACK:
                    return None
                case Key.EMPTY:
                    return changed(given, self.question.key, "")
                case "":
                    return dict(given)
                case _ if self.question.secret:
                    # A Secret does not print itself, wherever it gets to.
                    return {**given, self.question.key: Secret(typed)}
                case _ if self._is_no_choice(typed):
                    self.console.say(f"Type a number from 1 to {len(self.field.choices)}.")
                case _:
                    return changed(given, self.question.key, self._chosen(typed))

    def explain(self) -> None:
        """Print the help."""
        example = f" For example: {self.question.example}" if self.question.example else ""
        self.console.say(f"{self.field.help}{example}")
        self.console.say(KEYS)

    def _line(self) -> str:
        shown = self.field.shown
        if self.question.secret:
            # Without a default the brackets say what Enter does.
            return f"Answer, not shown [{'kept as it is' if self.field.chosen else 'none'}]:"
        numbers = {choice.value: str(number) for number, choice in enumerate(self.field.choices, 1)}
        preset = f"{numbers[shown]} {shown}" if shown in numbers and self.question.kind is Kind.CHOICE else shown
        if not preset and not self.question.required:
            preset = "none"
        return f"Answer [{preset}]:" if preset else "Answer:"

    def _is_no_choice(self, typed: str) -> bool:
        values = {choice.value for choice in self.question.choices}
        return self.question.kind is Kind.CHOICE and self._chosen(typed) not in values

    def _chosen(self, typed: str) -> str:
        """Return the value of a number that stands before a choice, else what was typed."""
        choices = self.field.choices
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(choices):
            return choices[int(typed) - 1].value
        return typed


def described(choice: Choice) -> str:
    """Return a choice as one line."""
    meaning = f"{choice.value}: {choice.label}" if choice.label != choice.value else choice.value
    return f"{meaning}. {choice.help}" if choice.help else meaning


def read_files(
    console: Console, names: tuple[str, ...], known: Mapping[str, object]
) -> dict[str, dict[str, str]] | None:
    """Return the chain and the key of the certificate for each name, None for going back."""
    rows: dict[str, dict[str, str]] = {}
    for name in names:
        found = known.get(name)
        files = {"chain": str(found.chain), "key": str(found.key)} if isinstance(found, CertificateFiles) else {}
        rows[name] = {}
        for part, words in (("chain", "certificate with its chain"), ("key", "private key")):
            preset = f" [{files[part]}]" if part in files else ""
            typed = console.ask(f"{name}, {words}, PEM file{preset}:")
            if typed == Key.BACK:
                return None
            rows[name][part] = typed or files.get(part, "")
    return rows
