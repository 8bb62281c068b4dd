"""What is known to forbid an order, before a plan is applied that makes it."""

from __future__ import annotations

from palpo_installer.certificates import store
from palpo_installer.certificates.directory import Directory, fetch
from palpo_installer.certificates.preflight import preflight
from palpo_installer.errors import HostError
from palpo_installer.operations.certificates import OrderCertificate
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.serving import Serving


def obstacles(serving: Serving) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what forbids the orders of a plan, and what else there is to know about them."""
    inputs, orders = serving.inputs, _orders(serving)
    if not orders:
        return (), ()
    try:
        directory = _directory(inputs)
    except HostError as error:
        return (str(error),), ()
    if serving.site.managed and directory.external_account_required:
        return (EXTERNAL.format(directory.url, serving.proxy.title),), ()
    names = {name.name: name for name in inputs.facts.names}
    account = store.account(inputs.host, inputs.layout, directory.url)
    found = [
        finding
        for order in orders
        if order.name in names
        for finding in preflight(names[order.name], inputs.facts.system, directory, account)
    ]
    blocking = tuple(f"{finding.text}. {finding.next}" for finding in found if finding.blocking)
    other = tuple(f"{finding.text}. {finding.next}" for finding in found if not finding.blocking)
    terms = directory.terms_of_service
    unseen = [UNSEEN.format(serving.proxy.title)] if serving.site.managed else []
    return blocking, (*other, *unseen, *([f"You agreed to the terms of service at {terms}"] if terms else []))


UNSEEN = (
    "The limits of the authority are guarded for the orders that palpo-installer lets {0} make; what {0} orders and "
    "renews at other times is not seen"
)
EXTERNAL = (
    "{} wants an account of its own behind every order (external account binding), which {} would need with its key in "
    "a file that all may read. Choose certificates.method = http-01 and certificates.eab_file"
)


def _orders(serving: Serving) -> list[OrderCertificate | OrderByProxy]:
    return [order for order in serving.certificates.due if isinstance(order, OrderCertificate | OrderByProxy)]


def _directory(inputs: Inputs) -> Directory:
    certificates = inputs.answers.certificates
    return fetch(certificates.directory, certificates.ca_file, certificates.proxy)
