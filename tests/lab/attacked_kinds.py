"""In which plan each kind of operation and each kind of activation is attacked. A new kind needs a row here.

Where the program of a kind is not there on the attacked host, ``ELSEWHERE`` names the test that kills it on the host
where it is.

A row makes the changes of a plan out of a scene: the real plan of the host's answers, taken apart. What is attacked is
the first operation, or the first activation, of its kind. At or after it comes an activation of nginx, which takes up
a further port: that is where nginx itself is attacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.certificates.timer import Before as FormerTimer
from palpo_installer.changes import AnyActivation, AnyOperation, Change, Plan
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.lines import AddedLine, EditLines
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.paths import state_of
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.operations.rests import Cut, RemoveRest, Rest, WriteRest
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.secret import Text
from palpo_installer.site import MARKER_HEADER

SITE = f"""\
server {{{{
    listen 198.18.0.10:{{}};
    add_header {MARKER_HEADER} "{{}}" always;
    return 204;
}}}}
"""
FURTHER_PORT, FORMER_PORT = 8449, 8450
FURTHER, FORMER = SITE.format(FURTHER_PORT, "the further port"), SITE.format(FORMER_PORT, "the former port")
"""A site that comes, and one that nginx serves already, and that a withdrawal takes away."""

SHOWN = Expectation("198.18.0.10", FURTHER_PORT, False, "further.example.org", "the further port", None, False)
GONE = Expectation("198.18.0.10", FORMER_PORT, False, "former.example.org", "", None, False)
FORMER_SITE = Path("/etc/nginx/conf.d/former.conf")
NEIGHBOUR = Path("/etc/nginx/sites-available/neighbour")
UNUSED = Path("/etc/nginx/conf.d/unused.conf")
EARLIER = Path("/var/lib/palpo-installer/earlier/unused.conf")
EMPTY = Path("/etc/nginx/empty.d")
RENEWAL = Path("/etc/cron.d/renewal")
PALPO = Path("/etc/palpo/palpo.toml")
FILES = {
    EARLIER: b"# is needed again\n",
    RENEWAL: b"17 3 * * * root true\n",
    UNUSED: b"# was needed once\r\n# caf\xe9, without a newline",
    PALPO: b'# mine\r\nserver_name = "example.com"\r\nunknown = "kept"',
}
"""Files of the administrator's that must be there."""

Kind = type[Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Scene:
    """The real plan of a host, taken apart."""

    plan: Plan

    def first(self, kind: type[Found]) -> Found:
        """Return the plan's first operation of a kind."""
        return next(each for change in self.plan.changes for each in change.operations if isinstance(each, kind))

    def change(self, kind: Kind) -> Change:
        """Return the plan's first change that is taken up by an activation of a kind."""
        return next(change for change in self.plan.changes if isinstance(change.activation, kind))

    @property
    def plain(self) -> Change:
        """The change of port 80, with little patience."""
        return replace(self.change(ActivateProxy), activation=self._reload)

    @property
    def _reload(self) -> ActivateProxy:
        found = self.change(ActivateProxy).activation
        assert isinstance(found, ActivateProxy)
        return replace(found, patience=4.0, limit=3.0)

    def nginx(self, *operations: AnyOperation) -> Change:
        """Return a change of these operations, port 80 and a further port."""
        activation = replace(self._reload, expectations=(*self._reload.expectations, SHOWN))
        return replace(
            self.plain, operations=(*operations, *self.plain.operations, further_port()), activation=activation
        )

    @property
    def further(self) -> Change:
        """A change of a further port alone."""
        return Change("a further port", (further_port(),), replace(self._reload, expectations=(SHOWN,)))


def further_port() -> WriteFile:
    """Return the operation by which nginx is to listen on a further port."""
    return WriteFile(Path("/etc/nginx/conf.d/further.conf"), Text(FURTHER), 0o644, 0, 0, "")


def _with_an_order(scene: Scene) -> tuple[Change, ...]:
    order = (scene.first(ProbeChallenge), scene.first(OrderCertificate))
    return scene.plain, Change("the order", order), scene.further


def _self_signed(scene: Scene) -> tuple[Change, ...]:
    directory = Path("/etc/palpo-installer/self-signed/matrix.example.com")
    files = CertificateFiles(directory / "fullchain.pem", directory / "privkey.pem")
    return (scene.nginx(IssueSelfSigned("matrix.example.com", files)),)


def _put_back(scene: Scene) -> tuple[Change, ...]:
    original = replace(state_of(EARLIER), mode=0o604, uid=1, gid=60)
    return (scene.nginx(PutBack(UNUSED, EARLIER, original, state_of(UNUSED).sha256)),)


def _keep_copy(scene: Scene) -> tuple[Change, ...]:
    place = Path("/var/lib/palpo-installer/edited")
    copy = KeepCopy(place / "etc-nginx-conf.d-unused.conf", UNUSED, state_of(UNUSED).sha256)
    return (scene.nginx(MakeDirectory(place, 0o700), copy),)


def _rest() -> Rest:
    return Rest(UNUSED.with_name("unused-rest.conf"), UNUSED, state_of(UNUSED).sha256, (Cut(2, 6),))


def _removed_rest(scene: Scene) -> tuple[Change, ...]:
    return Change("the rest of a file", (WriteRest(_rest()),)), scene.nginx(RemoveRest(_rest()))


def _edit_lines(scene: Scene) -> tuple[Change, ...]:
    """A line in the neighbour's own site, which leads to a file of ours."""
    place = Path("/etc/nginx/palpo.d")
    file = WriteFile(place / "location.conf", Text("location = /ours { return 204; }\n"), 0o644, 0, 0, "")
    lines = NEIGHBOUR.read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if "server_name" in line)
    ours = AddedLine(f"    include {file.path};  # palpo-installer", number + 1)
    named = Path("/etc/nginx/sites-enabled/neighbour")
    edit = EditLines(NEIGHBOUR, named, (ours,), (), state_of(NEIGHBOUR).sha256)
    return (scene.nginx(MakeDirectory(place, 0o755), file, edit),)


def _withdraw_nginx(scene: Scene) -> tuple[Change, ...]:
    """A site goes, while another one comes that somebody else has put there."""
    found = scene.plain.activation
    assert isinstance(found, ActivateProxy)
    activation = WithdrawProxy(
        proxy=found.proxy,
        service=found.service,
        error_log=found.error_log,
        expectations=(GONE,),
        alone=((GONE.address, GONE.port),),
        neighbours=tuple(each for each in found.neighbours if each.port != FORMER_PORT),
        own=(FORMER_SITE,),
        stop=False,
        disable=False,
        patience=found.patience,
        limit=found.limit,
    )
    operations = (RemoveFile(FORMER_SITE, state_of(FORMER_SITE).sha256), further_port())
    return (Change("nginx without the former port", operations, activation),)


def _stop_timer(scene: Scene) -> tuple[Change, ...]:
    found = scene.change(ActivateTimer).activation
    assert isinstance(found, ActivateTimer)
    stop = StopTimer(found.scheduler, FormerTimer(enabled=False, active=False, directories=()), found.timer)
    return Change("no renewal", (RemoveFile(RENEWAL, state_of(RENEWAL).sha256),), stop), scene.nginx()


def _withdraw(scene: Scene) -> tuple[Change, ...]:
    before = {"path": f"ufw, port {FORMER_PORT}/tcp", "ipv4": "no", "ipv6": "no"}
    return (scene.nginx(Withdraw(AllowUfwPort(FORMER_PORT), before, "0001")),)


ROWS: Mapping[Kind, Callable[[Scene], tuple[Change, ...]]] = {
    WriteFile: lambda scene: (scene.nginx(),),
    MakeLink: lambda scene: (scene.nginx(),),
    RemoveFile: lambda scene: (scene.nginx(RemoveFile(UNUSED, state_of(UNUSED).sha256)),),
    MakeDirectory: lambda scene: (scene.nginx(MakeDirectory(Path("/etc/nginx/palpo.d"), 0o750)),),
    ConfigurePalpo: lambda scene: (scene.nginx(scene.first(ConfigurePalpo)),),
    ProbeChallenge: _with_an_order,
    OrderCertificate: _with_an_order,
    IssueSelfSigned: _self_signed,
    ActivateProxy: lambda scene: (scene.nginx(),),
    RestartPalpo: lambda scene: (scene.change(RestartPalpo), scene.nginx()),
    ActivateTimer: lambda scene: (scene.change(ActivateTimer), scene.nginx()),
    PutBack: _put_back,
    KeepCopy: _keep_copy,
    RemoveDirectory: lambda scene: (scene.nginx(RemoveDirectory(EMPTY)),),
    EditLines: _edit_lines,
    WriteRest: lambda scene: (scene.nginx(WriteRest(_rest())),),
    RemoveRest: _removed_rest,
    AllowUfwPort: lambda scene: (scene.nginx(AllowUfwPort(FURTHER_PORT)),),
    Withdraw: _withdraw,
    LetGroupIn: lambda scene: (scene.nginx(LetGroupIn(UNUSED, directory=False, account="www-data", group="www-data")),),
    WithdrawProxy: _withdraw_nginx,
    StopTimer: _stop_timer,
}
"""Who runs the timers of the attacked host is cron; test_boot and test_uninstall have them with systemd."""

ELSEWHERE: Mapping[Kind, str] = {
    SetBoolean: "test_selinux_store.test_a_kill_anywhere_leaves_the_store_as_it_was",
    LabelPort: "test_selinux_store.test_a_kill_anywhere_leaves_the_store_as_it_was",
    HandOver: "test_handover.test_a_kill_anywhere_leaves_the_first_proxy_serving",
    OrderByProxy: "test_caddy_own_orders.test_killed_while_caddy_orders_it_serves_what_its_caddyfile_says",
    OpenFirewalldPort: "test_firewalld.test_a_kill_anywhere_leaves_the_zone_as_it_was",
}
"""Kinds whose programs need a booted host of their own, and the test that kills them there, after every record."""

STORED_BY_PROGRAMS = frozenset({AllowUfwPort, Withdraw})
"""What a program keeps in files of its own: on a full disk it can take nothing back, and the run must say so."""


def kinds() -> tuple[Kind, ...]:
    """Return every kind of operation and of activation that a plan may have."""
    return tuple(kind for union in (AnyOperation, AnyActivation) for kind in get_args(union) or (union,))


def attacked_step(plan: Plan, kind: Kind) -> str:
    """Return what the journal calls the first operation or activation of a kind."""
    operations = [each for change in plan.changes for each in change.operations]
    operation = next((n for n, each in enumerate(operations) if isinstance(each, kind)), None)
    if operation is not None:
        return str(operation)
    return next(f"activation {n}" for n, change in enumerate(plan.changes) if isinstance(change.activation, kind))


def last_activation(plan: Plan) -> str:
    """Return what the journal calls the plan's last activation of nginx, the one with the further port."""
    return f"activation {len(plan.changes) - 1}"
