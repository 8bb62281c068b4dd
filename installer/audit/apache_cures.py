"""What to do about each kind of finding, in the words of Apache."""

from __future__ import annotations

from palpo_installer.audit.passing import Cure

ONE_BY_ONE = (
    "ProxyPass /_matrix http://127.0.0.1:8008/_matrix nocanon",
    "ProxyPass /_palpo/client http://127.0.0.1:8008/_palpo/client nocanon",
)
MEDIA_NAME = (
    '<LocationMatch "^/_matrix/((client|federation)/v1/)?media(/|$)">',
    "    RequestHeader set Host SERVER-NAME",
    "    RequestHeader unset X-Forwarded-Host",
    "</LocationMatch>",
)
CURES = {
    "decoded-target": Cure("Pass the target on as it came.", ONE_BY_ONE[:1]),
    "rewritten-target": Cure("Let path and URL end alike, and leave rewriting to other paths.", ONE_BY_ONE[:1]),
    "encoded-slashes": Cure("Write inside the virtual host:", ("AllowEncodedSlashes NoDecode",)),
    "host-header": Cure("Pass it on as the client wrote it.", ("ProxyPreserveHost On",)),
    "forwarded-for": Cure("Take out what the client sent; mod_proxy then adds its address.", (
        "RequestHeader unset X-Forwarded-For early",
    )),
    "client-headers": Cure("Set the first and clear the others.", (
        "RequestHeader set X-Forwarded-Proto https",
        "RequestHeader unset X-Forwarded-Host early",
        "RequestHeader unset X-Real-IP early",
        "RequestHeader unset Forwarded early",
    )),
    "connection-strips": Cure("Take such names out of Connection.", (
        'RequestHeader edit* Connection "(?i)x-forwarded-[a-z]+" "x-drop" early',
    )),
    "doubled-cors": Cure("Remove the line, or keep it to paths that Apache answers itself."),
    "open-proxy": Cure("Switch it off in this virtual host; ProxyPass works without it.", ("ProxyRequests Off",)),
    "mod-security": Cure("Switch it off in this virtual host only.", ("SecRuleEngine Off",)),
    "certificate-unusable": Cure("Name one.", (
        "SSLCertificateFile /etc/letsencrypt/live/NAME/fullchain.pem",
        "SSLCertificateKeyFile /etc/letsencrypt/live/NAME/privkey.pem",
    )),
    "federation-port-missing": Cure("Open it, outside the virtual host.", ("Listen 8448",)),
    "federation-certificate": Cure("Give the server name a virtual host of its own there, with its certificate."),
    "media-host": Cure("Tell it the server name.", MEDIA_NAME),
    "media-forwarded-host": Cure("Let only the server name arrive.", MEDIA_NAME),
    "media-path-missing": Cure("Pass all three on, before /_matrix.", (
        "ProxyPass /_matrix/media http://127.0.0.1:8000/_matrix/media nocanon",
        "ProxyPass /_matrix/client/v1/media http://127.0.0.1:8000/_matrix/client/v1/media nocanon",
        "ProxyPass /_matrix/federation/v1/media http://127.0.0.1:8000/_matrix/federation/v1/media nocanon",
    )),
    "admin-exposed": Cure("Pass on what Matrix needs only.", ONE_BY_ONE),
    "admin-through-dots": Cure("Refuse what does not begin as it should before it is decoded.", (
        "RewriteEngine On",
        'RewriteCond %{THE_REQUEST} "!^[A-Z]+ /_(matrix|palpo/client)(/|\\\\?| )"',
        'RewriteRule "^/_(matrix|palpo)" - [R=404,L]',
    )),
    "everything-passed-on": Cure("Pass on what Matrix needs only.", ONE_BY_ONE),
    "segment-boundary": Cure("End the pattern at a slash.", ONE_BY_ONE[:1]),
    "read-timeout": Cure("Wait longer.", ("ProxyTimeout 300",)),
    "header-limit": Cure("Allow more.", ("LimitRequestFieldSize 32768", "LimitRequestLine 32768")),
    "http2-missing": Cure("Load mod_http2 (a2enmod http2) and switch it on.", ("Protocols h2 http/1.1",)),
    "unlimited-logins": Cure("Set Palpo's own limits again: Apache has none for each client.", (
        "[rc_login]", "per_second = 1.0", "burst = 50",
    )),
    "certificate-name": Cure("Order a certificate for it."),
}  # fmt: skip
