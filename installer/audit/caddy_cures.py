"""What to do about each kind of finding, in the words of Caddy."""

from __future__ import annotations

from palpo_installer.audit.passing import Cure

ONLY_MATRIX = (
    "@matrix {",
    "    path /_matrix/* /_palpo/client/*",
    r"    not vars_regexp {http.request.orig_uri} (?i)^[^?]*(/|%2f)(\.|%2e)(\.|%2e)(/|%2f|[?]|$)",
    "}",
    "reverse_proxy @matrix 127.0.0.1:8008",
)
DOCUMENT = (
    "handle /.well-known/matrix/client {",
    "    header Access-Control-Allow-Origin *",
    '    respond `{"m.homeserver":{"base_url":"https://HOST"}}`',
    "}",
)
CURES = {
    "decoded-target": Cure("Pass the target on as it came: take the line out."),
    "rewritten-target": Cure("Pass the target on as it came: take the line out, and write handle for handle_path."),
    "host-header": Cure("Take the line out: Caddy passes Host on as the client wrote it."),
    "forwarded-for": Cure("Trust no client, and set it to the address that Caddy sees.", (
        "header_up X-Forwarded-For {http.request.remote.host}",
    )),
    "client-headers": Cure("Take them out, in reverse_proxy.", ("header_up -X-Real-IP", "header_up -Forwarded")),
    "doubled-cors": Cure("Take the line out, or keep it to paths that Caddy answers itself."),
    "several-peers": Cure("Keep one: the address that Palpo listens on.", ("reverse_proxy @matrix 127.0.0.1:8008",)),
    "media-forwarded-host": Cure("Let only the server name arrive, in its reverse_proxy.", (
        "header_up Host SERVER-NAME",
        "header_up X-Forwarded-Host SERVER-NAME",
    )),
    "media-host": Cure("Tell it the server name, in its reverse_proxy.", (
        "header_up Host SERVER-NAME",
        "header_up X-Forwarded-Host SERVER-NAME",
    )),
    "media-path-missing": Cure("Send all three there.", (
        "@media path /_matrix/media/* /_matrix/client/v1/media/* /_matrix/federation/v1/media/*",
        "handle @media {",
        "    reverse_proxy 127.0.0.1:8000 {",
        "        header_up Host SERVER-NAME",
        "        header_up X-Forwarded-Host SERVER-NAME",
        "    }",
        "}",
    )),
    "path-missing": Cure("Pass on what Matrix needs.", ONLY_MATRIX),
    "empty-answer": Cure("Say that there is nothing.", ("respond 404",)),
    "certificate-internal": Cure("Take the line out: Caddy then orders one that is known everywhere."),
    "password-asked": Cure("Keep it to other paths, by a matcher."),
    "compressed-answers": Cure("Keep it to other paths, by a matcher."),
    "upload-limit": Cure("Set it to what Palpo takes.", ("request_body {", "    max_size 16MiB", "}")),
    "admin-exposed": Cure("Pass on what Matrix needs only.", ONLY_MATRIX),
    "admin-through-dots": Cure("Look at the target as it came, too.", ONLY_MATRIX),
    "everything-passed-on": Cure("Pass on what Matrix needs only.", ONLY_MATRIX),
    "segment-boundary": Cure("End it at a slash.", ONLY_MATRIX),
    "read-timeout": Cure("Wait longer, in the transport of reverse_proxy:", ("response_header_timeout 300s",)),
    "header-limit": Cure("Take the line out: Caddy's own limit is 1 MB."),
    "http2-missing": Cure("Take the line out: Caddy offers HTTP/2 by itself."),
    "unlimited-logins": Cure("Set Palpo's own limits again: Caddy has none.", (
        "[rc_login]", "per_second = 1.0", "burst = 50",
    )),
    "federation-certificate": Cure("Give the server name a site there; Caddy then orders its certificate.", (
        "SERVER-NAME:8448 {",
        "    import matrix",
        "}",
    )),
    "certificate-name": Cure("Order a certificate for it, or take the tls line out: Caddy then orders one."),
    "certificate-unusable": Cure("Correct it, or take the tls line out: Caddy then orders one."),
    "well-known-cors": Cure("Add it beside the answer.", DOCUMENT),
    "well-known-invalid": Cure("Answer with the host that clients use.", DOCUMENT),
    "well-known-redirect": Cure("Answer there.", DOCUMENT),
    "well-known-bogus": Cure("Take it out of the document for clients.", DOCUMENT),
    "well-known-type": Cure("Say what it is.", ("header Content-Type application/json",)),
}  # fmt: skip
