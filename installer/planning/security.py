"""What keeps the host safe, in a plan: each part of it at its place, and what is allowed no longer than needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.errors import HostError
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.base import State
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.operations.selinux import SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.planning.firewalls import firewall, unmanaged
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.selinux import policy_of, selinux
from palpo_installer.planning.shares import Share

NEEDLESS = "what earlier runs allowed and is needed no more"


@dataclass(frozen=True)
class Guarding:
    """What SELinux and the firewall add to a plan, each at its place.

    Attributes:
        policy: first of all: when it does not work out, no order was used up.
        plain: when the proxy listens for plain HTTP, before the orders, which come that way from outside.
        closing: before the TLS ports change: what is no longer listened on is closed first.
        secure: when the proxy listens on the TLS ports: opened any earlier, a port leads to whatever else listens
            there. A rollback goes the other way, and closes a port before the proxy leaves it.
        releasing: when the proxy has left a port.
        other: findings about rules that nobody manages.
    """

    policy: Share
    plain: Share
    closing: Share
    secure: Share
    releasing: Share
    other: tuple[str, ...]

    @property
    def _shares(self) -> tuple[Share, ...]:
        return (self.policy, self.plain, self.closing, self.secure, self.releasing)

    @property
    def unchanged(self) -> tuple[Unchanged, ...]:
        """What is as it should be."""
        return tuple(each for share in self._shares for each in share.unchanged)

    @property
    def findings(self) -> tuple[str, ...]:
        """What the person should know."""
        return (*(each for share in self._shares for each in share.findings), *self.other)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What must be put right first."""
        return tuple(each for share in self._shares for each in share.obstacles)


def guarding(inputs: Inputs, needs: Needs) -> Guarding:
    """Return what SELinux and the firewall add to a plan."""
    closing, releasing = withdrawals(inputs, needs)
    return Guarding(
        policy=selinux(inputs, needs),
        plain=firewall(inputs, needs.plain),
        closing=closing,
        secure=firewall(inputs, needs.secure),
        releasing=releasing,
        other=tuple(unmanaged(inputs, needs.listening)),
    )


def withdrawals(inputs: Inputs, needs: Needs) -> tuple[Share, Share]:
    """Return what takes back settings of earlier runs that are needed no more: of firewalls, and of SELinux.

    A port is closed before the proxy stops listening on it, and loses its label when it has.
    """
    needless = [each for each in inputs.in_force if not _is_needed(inputs, each.setting, needs)]
    firewalls = [each for each in needless if isinstance(each.setting, OpenFirewalldPort | AllowUfwPort)]
    rest = [each for each in needless if each not in firewalls]
    return _withdrawn(inputs, firewalls), _withdrawn(inputs, rest)


def _is_needed(inputs: Inputs, setting: Setting, needs: Needs) -> bool:
    if isinstance(setting, LetGroupIn):
        return setting.place in needs.readable
    if not isinstance(setting, SetBoolean):
        return setting.port in needs.listening
    policy = policy_of(inputs)
    if policy is None:
        return bool(needs.upstream)
    off = tuple(replace(each, now=False) if each.name == setting.name else each for each in policy.booleans)
    return setting.name in replace(policy, booleans=off).lacking(needs.upstream)


def _withdrawn(inputs: Inputs, needless: list[Withdraw]) -> Share:
    wanted: list[AnyOperation] = []
    findings: list[str] = []
    for each in needless:
        try:
            state = each.setting.state(inputs.host, each.before)
        except HostError as error:
            findings.append(f"{each.before['path']} is needed no more, and stays: {error}")
            continue
        if state is State.AFTER:
            wanted.append(each)
        elif state is State.OTHER:
            findings.append(f"{each.before['path']} was changed by somebody since run {each.run}, and stays as it is")
    return Share((Change(NEEDLESS, tuple(wanted)),) if wanted else (), findings=tuple(findings))
