"""The gates: what must be answered on the host's own sockets before a change counts as applied."""
