"""Caddy's own orders: one certificate, beside what it serves, before anything that it serves depends on it.

Caddy manages a name as soon as its configuration has it, and shows nothing for it until its order is made. So the
configuration that it runs with is given to it once more, with the name among those that it shall have a certificate
for (caddyserver.com, "JSON Config Structure", ``apps/tls/certificates/automate``), and with a log that tells us how far
it is. When the certificate lies in its storage, or the order failed, it goes back to its Caddyfile.

Since 2.7 Caddy orders nothing for a name for which it has a certificate of any authority in memory (certmagic,
``manageOne``): such a name it lets go first (``letting_go.py``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from palpo_installer.certificates.process import Patience, Watch
from palpo_installer.errors import HostError, TimedOut
from palpo_installer.host import Command, Host
from palpo_installer.proxies.caddy import admin, letting_go, process, storage
from palpo_installer.proxies.caddy.confidant import Confidant, Told
from palpo_installer.proxies.caddy.documents import at, listed, section
from palpo_installer.proxies.ordering import Errand, Failed
from palpo_installer.services import QUICK, Service

LOG = "palpo-installer-order"
"""The name of our log in Caddy's configuration, by which one that an engine left there is known."""
ADMIN = "localhost:2019"
PAUSE = 0.3
LOADING = 30.0
"""Seconds for Caddy to take up a configuration."""


@dataclass(frozen=True)
class Written:
    """The Caddyfile as Caddy runs with it, and where it is told what to do."""

    document: dict[str, object]
    endpoint: str


def order(host: Host, service: Service, errand: Errand, watch: Watch, arrived: Callable[[], bool]) -> None:
    """Let Caddy order a certificate and wait for it.

    Raises:
        Failed: the order failed, with what Caddy's log says.
        TimedOut: it was neither made nor refused in time.
        HostError: Caddy does not take up the order, or does not go back to its Caddyfile.
        Interrupted: the run was asked to stop, and there was no certificate a moment later.
    """
    written = read(host, service)
    with Confidant(errand.name) as confidant:
        try:
            document = written.document
            if letting_go.is_managed(document, errand.name):
                shown = storage.newest(host, storage.directory_with(errand.files), errand.name)
                document = letting_go.without(document, errand.name, shown)
                _load(written.endpoint, with_log(document, confidant.address))
            _load(written.endpoint, with_order(document, errand, confidant.address))
            _wait(confidant, errand, watch, arrived)
        finally:
            # Before its log has nobody to talk to any more.
            _go_back(host, service)


def _load(endpoint: str, document: dict[str, object]) -> None:
    refused = admin.load(endpoint, document, LOADING)
    if refused:
        raise HostError(f"Caddy does not take the order: {refused}", where=endpoint)


def forget(host: Host, service: Service) -> None:
    """Let Caddy go back to its Caddyfile where an order that was cut off is still in its configuration.

    Raises:
        HostError: it does not.
    """
    try:
        written = read(host, service)
    except HostError:
        return
    running = admin.running_configuration(written.endpoint)
    if LOG in at(at(running, "logging"), "logs"):
        _go_back(host, service)


def read(host: Host, service: Service) -> Written:
    """Return the Caddyfile as JSON.

    Raises:
        HostError: it cannot be adapted.
    """
    file = process.configuration(service.argv)
    argv = (*process.program(service.argv), "adapt", "--adapter", "caddyfile", "--config", file)
    said = host.run(Command(argv, timeout=QUICK))
    try:
        document = json.loads(said.stdout) if said.status == 0 else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise HostError("Caddy cannot read its Caddyfile", where=file, next="Correct it, then try again")
    return Written(document, str(at(document, "admin").get("listen", "")) or ADMIN)


def with_order(document: dict[str, object], errand: Errand, address: str) -> dict[str, object]:
    """Return a configuration with one more name to have a certificate for, and our log; the given one stays."""
    copy: dict[str, object] = json.loads(json.dumps(document))
    issuer: dict[str, object] = {"module": "acme", "ca": errand.directory}
    issuer |= {"email": errand.email} if errand.email else {}
    issuer |= {"trusted_roots_pem_files": [str(errand.ca_file)]} if errand.ca_file else {}
    tls = section(section(copy, "apps"), "tls")
    listed(section(tls, "certificates"), "automate").append(errand.name)
    policies = listed(section(tls, "automation"), "policies")
    # A name has one policy: that of the Caddyfile gives way to this one, which asks for the same or for what will be.
    for policy in policies:
        if isinstance(policy, dict) and errand.name in policy.get("subjects", ()):
            policy["subjects"] = [each for each in policy["subjects"] if each != errand.name]
    kept = [policy for policy in policies if not isinstance(policy, dict) or policy.get("subjects") != []]
    policies[:] = [{"subjects": [errand.name], "issuers": [issuer]}, *kept]
    return with_log(copy, address)


def with_log(document: dict[str, object], address: str) -> dict[str, object]:
    """Return a configuration with our log, by which it is known as ours after a kill; the given one stays."""
    copy: dict[str, object] = json.loads(json.dumps(document))
    section(section(copy, "logging"), "logs")[LOG] = {
        "writer": {"output": "net", "address": address},
        "encoder": {"format": "json"},
        "level": "INFO",
        "include": ["tls", "http.acme_client"],
    }
    return copy


def _wait(confidant: Confidant, errand: Errand, watch: Watch, arrived: Callable[[], bool]) -> None:
    patience = Patience(watch.check, errand.limit)
    said = ""
    while not arrived():
        told: Told = confidant.told()
        if told.progress and told.progress != said:
            said = told.progress
            watch.report(said)
        if told.failure is not None:
            raise Failed(told.failure)
        if patience.is_over():
            if patience.asked is not None:
                raise patience.asked
            raise TimedOut(
                f"Caddy has no certificate for {errand.name} after {errand.limit:g} seconds"
                + (f"; the last it told: {said}" if said else " and told nothing of it"),
                where=errand.directory,
                next="See Caddy's log, then try again",
            )
        time.sleep(PAUSE)
    if patience.asked is not None:
        raise patience.asked


def _go_back(host: Host, service: Service) -> None:
    said = host.run(process.reload(service, LOADING))
    if said.status != 0:
        raise HostError(
            f"Caddy does not go back to its Caddyfile: {said.stderr.strip().splitlines()[-1:]}",
            where=process.configuration(service.argv),
            next="Reload Caddy, then try again",
        )
