"""The throw-away hosts of the lab, for a rehearsal on one."""

from __future__ import annotations

from tests.lab.conftest import host, nginx

__all__ = ["host", "nginx"]
