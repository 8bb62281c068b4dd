"""The outside view of the answers in force: what ``verify`` shows, and what a run reports when it is done."""

from __future__ import annotations

from pathlib import Path

from palpo_installer import matrix_site
from palpo_installer.answers import Answers, Method
from palpo_installer.certificates.authority import authority_files
from palpo_installer.facts.names import asking
from palpo_installer.host import Host
from palpo_installer.verify import Report, trusting, verify
from palpo_installer.verify.checks_certificate import installed_chains


def look(host: Host, answers: Answers, authority: Path | None = None) -> Report:
    """Return what clients and other servers see.

    Args:
        host: this machine.
        answers: the choices in force.
        authority: a PEM file of an authority to trust beside the system's, None for none.

    Raises:
        HostError: the authority's file cannot be used.
    """
    built = matrix_site.build(answers, host.layout)
    chains = installed_chains(answers, built, host.layout)
    local = authority_files(host.layout).chain
    if authority is None and answers.certificates.method is Method.SELF_SIGNED and host.status(local):
        authority = local
    return verify(answers, built, host, asking(host), trusting(authority), chains=chains)
