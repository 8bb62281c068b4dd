"""Renewal: the certificates that are due, taken up by the proxy and proven; what the timer runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer import matrix_site
from palpo_installer.answers import Method
from palpo_installer.certificates import authority, ordering, store
from palpo_installer.certificates.process import Watch
from palpo_installer.certificates.responder import needed
from palpo_installer.engine.lock import hold
from palpo_installer.errors import GateFailed, HostError, InstallerError
from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.operations.base import Workbench
from palpo_installer.operations.certificates import OrderCertificate
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.steps import Steps
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.controls import Swapping
from palpo_installer.secret import Secret, SecretReference
from palpo_installer.session import begin, given, inputs_of

LATE = 1 / 10
"""The share of its lifetime at which a proxy that renews by itself has failed to for long."""

SWAPPED = 5.0
"""Seconds for a certificate to be shown that was taken up without a reload."""


def renew(host: Host, say: Callable[[str], None]) -> int:
    """Renew what is due, let the proxy take it up where it shows something else, and prove it.

    A certificate that could not be taken up last time is taken up now: what is on disk is compared with what is
    served, whether or not anything was renewed. Only the names of the answers in force are touched.

    Returns:
        The exit code: 1 when a name failed.
    """
    with hold(host.layout, "renew"):
        inputs = inputs_of(begin(host, given(host, None, ())))
        failures = [*_renewed(inputs, say), *_taken_up(inputs, say)]
    for failure in failures:
        say(f"FAIL  {failure}")
    return 1 if failures else 0


def _renewed(inputs: Inputs, say: Callable[[str], None]) -> Iterator[str]:
    """Renew each name by itself, so that none keeps another back; yield why one failed."""
    certificates, host = inputs.answers.certificates, inputs.host
    built = matrix_site.build(inputs.answers, inputs.layout)
    for name in built.certificates:
        try:
            if name in built.managed:
                say(f"done  {_of_proxy(name, Serving(inputs, built))}")
                continue
            match certificates.method:
                case Method.HTTP_01:
                    order = OrderCertificate.for_name(
                        name, certificates, inputs.layout, needed(inputs.answers.proxy, inputs.layout)
                    )
                    renewed = ordering.renew(order, inputs.layout, Watch(say, _go_on))
                    say(f"done  {name}: {'renewed' if renewed else 'not due'}")
                case Method.SELF_SIGNED if authority.problem(host, name, datetime.now(UTC)):
                    authority.issue(name, inputs.layout)
                    say(f"done  {name}: issued again")
                case _:
                    say(f"done  {name}: nothing to renew here")
        except InstallerError as error:
            yield f"{name}: {error}"


def _of_proxy(name: str, serving: Serving) -> str:
    """Return what is known of a certificate that the proxy itself renews.

    Raises:
        GateFailed: it is not there, or the proxy has long failed to renew it.
    """
    title, certificate = serving.proxy.title, store.read(serving.inputs.host, serving.certificates.files[name])
    why = store.usable(certificate, name, serving.inputs.now, remaining=LATE)
    if why or certificate is None:
        cure = f"See the log of {title}; restart it where its files are gone"
        raise GateFailed(f"{title} renews it itself, and has not: {why}", next=cure)
    return f"{name}: {title} renews it itself; it ends at {certificate.not_after:%Y-%m-%d %H:%M} UTC"


def _taken_up(inputs: Inputs, say: Callable[[str], None]) -> Iterator[str]:
    """Let the proxy take up what it does not show yet; yield why it did not."""
    serving = Serving(inputs, matrix_site.build(inputs.answers, inputs.layout))
    steps = Steps(serving)
    try:
        if steps.shows_the_certificates():
            say("done  every address shows the certificates on disk")
            return
        activation = steps.renewal()
        bench = Workbench(inputs.host, "renew", Path(), _no_secret, lambda text: say(f"wait  {text}"), _go_on)
        if not _swapped(serving, activation, bench):
            activation.activate(bench, activation.prepare(bench))
        say("done  every address shows the certificates on disk now")
    except InstallerError as error:
        yield str(error)


def _swapped(serving: Serving, activation: ActivateProxy, bench: Workbench) -> bool:
    """Return whether the proxy took up the certificates as it runs, so that it need not be reloaded."""
    swapping = activation.control
    if not isinstance(swapping, Swapping) or serving.proxy.pid is None:
        return False
    try:
        swapping.swap(bench.host, serving.proxy, serving.rendering.secure.links)
        markers.prove(activation.expectations, time.monotonic() + SWAPPED, bench)
    except (HostError, GateFailed) as error:
        bench.report(f"{error}; so {swapping.title} is reloaded")
        return False
    return True


def _go_on() -> None:
    """Let nothing interrupt a renewal: an order that is cut off is one lost."""


def _no_secret(reference: SecretReference) -> Secret:
    raise LookupError(reference.name)
