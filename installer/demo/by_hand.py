"""Commands that show by hand what the demonstration says."""

from __future__ import annotations

from palpo_installer.certificates.authority import authority_files
from palpo_installer.layout import Layout


def tool(layout: Layout, words: str) -> str:
    """Return how palpo-installer is called for a made-up host."""
    return " ".join(("palpo-installer", *layout.arguments(), words))


def curl(layout: Layout, name: str, target: str, *options: str) -> str:
    """Return how a name is asked there over TLS, trusting the host's own authority."""
    port, authority = layout.https_port, authority_files(layout).chain
    there = f"--resolve {name}:{port}:127.0.0.1"
    return " ".join(("curl", *options, f"--cacert {authority}", there, f"https://{name}:{port}{target}"))
