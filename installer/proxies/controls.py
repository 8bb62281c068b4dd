"""The kinds of proxies that this version can set up, as programs that run."""

from __future__ import annotations

from collections.abc import Mapping

from palpo_installer.proxies.apache.control import ApacheControl
from palpo_installer.proxies.control import Control
from palpo_installer.proxies.nginx.control import NginxControl

CONTROLS: Mapping[str, Control] = {"nginx": NginxControl(), "apache": ApacheControl()}
"""By the word of the answer ``proxy.kind``."""


def control(kind: str) -> Control:
    """Return how a kind of proxy is controlled."""
    return CONTROLS[kind]
