"""In which plan each kind of operation and each kind of activation is attacked. A new kind needs a row here.

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
from palpo_installer.certificates.timer import ActivateTimer
from palpo_installer.changes import AnyActivation, AnyOperation, Change, Plan
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.operations.files import MakeDirectory, MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.paths import state_of
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.nginx.activation import ActivateNginx
from palpo_installer.secret import Text
from palpo_installer.site import MARKER_HEADER

FURTHER_PORT = 8449
FURTHER_MARKER = "the further port"
FURTHER = f"""\
server {{
    listen 198.18.0.10:{FURTHER_PORT};
    add_header {MARKER_HEADER} "{FURTHER_MARKER}" always;
    return 204;
}}
"""
SHOWN = Expectation("198.18.0.10", FURTHER_PORT, False, "further.example.org", FURTHER_MARKER, None, False)
UNUSED = Path("/etc/nginx/conf.d/unused.conf")
PALPO = Path("/etc/palpo/palpo.toml")
FILES = {
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
        return replace(self.change(ActivateNginx), activation=self._reload)

    @property
    def _reload(self) -> ActivateNginx:
        found = self.change(ActivateNginx).activation
        assert isinstance(found, ActivateNginx)
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


ROWS: Mapping[Kind, Callable[[Scene], tuple[Change, ...]]] = {
    WriteFile: lambda scene: (scene.nginx(),),
    MakeLink: lambda scene: (scene.nginx(),),
    RemoveFile: lambda scene: (scene.nginx(RemoveFile(UNUSED, state_of(UNUSED).sha256)),),
    MakeDirectory: lambda scene: (scene.nginx(MakeDirectory(Path("/etc/nginx/palpo.d"), 0o750)),),
    ConfigurePalpo: lambda scene: (scene.nginx(scene.first(ConfigurePalpo)),),
    ProbeChallenge: _with_an_order,
    OrderCertificate: _with_an_order,
    IssueSelfSigned: _self_signed,
    ActivateNginx: lambda scene: (scene.nginx(),),
    RestartPalpo: lambda scene: (scene.change(RestartPalpo), scene.nginx()),
    ActivateTimer: lambda scene: (scene.change(ActivateTimer), scene.nginx()),
}


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
