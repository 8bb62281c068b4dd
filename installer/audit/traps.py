"""The traps that readers of several proxies find, in words that are true of each of them."""

from __future__ import annotations

from palpo_installer.audit.finding import Severity, Trap

FORGED = (
    "A homeserver or media repository that believes it takes the client's word for its address. Palpo reads none of "
    "these headers up to now; its logs, and what stands beside or comes after it, may."
)
SPOOFED = Trap("forwarded-for", Severity.WEAKENS, FORGED)
PASSED = Trap("client-headers", Severity.WEAKENS, FORGED)
HOST = Trap(
    "host-header",
    Severity.KNOW,
    "Palpo uses Host for nothing; a media repository chooses the server by it, and answers 502 to a name it does not "
    "have (measured).",
)
DOUBLED = Trap(
    "doubled-cors",
    Severity.BREAKS,
    "The homeserver sends this header itself. An answer that has it twice is refused by browsers, so no web client "
    "can log in (measured).",
)
REFUSED = "Other servers ask for a certificate of this name, and connect no further without one."
WRONG_NAME = Trap("federation-certificate", Severity.BREAKS, REFUSED)
NO_PORT = Trap(
    "federation-port-missing",
    Severity.BREAKS,
    "Other servers are led to that port and find nobody: nothing comes in from them.",
)
NOT_COVERED = Trap(
    "certificate-name", Severity.BREAKS, "Clients refuse a certificate that is not for the name they asked."
)
UNCHAINED = Trap(
    "certificate-chain",
    Severity.BREAKS,
    "Browsers often find the missing certificate by themselves; other servers do not, and refuse the connection.",
)
OUTDATED = Trap("certificate-expired", Severity.BREAKS, "Clients and other servers refuse it.")
ODD_KEY = Trap("certificate-key", Severity.BREAKS, "The proxy does not start with a key of another certificate.")
UNUSABLE = Trap("certificate-unusable", Severity.BREAKS, "The proxy does not start without it.")
ADMIN = Trap(
    "admin-exposed",
    Severity.WEAKENS,
    "Whoever gets hold of an administrator's token, or of the shared secret, can use it from anywhere. The manual of "
    "Palpo does not recommend it.",
)
EVERYTHING = Trap(
    "everything-passed-on",
    Severity.KNOW,
    "Palpo serves files from the directory `static` where it was started, its health checks, and a page of its own.",
)
BOUNDARY = Trap(
    "segment-boundary",
    Severity.WEAKENS,
    "A prefix or pattern without an end takes every path that begins alike: requests that are none of Matrix's reach "
    "the homeserver, and a path that is closed by name may be open under a longer one.",
)
HTTP2 = Trap("http2-missing", Severity.KNOW, "Clients open several connections where one would do.")
LOGINS = Trap(
    "unlimited-logins",
    Severity.WEAKENS,
    "Palpo's own limits are off in palpo.toml, and the proxy has none for logins: passwords can be tried at any rate.",
)
INVALID = Trap(
    "well-known-invalid",
    Severity.BREAKS,
    "Clients that find a document they cannot use refuse to log in (FAIL_PROMPT), and other servers go on to SRV "
    "records and port 8448 as if there were none.",
)
NO_CORS = Trap(
    "well-known-cors",
    Severity.BREAKS,
    "Browsers keep the answer from web clients, which then do not find the server.",
)
WRONG_TYPE = Trap(
    "well-known-type",
    Severity.WEAKENS,
    "Element X does not read what comes as text/plain or application/octet-stream, and says that calls are not set up.",
)
REDIRECTED = Trap(
    "well-known-redirect",
    Severity.WEAKENS,
    "Not every client follows it, and browsers do only where the redirect itself has the CORS header.",
)
BOGUS = Trap("well-known-bogus", Severity.KNOW, "Clients do not read it; other servers ask for another document.")
FORWARDING = Trap(
    "open-proxy",
    Severity.WEAKENS,
    "Anybody can send requests to other hosts through it, as if they came from here: those of the own network among "
    "them (mod_proxy, ProxyRequests).",
)
