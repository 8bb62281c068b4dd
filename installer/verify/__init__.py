"""What clients and other servers see of a site: discovery, certificates, well-known answers, paths, federation."""

from __future__ import annotations

from palpo_installer.verify.outside import verify
from palpo_installer.verify.report import Report, describe
from palpo_installer.verify.trust import Trust, trusting

__all__ = ["Report", "Trust", "describe", "trusting", "verify"]
