"""Another proxy than that of the run before: what of ours leaves the old one, so that never two want the same port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.operations.files import MakeDirectory, RemoveFile
from palpo_installer.operations.lines import EditLines
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.removing import RemoveDirectory
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.removal_of_files import directories, emptied, files, joined
from palpo_installer.planning.removal_of_lines import lines
from palpo_installer.planning.removal_of_services import kinds, proxy_of, withdrawn_proxy
from palpo_installer.planning.scene import Scene
from palpo_installer.planning.traces import Trace
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Proxy, ServerBlock
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.neighbours import served
from palpo_installer.proxies.sockets import Socket
from palpo_installer.proxies.withdrawal import WithdrawProxy

Removal = RemoveFile | EditLines | RemoveWritten | RemoveDirectory
"""How something of ours leaves a proxy."""


@dataclass(frozen=True)
class Leaving:
    """A proxy that served for us until now.

    Attributes:
        proxy: as found.
        operations: what of ours goes: lines before the files behind them, directories of ours that are empty then last.
        withdrawal: how it takes that up.
        summary: what becomes of it, a few sentences.
        meanwhile: the sockets on which a change before this one lets it answer for certificates that are ordered.
    """

    proxy: Proxy
    operations: tuple[Removal, ...]
    withdrawal: WithdrawProxy
    summary: tuple[str, ...]
    meanwhile: tuple[Socket, ...] = ()

    @property
    def others(self) -> tuple[ServerBlock, ...]:
        """Its sites that are not ours, and the sockets that it opens without any site."""
        own = self.withdrawal.own
        sites = tuple(block for block in self.proxy.servers if block.file not in own)
        answered = {(each.address, each.port) for block in sites for each in block.listens}
        bare = (
            ServerBlock((), (each,), (), each.file, each.line)
            for each in self.proxy.opened
            if each.file not in own and (each.address, each.port) not in answered
        )
        return (*sites, *bare)

    def releases(self, listener: Listener) -> bool:
        """Return whether it holds a socket only for our sites, and so lets go of it."""
        if listener.pid not in self.proxy.pids:
            return False
        kept = {(each.address, each.port) for block in self.others for each in block.listens}
        kept |= {(each.address, each.port) for each in self.proxy.streams}
        return self.withdrawal.stop or (listener.address, listener.port) not in kept

    def refuse(self, needed: Sequence[Expectation], inputs: Inputs, title: str) -> None:
        """Check that it leaves every port that the other proxy needs.

        Args:
            needed: what the other one must show.
            inputs: what the plan is made from.
            title: what people call the other one.

        Raises:
            RefusedPlan: it holds one for somebody else's site too.
        """
        if self.withdrawal.stop or self.proxy.pid is None:
            return
        places = {(each.address, each.port) for each in needed}
        staying = [block for block in self.others if served((block,), inputs.facts.system) & places]
        streams = {(each.address, each.port) for each in self.proxy.streams} & places
        if not staying and not streams:
            return
        ports = sorted({port for block in staying for _, port in served((block,), inputs.facts.system) & places})
        sites = ", ".join(map(_told, staying))
        raise RefusedPlan(
            f"{self.proxy.title} would go on holding port {', '.join(map(str, ports))} for other sites: {sites}. "
            f"{title} needs it",
            where="proxy.kind",
            next=f"Keep --set proxy.kind={self.proxy.kind}; or move these sites to {title}, or to other ports, "
            "yourself, then plan again. Nothing of theirs is changed or stopped",
        )

    def hand_over(self, new: ActivateProxy) -> HandOver:
        """Return the change from this proxy to another one."""
        released = {(each.address, each.port) for each in self.withdrawal.expectations}
        # What is asked there without a name was answered by our own site.
        compared = tuple(each for each in new.neighbours if (each.address, each.port) not in released)
        paths = tuple(each.path for each in self.operations)
        return HandOver(self.withdrawal, replace(new, neighbours=compared), paths, self.meanwhile)


def _told(block: ServerBlock) -> str:
    """Return a site by name and place; one that the proxy makes by itself is nowhere to be moved from."""
    by_itself = ", which it adds by itself for redirects to HTTPS unless it is told not to" if block.implied else ""
    return f"{' '.join(block.names) or 'no name'} at {block.file}:{block.line}{by_itself}"


def leaving(inputs: Inputs) -> Leaving | None:
    """Return the proxy that serves for us until now, where the answers choose another one and it is still there.

    Raises:
        RefusedPlan: a file of ours in it was edited by hand.
    """
    scene = Scene(inputs.host, inputs.facts, inputs.traces, 0, inputs.layout.edits, inputs.ours)
    former = kinds(scene)
    if not former or former[0] == inputs.answers.proxy:
        return None
    proxy = inputs.facts.proxy(former[0])
    operations = _operations(scene, former[0])
    if proxy is None or not operations:
        return None
    _refuse_edits(operations, inputs, proxy)
    up = withdrawn_proxy(scene, operations, former[0])
    if not isinstance(up.activation, WithdrawProxy):
        return None
    return Leaving(proxy, operations, up.activation, up.summary)


def _operations(scene: Scene, kind: str) -> tuple[Removal, ...]:
    """Return what of ours goes; what a run switched off for us stays so, and comes back with an uninstall."""
    traces = tuple(each for each in scene.traces.operations if _is_of(each, kind))
    own = tuple(each for each in traces if not isinstance(each.operation, EditLines))
    replaced = tuple(each for each in own if "before" in each.found and "path" in each.found)
    way = joined((lines(traces, scene), files(replaced, scene)))
    found = [each for _, each in way.operations if isinstance(each, RemoveFile | EditLines)]
    # A link before what it leads to: at no moment does the proxy read a name that leads nowhere.
    order = sorted(found, key=lambda each: (isinstance(each, RemoveFile), not _is_link(each)))
    going = tuple(each for each in order if proxy_of(each, scene) == kind)
    return (*going, *_empty_then(own, going, scene)) if going else ()


def _empty_then(
    traces: tuple[Trace, ...], going: Sequence[RemoveFile | EditLines], scene: Scene
) -> tuple[RemoveDirectory, ...]:
    """Return the removals of directories that runs made for a proxy and that are empty then, the deepest first."""
    made = tuple(each for each in traces if isinstance(each.operation, MakeDirectory))
    there = [each.path for _, each in directories(made, scene).operations if isinstance(each, RemoveDirectory)]
    removed, _ = emptied(there, [each.path for each in going if isinstance(each, RemoveFile)])
    return tuple(map(RemoveDirectory, removed))


def _is_of(trace: Trace, kind: str) -> bool:
    return isinstance(trace.activation, ActivateProxy | WithdrawProxy) and trace.activation.proxy == kind


def _is_link(operation: RemoveFile | EditLines) -> bool:
    return isinstance(operation, RemoveFile) and operation.planned.startswith("link ")


def _refuse_edits(operations: Sequence[Removal], inputs: Inputs, proxy: Proxy) -> None:
    """Check that nobody's edit would go with our files.

    Raises:
        RefusedPlan: one would.
    """
    for each in operations:
        if isinstance(each, RemoveFile) and inputs.edited(each.path) and not inputs.gives_up(str(each.path)):
            raise RefusedPlan(
                f"was edited by hand, and leaves {proxy.title} with these answers",
                where=str(each.path),
                next="Move your edit elsewhere, or give it up with --overwrite-edits: a copy is kept",
            )
