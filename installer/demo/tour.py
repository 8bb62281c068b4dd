"""The steps of the demonstration, each with what it proves; all by the tool's own functions and its real engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cached_property

from palpo_installer import review
from palpo_installer.answers import Address, Answers
from palpo_installer.certificates import store
from palpo_installer.changes import Plan
from palpo_installer.commands.following import perform
from palpo_installer.demo import by_hand, programs, record
from palpo_installer.demo.premises import GREETING, NEIGHBOUR, Premises
from palpo_installer.demo.record import Watch, short
from palpo_installer.demo.story import Story
from palpo_installer.engine import launch
from palpo_installer.engine.history import past_run, standing
from palpo_installer.facts import gather
from palpo_installer.gates.markers import leaf_of
from palpo_installer.matrix_site import origin
from palpo_installer.outside import look
from palpo_installer.plan import make
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.placement import SECURE
from palpo_installer.session import Session, begin, given, inputs_of
from palpo_installer.site import (
    MARKER_HEADER,
    MARKER_PATH,
)
from palpo_installer.verify.report import WORDS, Result

KEYS = "/_matrix/key/v2/server"


class Tour:
    """The way through.

    Attributes:
        premises: the made-up host.
        watch: what the neighbour answers all along.
        story: who tells it.
        untouched: the host's files before anything was done.
    """

    def __init__(self, premises: Premises, watch: Watch, story: Story) -> None:
        self.premises = premises
        self.host, self.layout = premises.host, premises.layout
        self.watch = watch
        self.story = story
        self.untouched = record.files(self.layout)

    def find(self) -> None:
        """Show what is on the host."""
        facts = gather(self.host)
        self.story.step("What is there, and who answers now")
        for listener in facts.listeners:
            self.story.line(f"{Address(listener.address, listener.port)}".ljust(18) + listener.owner)
        servers = facts.nginx.servers if facts.nginx else ()
        for server in servers:
            self.story.line(f"{' '.join(server.names).ljust(17)} {server.file}:{server.line}")
        known = ", ".join(str(each.path) for each in facts.palpo.configurations)
        self.story.line(f"Palpo             {known or 'no palpo.toml yet; a stand-in for Palpo waits for it'}")
        self.story.proof(
            f"{NEIGHBOUR} answers {self.watch.first[0]}; with TLS {self.watch.first[1]}",
            holds=any(NEIGHBOUR in server.names for server in servers)
            and all(f'200, "{GREETING}"' in first for first in self.watch.first),
        )
        self.story.by_hand(f"curl --header 'Host: {NEIGHBOUR}' http://127.0.0.1:{self.layout.http_port}/")
        self.story.by_hand(by_hand.tool(self.layout, "detect"))

    def review(self) -> tuple[Session, Plan]:
        """Show what would be done, in short."""
        self.story.step("The review: every change is shown before it is made")
        plan = make(inputs_of(session := begin(self.host, self.premises.answers)))
        for sentence in plan.summary:
            self.story.say(sentence)
        for number, change in enumerate(plan.changes, 1):
            self.story.line(f"{number}. {change.title}")
        lines = sum(1 for line in review.in_words(plan, self.host).splitlines() if line.startswith("+"))
        now = record.files(self.layout)
        self.story.proof(
            f"the review shows {lines} new lines, and none is written yet: the {len(now.states)} files, directories "
            f"and links of the host are {short(now.fingerprint)} before and after it",
            holds=now == self.untouched and lines > 0 and not plan.obstacles,
        )
        return session, plan

    def apply(self, session: Session, plan: Plan) -> None:
        """Make the changes, and show that they are what answers."""
        self.story.step("Apply: an engine of its own makes the changes, and proves them")
        code = self._carry_out(session, plan)
        self.story.proof(f"exit code {code}", holds=code == 0)

    def prove(self) -> None:
        """Show on every address that the configuration and the certificate on disk are those that answer."""
        client, layout = self.answers.names.client_host, self.layout
        chain = store.paths(self.answers.certificates, layout, client).chain
        on_disk = leaf_of(self.host, chain)
        answers = [self._ask(client, MARKER_PATH, address) for address in layout.addresses]
        markers, leaves = ({one.header(MARKER_HEADER) for one in answers}, {one.certificate for one in answers})
        where = f"{' and '.join(layout.addresses)}, port {layout.https_port}"
        self.story.proof(
            f"as {client} on {where}: '{MARKER_HEADER}: {', '.join(markers)}', the digest in nginx's new files",
            holds=markers == self._installed(),
        )
        self.story.proof(
            f"the certificate shown there is {', '.join(map(short, leaves))}, the one in {chain}",
            holds=leaves == {on_disk} and bool(on_disk),
        )
        self.story.by_hand(by_hand.curl(self.layout, client, MARKER_PATH, "--head"))
        self._neighbour_stays()

    def verify(self) -> None:
        """Show what clients and other servers see."""
        self.story.step("Verify: what clients and other servers see")
        report = look(self.host, self.answers)
        names: dict[str, list[str]] = {}
        for check in report.checks:
            names.setdefault(check.name, []).append(WORDS[check.result])
        for name, results in names.items():
            counts = ", ".join(f"{results.count(word)} {word}" for word in WORDS.values() if word in results)
            self.story.line(f"{name}: {counts}")
        for check in report.checks:
            if check.result is not Result.PASS:
                self.story.say(f"{WORDS[check.result]}: {check.what} {check.next}")
        totals = ", ".join(f"{report.counts[result]} {word}" for result, word in WORDS.items())
        self.story.proof(f"{len(report.checks)} checks: {totals}", holds=bool(report.checks) and not report.failures)
        client, base = self.answers.names.client_host, self.answers.names.base
        found = self._ask(client, "/.well-known/matrix/client")
        self.story.proof(
            f"clients of {base} are told {found.body.decode()}",
            holds=origin(client, self.layout) in found.body.decode(),
        )
        keys = json.loads(self._ask(client, KEYS).body or b"{}")
        self.story.proof(
            f"the homeserver behind the proxy says it is {keys.get('server_name')} and signs that with "
            f"{', '.join(keys.get('verify_keys', {}))}, the key that was made for it",
            holds=keys.get("server_name") == self.answers.names.server_name,
        )
        self.story.by_hand(by_hand.curl(self.layout, client, KEYS))
        self.story.by_hand(by_hand.tool(self.layout, "verify"))

    def repeat(self) -> None:
        """Show that the same answers once more change nothing."""
        self.story.step("Once more: the same answers, and nothing to do")
        before = record.files(self.layout)
        argv = (sys.executable, "-m", "palpo_installer", *self.layout.arguments(), "plan", "--exit-code")
        ended = subprocess.run(argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")
        self.story.line(next(iter((ended.stdout or ended.stderr).splitlines()), ""))
        after = record.files(self.layout)
        self.story.proof(
            f"plan --exit-code ends with {ended.returncode} (3 would mean changes); the files are "
            f"{short(after.fingerprint)} before and after",
            holds=ended.returncode == 0 and before == after,
        )
        self.story.by_hand(by_hand.tool(self.layout, "plan --exit-code"))

    def fail(self) -> None:
        """Let a change fail that nginx itself takes for a success, and show that it is taken back."""
        port, before = self.premises.federation, record.files(self.layout)
        client = self.answers.names.client_host
        marker = self._ask(client, MARKER_PATH).header(MARKER_HEADER)
        self.story.step("A change that cannot work is taken back")
        change = {"federation.delegation": "srv", "federation.port": port}
        session = begin(self.host, {**given(self.host, None, ()), **change})
        plan = make(inputs_of(session))
        stranger = programs.stranger(port, self.layout.at("/etc/cron.d"))
        with programs.running(self.premises, stranger, Address("127.0.0.1", port)) as pid:
            self.story.say(
                f"Other servers shall use port {port}. After the review, and before the change is made, another "
                f"program takes that port: process {pid}. nginx -t finds no fault in a taken port, and a reload "
                "returns without an error, while nginx goes on with its old configuration."
            )
            code = self._carry_out(session, plan)
        cause = past_run(max(self.layout.runs.iterdir())).cause
        self.story.proof(
            f"exit code {code}, and the cause it named is the one: process {pid}",
            holds=code == 1 and f"process {pid})" in cause,
        )
        after, now = record.files(self.layout), self._ask(client, MARKER_PATH).header(MARKER_HEADER)
        self.story.proof(
            f"the files are {short(after.fingerprint)} before and after; what answers is '{MARKER_HEADER}: {now}' "
            "as before",
            holds=after == before and bool(now) and now == marker,
        )
        self._neighbour_stays()

    def roll_back(self) -> None:
        """Take everything back, and show that the host is what it was."""
        self.story.step("Roll back: the host as it was")
        first = standing(self.layout)[0].id
        code = perform(self.host, first, "--roll-back", say=self._tell)
        self.story.proof(f"exit code {code}", holds=code == 0)
        self.story.by_hand(by_hand.tool(self.layout, f"rollback {first}"))

    def compare(self) -> None:
        """Show that the host is what it was, byte for byte."""
        now = record.files(self.layout)
        different = now.differences(self.untouched)
        self.story.proof(
            f"{len(now.states)} files, directories and links, compared by type, bytes, mode, owner, attributes and "
            f"target: {short(now.fingerprint)}, and in the beginning {short(self.untouched.fingerprint)}"
            + (f"; not the same: {', '.join(different)}" if different else ""),
            holds=not different,
        )
        gone = ask(Question("127.0.0.1", self.layout.https_port, tls=True, host=NEIGHBOUR, target=MARKER_PATH))
        self.story.proof(
            f"{MARKER_PATH} is {gone.status} again, without '{MARKER_HEADER}'",
            holds=gone.status == 404 and not gone.header(MARKER_HEADER),
        )
        self._neighbour_stays()
        if stays := ", ".join(map(str, record.kept(self.layout))):
            self.story.say(f"Kept on purpose, for another time: {stays}.")

    @property
    def is_applied(self) -> bool:
        """Whether a run is in force."""
        return bool(standing(self.layout))

    @cached_property
    def answers(self) -> Answers:
        """The answers in force, once something was applied."""
        return begin(self.host, given(self.host, None, ())).answers

    def _carry_out(self, session: Session, plan: Plan) -> int:
        identity = launch.register(plan, session.resolved.secrets, self.layout)
        return perform(self.host, identity, say=self._tell)

    def _tell(self, line: str) -> None:
        """Print what was done or went wrong, and not what is waited for."""
        if not line.startswith("  wait"):
            self.story.line(line.removeprefix("  "))

    def _ask(self, name: str, target: str, address: str = "127.0.0.1") -> Answer:
        port = self.layout.https_port
        return ask(Question(address, port, tls=True, host=f"{name}:{port}", sni=name, target=target))

    def _installed(self) -> set[str]:
        """Return the marker in the installed file of the TLS ports."""
        files = self.layout.at("/etc/nginx/sites-enabled").glob(f"{SECURE}*")
        return {marker for file in files for marker in re.findall(rf"{MARKER_HEADER} ([0-9a-f]+)", file.read_text())}

    def _neighbour_stays(self) -> None:
        watch = self.watch
        watch.look()
        other = f"; but also {watch.others[0]}" if watch.others else ""
        self.story.proof(
            f"{NEIGHBOUR} was asked {watch.count} times by now and answered as in the beginning{other}",
            holds=not watch.others,
        )
