"""The site that would be installed, served by the real proxy on loopback for a moment, and probed.

Nothing of the host is used but the program, and nothing on the host is changed: configuration, certificates,
sockets and the homeserver behind it are private and gone afterwards.
"""

from __future__ import annotations

from palpo_installer.rehearsal.rehearsing import rehearse

__all__ = ["rehearse"]
