"""What can be wrong with a palpo.toml, and what comes of it."""

from __future__ import annotations

from palpo_installer.audit.finding import Severity, Trap

REFUSED = Trap("palpo-refuses", Severity.BREAKS, "Palpo does not start with it.")
UNKNOWN = Trap("palpo-unknown-key", Severity.WEAKENS, "Palpo ignores it and starts: what it should do is not done.")
DEAD = Trap("palpo-dead-key", Severity.KNOW, "Palpo reads it and does nothing with it.")
PUBLIC = Trap(
    "palpo-public-listener",
    Severity.WEAKENS,
    "Whoever reaches that port talks to Palpo in plain text, past the proxy: its closed paths and its limits.",
)
NAMELESS = Trap(
    "palpo-server-name",
    Severity.BREAKS,
    "The name stands in every account and room for ever. Palpo takes change.palpo.im where none is set, and refuses "
    "your.server.name.",
)
KEYLESS = Trap(
    "palpo-signing-key",
    Severity.BREAKS,
    "Palpo then makes up a new key at each start and keeps it nowhere: other servers stop believing it.",
)
SHARED_LIMITS = Trap(
    "palpo-shared-limits",
    Severity.BREAKS,
    "Palpo limits by the address it sees, which is the proxy's: all users share 5 logins and then one in 333 seconds.",
)
NO_CLIENT = Trap(
    "palpo-well-known-client",
    Severity.BREAKS,
    "Palpo then tells clients http://<server_name>, without TLS and on the wrong host.",
)
UNSAID = Trap(
    "palpo-well-known-unset",
    Severity.KNOW,
    "Palpo's own answers then name http://<server_name> and <server_name>:443. The proxy does not pass them on now.",
)
NO_SERVER = Trap(
    "palpo-well-known-server",
    Severity.KNOW,
    "Palpo then sends other servers to <server_name>:443, and with SRV records shadows them.",
)
STORAGE = Trap(
    "palpo-relative-storage",
    Severity.WEAKENS,
    "Media lie in the directory that Palpo was started in: started from another one, or in a new container, it has "
    "none.",
)
READABLE = Trap(
    "palpo-readable", Severity.WEAKENS, "It holds the password of the database and the key that Palpo signs with."
)
OPEN = Trap(
    "palpo-open-registration", Severity.WEAKENS, "Anybody can make accounts; open servers are found and used for spam."
)
UPLOADS = Trap(
    "palpo-upload-size",
    Severity.KNOW,
    "Clients are told so, and Palpo itself refuses bodies above 16 MiB whatever stands there.",
)
DATABASE_TLS = Trap(
    "palpo-database-tls", Severity.BREAKS, "Palpo speaks no TLS to PostgreSQL: it fails after its migrations."
)
DATABASE_AWAY = Trap(
    "palpo-database-remote",
    Severity.WEAKENS,
    "Palpo speaks no TLS to PostgreSQL: password and messages pass in plain text.",
)
