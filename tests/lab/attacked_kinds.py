"""In which plan each kind of operation and each kind of activation is attacked. A new kind needs a row here.

Where the program of a kind is not there on the attacked host, ``ELSEWHERE`` names the test that kills it on the host
where it is.

A row makes the changes of a plan out of a scene: the real plan of the host's answers, taken apart. What is attacked is
the first operation, or the first activation, of its kind in the last change that has one. At or after it comes an
activation of the proxy, which takes up a further port: that is where the proxy itself is attacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.changes import AnyActivation, AnyOperation, Change, Plan
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.lines import EditLines
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.operations.rests import RemoveRest, WriteRest
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.withdrawal import WithdrawProxy
from tests.lab import attacked_changes as changes
from tests.lab.attacked_changes import Scene
from tests.lab.attacked_proxies import AttackedProxy

Kind = type[Any]


@dataclass(frozen=True)
class Row:
    """One plan that is attacked.

    Attributes:
        kind: what is attacked in it.
        changes: makes its changes.
    """

    kind: Kind
    changes: Callable[[Scene], tuple[Change, ...]]


def _alone(kind: Kind) -> Row:
    """What a plan for the proxy has in its first change, or a further one beside it."""
    return Row(kind, lambda scene: (scene.activated(),))


def _first_up(kind: Kind) -> Row:
    """A change of another service, before that of the proxy."""
    return Row(kind, lambda scene: (scene.change(kind), scene.activated()))


ROWS: Mapping[str, Row] = {
    "WriteFile": _alone(WriteFile),
    "MakeLink": Row(MakeLink, changes.with_tls),
    "RemoveFile": Row(RemoveFile, changes.remove_file),
    "MakeDirectory": Row(MakeDirectory, changes.make_directory),
    "ConfigurePalpo": Row(ConfigurePalpo, lambda scene: (scene.activated(scene.first(ConfigurePalpo)),)),
    "ProbeChallenge": Row(ProbeChallenge, changes.with_an_order),
    "OrderCertificate": Row(OrderCertificate, changes.with_an_order),
    "IssueSelfSigned": Row(IssueSelfSigned, changes.self_signed),
    "ActivateProxy": _alone(ActivateProxy),
    "RestartPalpo": _first_up(RestartPalpo),
    "ActivateTimer": _first_up(ActivateTimer),
    "PutBack": Row(PutBack, changes.put_back),
    "KeepCopy": Row(KeepCopy, changes.keep_copy),
    "RemoveDirectory": Row(RemoveDirectory, changes.remove_directory),
    "EditLines": Row(EditLines, changes.neighbours_line),
    "AllowUfwPort": Row(AllowUfwPort, changes.open_port),
    "Withdraw": Row(Withdraw, changes.withdraw),
    "EditLines of options": Row(EditLines, changes.options_of_the_start),
    "WithdrawProxy": Row(WithdrawProxy, changes.withdraw_proxy),
    "StopTimer": Row(StopTimer, changes.stop_timer),
    "HandOver": Row(HandOver, changes.hand_over),
    "WriteRest": Row(WriteRest, changes.write_rest),
    "RemoveRest": Row(RemoveRest, changes.remove_rest),
    "LetGroupIn": Row(LetGroupIn, changes.let_group_in),
    "RemoveWritten": Row(RemoveWritten, changes.remove_written),
    "RemoveFile of a link": Row(RemoveFile, changes.remove_link),
}
"""By name. Who runs the timers of the attacked host is cron; test_boot and test_uninstall have them with systemd."""

ELSEWHERE: Mapping[Kind, str] = {
    SetBoolean: "test_selinux_store.test_a_kill_anywhere_leaves_the_store_as_it_was",
    LabelPort: "test_selinux_store.test_a_kill_anywhere_leaves_the_store_as_it_was",
    OrderByProxy: "test_caddy_own_orders.test_killed_while_caddy_orders_it_serves_what_its_caddyfile_says",
    OpenFirewalldPort: "test_firewalld.test_a_kill_anywhere_leaves_the_zone_as_it_was",
}
"""Kinds whose programs need a booted host of their own, and the test that kills them there, after every record."""

STORED_BY_PROGRAMS = frozenset({AllowUfwPort, Withdraw})
"""What a program keeps in files of its own: on a full disk it can take nothing back, and the run must say so."""


def rows_of(proxy: AttackedProxy) -> tuple[str, ...]:
    """Return the names of the rows that a proxy has."""
    return tuple(name for name in ROWS if name not in proxy.without)


def kinds() -> tuple[Kind, ...]:
    """Return every kind of operation and of activation that a plan may have."""
    return tuple(kind for union in (AnyOperation, AnyActivation) for kind in get_args(union) or (union,))


def attacked_step(plan: Plan, kind: Kind) -> str:
    """Return what the journal calls the first operation or activation of a kind in the last change that has one."""
    number, found = 0, ""
    for position, change in enumerate(plan.changes):
        steps = {str(number + n): each for n, each in enumerate(change.operations)}
        number += len(steps)
        activation = {f"activation {position}": change.activation} if change.activation else {}
        found = next((name for name, each in {**steps, **activation}.items() if isinstance(each, kind)), found)
    assert found, kind
    return found


def last_activation(plan: Plan) -> str:
    """Return what the journal calls the plan's last activation of the proxy, the one with the further port."""
    return f"activation {len(plan.changes) - 1}"
