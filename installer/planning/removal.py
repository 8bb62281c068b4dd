"""The plan of a removal: everything that the runs in force left is taken back, as one run of the engine.

How each kind of recorded operation and activation is taken back stands in two tables, ``WAYS`` and ``ACTIVATIONS``.
A kind that is in neither cannot be taken back, and a test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import NoneType

from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.changes import AnyOperation, Change, Plan, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.layout import Layout
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
from palpo_installer.planning.inputs import look, missing_directories
from palpo_installer.planning.removal_of_files import directories, emptied, files, joined
from palpo_installer.planning.removal_of_lines import lines
from palpo_installer.planning.removal_of_palpo import configuration, restarted
from palpo_installer.planning.removal_of_services import forgotten_timer, kinds, proxy_of, withdrawn_proxy
from palpo_installer.planning.removal_of_settings import host_settings
from palpo_installer.planning.scene import Scene, TakingUp, Way
from palpo_installer.planning.traces import Trace
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.found import ReadFile
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.kinds import title as called
from palpo_installer.proxies.withdrawal import WithdrawProxy

Planner = Callable[[tuple[Trace, ...], Scene], Way]
"""Says how what these operations left is taken back."""

UpTaker = Callable[[Scene, tuple[AnyOperation, ...]], TakingUp]
"""Says how a service takes up that the operations on its files are made."""


def lasting(traces: tuple[Trace, ...], scene: Scene) -> Way:  # noqa: ARG001
    """Return nothing to do: what these brought about is never deleted (``what_stays``)."""
    return Way()


def of_removals(traces: tuple[Trace, ...], scene: Scene) -> Way:  # noqa: ARG001
    """Return nothing to do: only removals do this, and no removal is ever in force.

    Raises:
        RefusedPlan: one is.
    """
    for trace in traces:
        raise RefusedPlan("is part of an uninstall, and so cannot be in force", where=f"run {trace.run}")
    return Way()


def of_ours_alone(traces: tuple[Trace, ...], scene: Scene) -> Way:  # noqa: ARG001
    """Return nothing to do: a run that goes on removes only directories that earlier runs made (``switching``)."""
    return Way()


def nobody(scene: Scene, operations: tuple[AnyOperation, ...]) -> TakingUp:  # noqa: ARG001
    """Return that nobody has to take the files up."""
    return TakingUp()


WAYS: Mapping[type, Planner] = {
    # Before the files that they include: a proxy never reads a line that leads nowhere.
    EditLines: lines,
    WriteFile: files,
    MakeLink: files,
    RemoveFile: files,
    ConfigurePalpo: configuration,
    MakeDirectory: directories,
    ProbeChallenge: directories,
    OrderCertificate: lasting,
    IssueSelfSigned: lasting,
    OrderByProxy: lasting,
    SetBoolean: host_settings,
    LabelPort: host_settings,
    OpenFirewalldPort: host_settings,
    AllowUfwPort: host_settings,
    LetGroupIn: host_settings,
    Withdraw: host_settings,
    PutBack: of_removals,
    KeepCopy: of_removals,
    RemoveDirectory: of_ours_alone,
    WriteRest: files,
    RemoveRest: files,
    RemoveWritten: files,
}
"""How what an operation of each kind left is taken back. One function gets the traces of all its kinds, in order."""

ACTIVATIONS: Mapping[type, tuple[str, UpTaker]] = {
    ActivateTimer: ("no renewal of certificates any more", forgotten_timer),
    ActivateProxy: ("the proxy without our files", withdrawn_proxy),
    RestartPalpo: ("Palpo's configuration", restarted),
    NoneType: ("files that no service has to take up", nobody),
    StopTimer: ("", nobody),
    WithdrawProxy: ("", nobody),
    # Its traces are those of the two proxies.
    HandOver: ("", nobody),
}
"""The changes of a removal, in order: by how their files were taken up, a title and how that is taken back."""


def removal(scene: Scene) -> Plan:
    """Return the plan that takes back everything that the runs in force left.

    Raises:
        RefusedPlan: what is there cannot be read, so that nobody knows what to take back.
        HostError: a file cannot be read.
    """
    way = joined(planner(_of(planner, scene), scene) for planner in dict.fromkeys(WAYS.values()))
    changes, taken_up = _changes(scene, way)
    kept, left = _directories(way, scene.host.layout)
    stays = (*way.stays, *(each for up in taken_up for each in up.stays), *what_stays(scene), *left)
    if kept:
        changes = (*changes, Change("directories that are empty then", tuple(map(RemoveDirectory, kept))))
    return Plan(
        summary=(*(sentence for up in taken_up for sentence in up.summary), _forgotten(scene)),
        changes=(*_copies(way), *changes),
        unchanged=stays,
        findings=(),
        obstacles=way.obstacles,
        rests_on=_rests_on(scene, changes),
        ours=dict(scene.ours),
        result="uninstalled",
        read_whole=scene.facts.read_whole,
    )


def _of(planner: Planner, scene: Scene) -> tuple[Trace, ...]:
    return tuple(trace for trace in scene.traces.operations if WAYS[type(trace.operation)] is planner)


def _changes(scene: Scene, way: Way) -> tuple[tuple[Change, ...], tuple[TakingUp, ...]]:
    """Return the changes, each with its activation, but for those of directories."""
    used = {type(each.activation) for each in scene.traces.activations} | {kind for kind, _ in way.operations}
    changes, taken_up = [], []
    for kind, (title, taker) in ACTIVATIONS.items():
        if kind not in used:
            continue
        operations = tuple(
            each for its, each in way.operations if its is kind and not isinstance(each, RemoveDirectory)
        )
        for some, its_taker in _by_proxy(kind, operations, scene, taker):
            up = its_taker(scene, some)
            taken_up.append(up)
            if some or up.activation is not None:
                changes.append(Change(title, some, up.activation))
    return tuple(changes), tuple(taken_up)


def _by_proxy(
    kind: type, operations: tuple[AnyOperation, ...], scene: Scene, taker: UpTaker
) -> Iterator[tuple[tuple[AnyOperation, ...], UpTaker]]:
    """Yield operations with how they are taken up; those on proxies for each proxy, the one that serves now first."""
    if kind is not ActivateProxy:
        yield operations, taker
        return
    for proxy in kinds(scene):
        its = tuple(each for each in operations if proxy_of(each, scene) == proxy)
        yield its, partial(withdrawn_proxy, kind=proxy)


def _copies(way: Way) -> tuple[Change, ...]:
    """Return the change that keeps copies of what was edited by hand."""
    if not way.copies:
        return ()
    missing = missing_directories(each.path for each in way.copies if isinstance(each, KeepCopy))
    private = tuple(MakeDirectory(each.path, 0o700) for each in missing)
    return (Change("copies of what was edited by hand", (*private, *way.copies)),)


def _directories(way: Way, layout: Layout) -> tuple[list[Path], list[Unchanged]]:
    """Return the directories that are removed, and those that stay; ours hold what stays, and are told by that."""
    candidates = [each.path for _, each in way.operations if isinstance(each, RemoveDirectory)]
    gone = {each.path for _, each in way.operations if isinstance(each, RemoveFile)}
    removed, left = emptied(candidates, gone)
    return removed, [each for each in left if Path(each.subject) not in {layout.etc, layout.state}]


def what_stays(scene: Scene) -> Iterator[Unchanged]:
    """Yield what is never deleted, where it is there, and why."""
    layout, host = scene.host.layout, scene.host
    reasons = {
        layout.acme: "certificates and the account with the authority: a later installation uses them, and "
        "authorities limit how many are issued",
        layout.authority: "certificates for trying out, and the authority that signed them: a later installation "
        "uses them",
        layout.keys: "signing keys: other servers know this server by its key, and do not trust a new one for an old "
        "name",
        layout.ledger: "every order ever made: the limits of the certificate authority go on counting",
        layout.log: "logs of the orders",
        layout.edits: "copies of files that were edited by hand",
        layout.packages: "packages that palpo-installer installed; whether they are purged is asked when all this is "
        "done, or answered with --purge-packages",
    }
    for path, reason in reasons.items():
        if host.status(path) is not None or (path == layout.edits and scene.kept_edits):
            yield Unchanged(str(path), reason)
    orders = [each.operation for each in scene.traces.operations if isinstance(each.operation, OrderByProxy)]
    for order in {each.files.chain: each for each in orders}.values():
        if host.status(order.files.chain) is not None:
            yield Unchanged(
                str(order.files.chain.parent),
                f"{called(order.proxy)}'s own certificate for {order.name}: a later installation uses it; it is not "
                "renewed while no site has this name",
            )


def _forgotten(scene: Scene) -> str:
    many = f"{scene.runs} runs" if scene.runs != 1 else "one run"
    return f"When all this is proven, the history of {many} and the copies of earlier files are deleted."


def _rests_on(scene: Scene, changes: Iterable[Change]) -> tuple[ReadFile, ...]:
    """Return the files that decided: the proxies', and those that go."""
    paths = [
        each.path
        for change in changes
        for each in change.operations
        if isinstance(each, RemoveFile | PutBack | EditLines)
    ]
    going = [ReadFile(path, look(path).sha256) for path in paths if look(path).kind == "file"]
    return tuple(dict.fromkeys((*(file for proxy in scene.facts.proxies for file in proxy.files), *going)))
