"""What Caddy tells of one of its orders: its log, line by line, over a connection that it opens to us on loopback.

See caddyserver.com, "JSON Config Structure", ``logging/logs/writer/net``. The words are those of certmagic and acmez.
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from palpo_installer.certificates.protocol import ERROR_PREFIX, Problem, later

PROGRESS = {
    "trying to solve challenge": "the CA has taken up the order and will ask {name} for the proof",
    "validations succeeded; finalizing order": "the CA has seen the proof that {name} is yours",
    "certificate obtained successfully": "Caddy has the certificate for {name}",
}
FAILURES = frozenset({"could not get certificate from issuer", "will retry"})
"""What tells that an order is given up for now; Caddy would try again a minute later, and use up one more try."""

TYPE = re.compile(rf"HTTP \d+ {re.escape(ERROR_PREFIX)}(?P<type>\w+) - (?P<detail>.*)", re.DOTALL)


@dataclass(frozen=True)
class Told:
    """How far an order is.

    Attributes:
        progress: the last that is known, in one sentence.
        doubt: what the CA said of the last proof that it did not find; another way may still do.
        failure: why the order failed, None where it has not.
    """

    progress: str = ""
    doubt: Problem | None = None
    failure: Problem | None = None


def heard(told: Told, line: str, name: str) -> Told:
    """Return what is known after one more line of the log; what is about other names is passed over."""
    try:
        entry = json.loads(line)
    except ValueError:
        return told
    if not isinstance(entry, dict) or not _is_about(entry, name):
        return told
    message = str(entry.get("msg", ""))
    if message in FAILURES and told.failure is None:
        failure = _problem(str(entry.get("error", "")), name)
        # At the end stands only that no way of proving is left; why, the CA said before.
        return replace(told, failure=told.doubt if told.doubt and not failure.type else failure)
    if message == "challenge failed":
        return replace(told, doubt=_doubt(entry, name))
    return replace(told, progress=PROGRESS[message].format(name=name)) if message in PROGRESS else told


def _is_about(entry: Mapping[str, object], name: str) -> bool:
    identifier = entry.get("identifier")
    if identifier is not None:
        return identifier == name
    # Some lines name nobody: those of an order under way, which here is ours, and errors with the name in brackets.
    return entry.get("level") != "error" or f"[{name}]" in str(entry.get("error", ""))


def _doubt(entry: Mapping[str, object], name: str) -> Problem:
    """Return what the CA said of a proof: since Caddy 2.7 as its whole problem document."""
    whole = entry.get("problem")
    kind, detail = entry.get("problem_type", ""), entry.get("error", "")
    if isinstance(whole, dict):
        kind, detail = whole.get("type", ""), whole.get("detail", "")
    return Problem(str(kind).removeprefix(ERROR_PREFIX), str(detail), name, later(str(detail)))


def _problem(error: str, name: str) -> Problem:
    """Return an error of Caddy's as the CA's problem document, or with no type where the CA was not reached."""
    found = TYPE.search(error)
    if found is None:
        return Problem("", error, name)
    detail = re.sub(r" \(ca=\S+\)$", "", found["detail"])
    return Problem(found["type"], detail, name, later(detail))


class Confidant:
    """Listens to Caddy's log while an order is made.

    Attributes:
        address: where Caddy connects to.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = Told()
        self._lock = threading.Lock()
        confidant = self

        class Listening(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    confidant.hear(line.decode(errors="replace"))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Listening)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def hear(self, line: str) -> None:
        """Take in one line."""
        with self._lock:
            self._told = heard(self._told, line, self._name)

    def told(self) -> Told:
        """Return what is known now."""
        with self._lock:
            return self._told

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
