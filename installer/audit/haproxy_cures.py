"""What to do about each kind of finding, in the words of HAProxy."""

from __future__ import annotations

from palpo_installer.audit.passing import Cure

ONLY_MATRIX = (
    "acl matrix path_reg ^/(_matrix|_palpo/client)(/|$)",
    "http-request return status 404 unless matrix",
)
CURES = {
    "tcp-mode": Cure("Write in the front end and in the back end:", ("mode http",)),
    "host-with-port": Cure("Compare without it.", ("acl client hdr(host),host_only -i matrix.example.com",)),
    "bind-twice": Cure("Let one of them bind the port, and choose by name there."),
    "mapped-address": Cure("Bind each family by itself.", ("bind *:443,[::]:443 ssl crt PEM alpn h2,http/1.1",)),
    "decoded-target": Cure("Pass the target on as it came: take the line out."),
    "rewritten-target": Cure("Pass the target on as it came: take the line out."),
    "several-peers": Cure("Keep one server: the address that Palpo listens on.", ("server palpo 127.0.0.1:8008",)),
    "forwarded-for": Cure("Set it to the address that HAProxy sees.", (
        "http-request set-header X-Forwarded-For %[src]",
    )),
    "client-headers": Cure("Set the first and take out the others.", (
        "http-request set-header X-Forwarded-Proto https",
        "http-request del-header X-Forwarded-Host",
        "http-request del-header X-Real-IP",
        "http-request del-header Forwarded",
    )),
    "media-host": Cure("Tell it the server name, in its back end:", (
        "http-request set-header Host SERVER-NAME",
        "http-request del-header X-Forwarded-Host",
    )),
    "media-forwarded-host": Cure("Let only the server name arrive, in its back end:", (
        "http-request set-header X-Forwarded-Host SERVER-NAME",
    )),
    "media-path-missing": Cure("Send all three there, before the homeserver's line.", (
        "use_backend media if { path_reg ^/_matrix/((client|federation)/v1/)?media(/|$) }",
    )),
    "doubled-cors": Cure("Remove the line."),
    "admin-exposed": Cure("Pass on what Matrix needs only.", ONLY_MATRIX),
    "admin-through-dots": Cure("Refuse dots and escaped slashes in front of the known paths.", (
        "http-request return status 404 if { path_sub -i /.. /%2e . ..%2f %2f.. }",
    )),
    "everything-passed-on": Cure("Pass on what Matrix needs only.", ONLY_MATRIX),
    "segment-boundary": Cure("End it at a slash.", ONLY_MATRIX[:1]),
    "read-timeout": Cure("Wait longer, in the back end:", ("timeout server 300s",)),
    "header-limit": Cure("Make more room, in global:", ("tune.bufsize 65536", "tune.maxrewrite 8192")),
    "http2-missing": Cure("Offer it on the bind line.", ("bind *:443,[::]:443 ssl crt PEM alpn h2,http/1.1",)),
    "unlimited-logins": Cure("Limit them for each client address.", (
        "stick-table type ipv6 size 100k expire 1m store http_req_rate(1m)",
        "http-request track-sc0 src if { path_reg ^/_matrix/client/[^/]+/login/?$ } METH_POST",
        "http-request deny deny_status 429 if { sc_http_req_rate(0) gt 10 }",
    )),
    "federation-certificate": Cure("Put the certificate of the server name beside the other one: crt takes both."),
    "certificate-name": Cure("Order a certificate for it."),
}  # fmt: skip
