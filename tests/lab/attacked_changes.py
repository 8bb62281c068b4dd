"""The changes of plans that are attacked, made out of the real plan of a host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.certificates.timer import Before as FormerTimer
from palpo_installer.changes import AnyActivation, AnyOperation, Change, Plan
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, RemoveFile, WriteFile
from palpo_installer.operations.lines import AddedLine, EditLines
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.operations.rests import Cut, RemoveRest, Rest, WriteRest
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.secret import Text
from palpo_installer.services import Service
from tests.facts.made import certificate
from tests.lab.attacked_proxies import FORMER_PORT, FURTHER_PORT, PROXIES, AttackedProxy
from tests.lab.hosts import ADDRESS4

EARLIER = Path("/var/lib/palpo-installer/earlier/unused")
RENEWAL = Path("/etc/cron.d/renewal")
PALPO = Path("/etc/palpo/palpo.toml")
PATIENCE, LIMIT = 10.0, 8.0
LONG = 90.0
"""Seconds for what is to come about: on a machine under load a reload alone took more than ten."""

Found = TypeVar("Found")


def files(proxy: AttackedProxy) -> dict[Path, bytes]:
    """Return the files of the administrator's that must be there."""
    path, remark = proxy.unused
    return {
        EARLIER: b"# is needed again\n",
        RENEWAL: b"17 3 * * * root true\n",
        path: remark,
        PALPO: b'# mine\r\nserver_name = "example.com"\r\nunknown = "kept"',
    }


def expectation(name: str, port: int, marker: str) -> Expectation:
    """Return that a site shows a marker, or that it is gone."""
    return Expectation(ADDRESS4, port, False, f"{name}.example.org", marker, None, False)


SHOWN = expectation("further", FURTHER_PORT, "the further port")
GONE = expectation("former", FORMER_PORT, "")
TAKEN_OVER = expectation("former", FORMER_PORT, "the port that was taken over")
"""Another marker than that of the site before, as the sites of two proxies have: each can be told by its own."""


@dataclass(frozen=True)
class Scene:
    """The real plan of a host, taken apart.

    Attributes:
        plan: the plan.
        proxy: for which it is.
        successor: another proxy of the host, which is stopped, as found and as a service.
    """

    plan: Plan
    proxy: AttackedProxy
    successor: tuple[Proxy, Service]

    def first(self, kind: type[Found]) -> Found:
        """Return the plan's first operation of a kind."""
        return next(each for change in self.plan.changes for each in change.operations if isinstance(each, kind))

    def change(self, kind: type[Any]) -> Change:
        """Return the plan's first change that is taken up by an activation of a kind."""
        return next(change for change in self.plan.changes if isinstance(change.activation, kind))

    @property
    def plain(self) -> Change:
        """The change of port 80, with little patience."""
        return replace(self.change(ActivateProxy), activation=self._reload(self.change(ActivateProxy)))

    @property
    def secure(self) -> Change:
        """The change of the TLS ports, with a further port."""
        change = [change for change in self.plan.changes if isinstance(change.activation, ActivateProxy)][1]
        return self._with_a_further_port(replace(change, activation=self._reload(change)))

    def activated(self, *operations: AnyOperation) -> Change:
        """Return a change of these operations, port 80 and a further port."""
        return self._with_a_further_port(replace(self.plain, operations=(*operations, *self.plain.operations)))

    @property
    def further(self) -> Change:
        """A change of a further port alone."""
        reload = replace(self._reload(self.plain), expectations=(SHOWN,))
        return Change("a further port", (self.further_site,), reload)

    @property
    def further_site(self) -> WriteFile:
        """The operation by which the proxy is to listen on a further port."""
        return written(self.proxy.place("further"), self.proxy.text("further", FURTHER_PORT))

    @property
    def former_site(self) -> Path:
        """The site that may be withdrawn."""
        return self.proxy.place("former")

    @property
    def withdrawal(self) -> WithdrawProxy:
        """That the former site goes."""
        found = self._reload(self.plain)
        return WithdrawProxy(
            proxy=found.proxy,
            service=found.service,
            error_log=found.error_log,
            expectations=(GONE,),
            alone=((GONE.address, GONE.port),),
            neighbours=tuple(each for each in found.neighbours if each.port != FORMER_PORT),
            own=(self.former_site,),
            stop=False,
            disable=False,
            patience=found.patience,
            limit=found.limit,
        )

    @staticmethod
    def _reload(change: Change) -> ActivateProxy:
        assert isinstance(change.activation, ActivateProxy)
        return replace(change.activation, patience=PATIENCE, limit=LIMIT)

    def _with_a_further_port(self, change: Change) -> Change:
        found = self._reload(change)
        activation = replace(found, expectations=(*found.expectations, SHOWN))
        return replace(change, operations=(*change.operations, self.further_site), activation=activation)


def written(path: Path, text: str) -> WriteFile:
    """Return that a file comes which is not there."""
    return WriteFile(path, Text(text), 0o644, 0, 0, "")


def removed(path: Path) -> RemoveFile:
    """Return that a file goes which is there."""
    return RemoveFile(path, state_of(path).sha256)


def unhurried(change: Change) -> Change:
    """Return a change that waits long for what comes about."""
    activation = change.activation
    return replace(change, activation=activation and waiting(activation, patience=LONG, limit=LONG))


def waiting(activation: AnyActivation, patience: float, limit: float | None = None) -> AnyActivation:
    """Return an activation with other seconds of patience, and of its limit if given; a timer's as it is."""
    match activation:
        case ActivateProxy() | WithdrawProxy():
            return replace(activation, patience=patience, limit=limit or activation.limit)
        case HandOver(old=old, new=new):
            old = replace(old, patience=patience, limit=limit or old.limit)
            return replace(activation, old=old, new=replace(new, patience=patience, limit=limit or new.limit))
        case _:
            return activation


def with_an_order(scene: Scene) -> tuple[Change, ...]:
    """The certificate's order, between two changes of the proxy."""
    order = (scene.first(ProbeChallenge), scene.first(OrderCertificate))
    return scene.plain, Change("the order", order), scene.further


def with_tls(scene: Scene) -> tuple[Change, ...]:
    """The TLS ports, with the links to sites, modules or certificates that they need; the certificates are there."""
    change = scene.secure
    assert isinstance(change.activation, ActivateProxy)
    needed = {each.certificate: each.name for each in change.activation.expectations if each.certificate}
    for chain, name in needed.items():
        certificate(name).write(chain, chain.with_name("privkey.pem"))
    return scene.plain, change


def self_signed(scene: Scene) -> tuple[Change, ...]:
    """A certificate of the local authority."""
    directory = Path("/etc/palpo-installer/self-signed/matrix.example.com")
    place = CertificateFiles(directory / "fullchain.pem", directory / "privkey.pem")
    return (scene.activated(IssueSelfSigned("matrix.example.com", place)),)


def remove_file(scene: Scene) -> tuple[Change, ...]:
    """A file of somebody's goes."""
    return (scene.activated(removed(scene.proxy.unused[0])),)


def remove_link(scene: Scene) -> tuple[Change, ...]:
    """A link of somebody's goes."""
    return (scene.activated(RemoveFile(scene.proxy.linked, f"link {EARLIER}")),)


def make_directory(scene: Scene) -> tuple[Change, ...]:
    """A directory comes in which nothing lies."""
    return (scene.activated(MakeDirectory(scene.proxy.empty.with_name("made.d"), 0o750)),)


def remove_directory(scene: Scene) -> tuple[Change, ...]:
    """A directory goes in which nothing lies."""
    return (scene.activated(RemoveDirectory(scene.proxy.empty)),)


def put_back(scene: Scene) -> tuple[Change, ...]:
    """What was there before the first run comes back."""
    unused = scene.proxy.unused[0]
    original = replace(state_of(EARLIER), mode=0o604, uid=1, gid=60)
    return (scene.activated(PutBack(unused, EARLIER, original, state_of(unused).sha256)),)


def _rest(scene: Scene) -> Rest:
    """What a file of somebody's would be without some of its bytes, in a place where nothing reads it."""
    unused = scene.proxy.unused[0]
    return Rest(scene.proxy.empty.with_name("rest"), unused, state_of(unused).sha256, (Cut(2, 6),))


def write_rest(scene: Scene) -> tuple[Change, ...]:
    """The rest of a file comes."""
    return (scene.activated(WriteRest(_rest(scene))),)


def remove_rest(scene: Scene) -> tuple[Change, ...]:
    """The rest of a file comes, and goes."""
    return Change("the rest of a file", (WriteRest(_rest(scene)),)), scene.activated(RemoveRest(_rest(scene)))


def remove_written(scene: Scene) -> tuple[Change, ...]:
    """A file of somebody's is written, and goes."""
    unused = scene.proxy.unused[0]
    write = WriteFile(unused, Text("# in between\n"), 0o600, 0, 0, state_of(unused).sha256)
    return Change("a file in between", (write,)), scene.activated(RemoveWritten.after(write))


def let_group_in(scene: Scene) -> tuple[Change, ...]:
    """A group may read a file of somebody's."""
    let_in = LetGroupIn(scene.proxy.unused[0], directory=False, account="www-data", group="www-data")
    return (scene.activated(let_in),)


def keep_copy(scene: Scene) -> tuple[Change, ...]:
    """A copy is kept of an edit that is given up."""
    place, unused = Path("/var/lib/palpo-installer/edited"), scene.proxy.unused[0]
    copy = KeepCopy(place / "unused", unused, state_of(unused).sha256)
    return (scene.activated(MakeDirectory(place, 0o700), copy),)


def neighbours_line(scene: Scene) -> tuple[Change, ...]:
    """A line in somebody's file: that of the plan, or one in the neighbour's site, which leads to a file of ours."""
    line = scene.proxy.line
    if line is None:
        assert any(isinstance(each, EditLines) for each in scene.plain.operations)
        return (scene.activated(),)
    place = scene.proxy.empty.with_name("palpo.d")
    file = written(place / "answers.conf", line.content)
    lines = line.path.read_text().splitlines()
    number = next(number for number, each in enumerate(lines, 1) if line.after in each)
    ours = AddedLine(line.text.format(file.path), number + 1)
    edit = EditLines(line.path, line.named, (ours,), (), state_of(line.path).sha256)
    return (scene.activated(MakeDirectory(place, 0o755), file, edit),)


def options_of_the_start(scene: Scene) -> tuple[Change, ...]:
    """A line in the file with the options of the proxy's start."""
    assert scene.proxy.options is not None
    path, line = scene.proxy.options
    edit = EditLines(path, path, (AddedLine(line, 2),), (), state_of(path).sha256)
    return (scene.activated(edit),)


def open_port(scene: Scene) -> tuple[Change, ...]:
    """A port is let in."""
    return (scene.activated(AllowUfwPort(FURTHER_PORT)),)


def withdraw(scene: Scene) -> tuple[Change, ...]:
    """A port is not let in any more."""
    before = {"path": f"ufw, port {FORMER_PORT}/tcp", "ipv4": "no", "ipv6": "no"}
    return (scene.activated(Withdraw(AllowUfwPort(FORMER_PORT), before, "0001")),)


def withdraw_proxy(scene: Scene) -> tuple[Change, ...]:
    """A site goes, while another one comes that somebody else has put there."""
    operations = (removed(scene.former_site), scene.further_site)
    return (Change("the proxy without the former port", operations, scene.withdrawal),)


def stop_timer(scene: Scene) -> tuple[Change, ...]:
    """The renewal goes."""
    found = scene.change(ActivateTimer).activation
    assert isinstance(found, ActivateTimer)
    stop = StopTimer(found.scheduler, FormerTimer(enabled=False, active=False, directories=()), found.timer)
    return Change("no renewal", (removed(RENEWAL),), stop), scene.activated()


def hand_over(scene: Scene) -> tuple[Change, ...]:
    """The former port goes to another proxy, which is started, and has a further one."""
    found, service = scene.successor
    other = PROXIES[found.kind]
    former = other.text("former", FORMER_PORT).replace("the former port", TAKEN_OVER.marker)
    file = written(other.place("taken-over"), former + other.text("further", FURTHER_PORT))
    new = ActivateProxy(
        proxy=found.kind,
        service=service,
        error_log=Path(found.error_log) if found.error_log else None,
        expectations=(TAKEN_OVER, SHOWN),
        neighbours=(),
        own=(file.path,),
        start=True,
        enable=False,
        patience=PATIENCE,
        limit=LIMIT,
    )
    activation = HandOver(scene.withdrawal, new, (scene.former_site,))
    return scene.plain, Change("from one proxy to another", (file, removed(scene.former_site)), activation)
