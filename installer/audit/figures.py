"""Figures of Matrix and of Palpo that configurations of every proxy are compared with."""

from __future__ import annotations

USUAL = 8448
"""Where other servers connect to when nothing else is said (server-server API)."""

BODY = 16 * 1024 * 1024
"""Bytes that Palpo itself takes (``hoops.rs``)."""

JOIN = 120.0
"""Seconds that joining a room may wait for other servers (Palpo, ``sending.rs``)."""

IDLE = 30.0
"""Seconds after which Palpo closes idle connections (Salvo's header_read_timeout)."""
