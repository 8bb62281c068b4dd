"""The pages of the conversation, one prompt after another, forwards and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.certificates import directory
from palpo_installer.conversation import PAGES, Field, Page, Talk, talk
from palpo_installer.errors import HostError
from palpo_installer.facts import Facts
from palpo_installer.facts import names as dns
from palpo_installer.host import Host
from palpo_installer.plain.console import Console
from palpo_installer.plain.prompts import KEYS, Key, Prompt, read_files
from palpo_installer.questions import Kind, Situation
from palpo_installer.questions.certificates import brought_names

TERMS_LIMIT = 5
"""Seconds to wait for the authority to say where its terms of service are."""


@dataclass(frozen=True)
class Step:
    """One prompt: a question, or with an empty key whether to see a page's further ones."""

    page: Page
    key: str


class Asking:
    """The questions with what was answered so far.

    Attributes:
        given: what was typed, or a file had, by key.
        facts: what is on the host, and in DNS for the names that were typed.
    """

    def __init__(self, console: Console, host: Host, facts: Facts, given: dict[str, object]) -> None:
        self.console = console
        self.host = host
        self.facts = facts
        self.given = given
        self._opened: set[str] = set()
        self._terms: dict[str, str] = {}
        self._look_up()

    def talk(self) -> Talk:
        """Return the conversation as it stands."""
        return talk(self.given, self.facts, self.host.layout)

    def steps(self) -> list[Step]:
        """Return every prompt there is now, in order."""
        conversation = self.talk()
        found = []
        for page in PAGES:
            found += [Step(page, field.question.key) for field in conversation.on(page.keys)]
            more = conversation.on(page.more)
            if more:
                found.append(Step(page, ""))
            if page.name in self._opened:
                found += [Step(page, field.question.key) for field in more]
        return found

    def run(self, first: Step | None = None) -> bool:
        """Ask from a step on until every answer can be used; return False for going back before the first."""
        self.console.say()
        self.console.say(KEYS)
        step: Step | None = first or self.steps()[0]
        page = None
        while step is not None:
            if step.page is not page:
                page = step.page
                self.console.heading(f"{PAGES.index(page) + 1} of {len(PAGES)}: {page.title}")
                self.console.say(page.intro)
            forwards = self._ask(step)
            order = self.steps()
            place = order.index(step) + (1 if forwards else -1)
            if place < 0:
                return False
            step = order[place] if place < len(order) else self.first_problem()
        return True

    def start_of(self, page: Page) -> Step:
        """Return the first prompt of a page."""
        return next(step for step in self.steps() if step.page is page)

    def last(self) -> Step:
        """Return the last prompt."""
        return self.steps()[-1]

    def first_problem(self) -> Step | None:
        """Return the first question whose answer cannot be used, None when all can."""
        conversation = self.talk()
        for page in PAGES:
            for field in conversation.problems(page):
                if field.question.key in page.more:
                    self._opened.add(page.name)
                return Step(page, field.question.key)
        return None

    def step_for(self, key: str) -> Step | None:
        """Return the prompt of a key that an error names, None where there is none."""
        for page in PAGES:
            for name in (*page.keys, *page.more):
                if key == name or key.startswith(f"{name}."):
                    if name in page.more:
                        self._opened.add(page.name)
                    return next((step for step in self.steps() if step.key == name), None)
        return None

    def _ask(self, step: Step) -> bool:
        """Ask until there is an answer that can be used; return False for going back."""
        if not step.key:
            return self._ask_for_more(step.page)
        (field,) = self.talk().on((step.key,))
        if step.key == "certificates.agree_terms":
            self._show_terms()
        prompt = Prompt(self.console, field)
        prompt.introduce()
        while True:
            after = self._read_table(field) if field.question.kind is Kind.TABLE else prompt.read(self.given)
            if after is None:
                return False
            (answered,) = talk(after, self.facts, self.host.layout).on((step.key,))
            if not answered.problem:
                break
            self.console.say(f"! {answered.problem}")
        if answered.entails and answered.shown != field.shown:
            self.console.say(answered.entails)
        self.given = after
        if step.key.startswith("names."):
            self._name_is_chosen(step.key)
        return True

    def _read_table(self, field: Field) -> dict[str, object] | None:
        """Read the certificates that the person brings, one name after another."""
        answers = self.talk().answers
        names = brought_names(Situation(self.facts, self.host.layout, answers))
        known = answers.get(field.question.key)
        rows = read_files(self.console, names, known if isinstance(known, dict) else {})
        return None if rows is None else {**self.given, field.question.key: rows}

    def _ask_for_more(self, page: Page) -> bool:
        fields = self.talk().on(page.more)
        wanted = any(field.problem for field in fields)
        while True:
            self.console.say()
            typed = self.console.ask(f"More settings? [{'yes' if wanted else 'no'}]:").lower()
            match typed:
                case Key.BACK:
                    return False
                case Key.HELP:
                    self.console.say("Most people need none of these:")
                    for field in fields:
                        self.console.say(f"  {field.question.text}: {field.shown or 'none'}")
                case "" | "n" | "no" | "y" | "yes":
                    opened = wanted if not typed else typed.startswith("y")
                    self._opened = self._opened | {page.name} if opened else self._opened - {page.name}
                    return True
                case _:
                    self.console.say("Type yes or no.")

    def _name_is_chosen(self, key: str) -> None:
        if key == "names.server_name":
            self.console.say()
            self.console.say(f"    @you:{self.talk().shown(key)}")
            self.console.say("Accounts will be named like this, for ever.")
        self._look_up()

    def _look_up(self) -> None:
        """Ask DNS for the names that were chosen: later defaults, and the plan, rest on where they lead."""
        conversation = self.talk()
        values = [conversation.answers.get(key) for key in ("names.server_name", "names.client_host")]
        names = dict.fromkeys(dns.WITHOUT_PORT.sub("", str(value)) for value in values if value)
        missing = tuple(name for name in names if name not in {known.name for known in self.facts.names})
        if missing:
            self.console.say(f"Asking DNS for {' and '.join(missing)} ...")
            self.facts = replace(self.facts, names=(*self.facts.names, *dns.read(self.host, missing)))

    def _show_terms(self) -> None:
        conversation = self.talk()
        url = conversation.shown("certificates.directory")
        if url not in self._terms:
            self.console.say(f"Asking {url} for its terms of service ...")
            self._terms[url] = self._terms_at(url, conversation)
        self.console.say(self._terms[url])

    def _terms_at(self, url: str, conversation: Talk) -> str:
        ca_file = conversation.answers.get("certificates.ca_file")
        proxy = str(conversation.answers.get("certificates.proxy", ""))
        try:
            own = ca_file if isinstance(ca_file, Path) else None
            terms = directory.fetch(url, own, proxy, TERMS_LIMIT).terms_of_service
        except HostError as error:
            return f"Its terms of service are not known now: {error}"
        return f"Its terms of service: {terms}" if terms else "It has no terms of service."
