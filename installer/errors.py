"""The one tree of errors.

::

    InstallerError              what happened, where, what to do next
    ├── AnswersError            exit 2: an answer, an option or a file of answers is not usable
    ├── NeedsRoot               exit 4
    ├── Locked                  exit 7: another run holds the lock
    ├── HostError               a read, a write or a command on the host failed
    │   └── TimedOut            a command or an answer took longer than its limit
    ├── RefusedPlan             the plan cannot be made, or no longer fits the host
    │   └── AnotherServerName   the answers give up the server name that is in force
    ├── OrderRefused            an order that cannot succeed, or would hit a rate limit
    ├── GateFailed              applied, but not as promised: the change is taken back
    ├── Interrupted             the person asked to stop: the change is taken back
    ├── Unconfirmed             nobody confirmed in time: the change is taken back
    └── NotPutBack              exit 5: something could not be put back
"""

from __future__ import annotations

from typing import ClassVar


class InstallerError(Exception):
    """Something a person can act on.

    Attributes:
        what: what happened, one sentence without a trailing full stop.
        where: the key, file and line, address or command it happened at; empty when there is none.
        next: what to do now; empty when the sentence already says it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", next: str = "") -> None:  # noqa: A002
        super().__init__(what)
        self.what = what
        self.where = where
        self.next = next

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.what}" if self.where else self.what
        return f"{sentence}. {self.next}" if self.next else sentence


class AnswersError(InstallerError):
    """An answer is missing, unknown or not usable; ``where`` is its key."""

    exit_code = 2


class NeedsRoot(InstallerError):
    """The command changes the host and was not started by root."""

    exit_code = 4


class Locked(InstallerError):
    """Another run, or an unconfirmed change, holds the lock."""

    exit_code = 7


class HostError(InstallerError):
    """A read, a write or a command on the host failed."""


class TimedOut(HostError):
    """A command or an answer took longer than its limit."""


class RefusedPlan(InstallerError):
    """The plan cannot be made, or the host changed since it was made."""


class AnotherServerName(RefusedPlan):
    """The answers give up the server name that is in force, and nobody agreed to that.

    Attributes:
        former: the name in force.
        wanted: the name in the answers.
    """

    def __init__(self, former: str, wanted: str) -> None:
        super().__init__(
            f"this host is set up for the server name {former}, and the answers are for {wanted}",
            where="names.server_name",
            next=f"A server name is for ever: all accounts and rooms belong to it. Keep {former}; or, to begin anew "
            f"as {wanted}, add --change-server-name",
        )
        self.former = former
        self.wanted = wanted


class OrderRefused(InstallerError):
    """A certificate order that cannot succeed, or that a rate limit forbids now."""


class GateFailed(InstallerError):
    """A change was made, but the host does not answer as promised."""


class Interrupted(InstallerError):
    """The person, or the system, asked the run to stop."""


class Unconfirmed(InstallerError):
    """A change was made, and nobody confirmed it in time."""


class NotPutBack(InstallerError):
    """Something could not be put back; ``where`` names it."""

    exit_code = 5
