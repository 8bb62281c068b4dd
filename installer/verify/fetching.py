"""Fetching a URL as another server does: over the network, with its certificate checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from palpo_installer.probe import Answer
from palpo_installer.verify.resolution import is_literal
from palpo_installer.verify.view import Contact, Endpoint, View

_HOST_NAME = re.compile(r"[0-9a-z_-]{1,63}(\.[0-9a-z_-]{1,63})*\.?")


@dataclass(frozen=True)
class Fetcher:
    """Fetches URLs; redirects are not followed.

    Attributes:
        contacts: the endpoints asked so far, whose doors are used again.
        only: an endpoint and the one of its addresses that is to be asked, whatever its certificate: that is
            looked at by a check of its own.
    """

    view: View
    contacts: Mapping[Endpoint, Contact]
    only: tuple[Endpoint, str] | None = None

    def __call__(self, url: str) -> Answer:
        """Return the answer of the first address that gives one; a URL that cannot be used is an answer too."""
        parts = urlsplit(url)
        endpoint = self._endpoint(parts)
        if endpoint is None:
            return Answer(problem="no usable URL")
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe="/?%:@!$&'()*+,;=~")
        last = Answer(problem="its name has no address")
        for address in self._addresses(endpoint):
            last = self._ask(endpoint, address, target)
            if last.status:
                break
        return last

    def _endpoint(self, parts: SplitResult) -> Endpoint | None:
        host = parts.hostname or ""
        name = f"[{host}]" if ":" in host else host
        if not (is_literal(name) or _HOST_NAME.fullmatch(name)) or parts.scheme not in {"https", "http"}:
            return None
        # The layout's ports stand for the usual ones, so that a private copy of a host can be looked at.
        layout, tls = self.view.layout, parts.scheme == "https"
        try:
            port = parts.port or (layout.https_port if tls else layout.http_port)
        except ValueError:
            return None
        known = self.view.endpoint(name, port)
        return known if known.tls == tls else Endpoint(name, port, tls=tls, ours=False)

    def _addresses(self, endpoint: Endpoint) -> tuple[str, ...]:
        if self.only and self.only[0] == endpoint:
            return (self.only[1],)
        known = self.contacts.get(endpoint)
        return known.doors if known and known.doors else self.view.addresses(endpoint.name)

    def _ask(self, endpoint: Endpoint, address: str, target: str) -> Answer:
        # A browser says where its script comes from; what it may read depends on the answer to that.
        answer = self.view.ask(endpoint.question(address, target, headers={"Origin": ORIGIN}))
        if not answer.status or not endpoint.tls or self.only == (endpoint, address):
            return answer
        objection = self.view.objection(endpoint, address)
        return Answer(problem=f"its certificate: {objection}") if objection else answer


ORIGIN = "https://client.example"
"""A web client of somebody else."""
