"""Nothing that was measured is left out: each trap has a rule, or a reason why it has none."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from palpo_installer import audit
from palpo_installer.audit.finding import Trap
from palpo_installer.audit.nginx import RULES as NGINX_RULES
from palpo_installer.audit.palpo_rules import RULES as PALPO_RULES
from palpo_installer.media import checking
from tests.audit import test_nginx_rules, test_palpo_rules, test_passing_rules
from tests.media import test_checking

TRAPS = {
    "proxy_pass with a path or a slash behind the name": "decoded-target",
    "proxy_pass with $uri": "decoded-target",
    "rewrite … break before proxy_pass": "rewritten-target",
    "proxy_pass to localhost: two peers, 502 after one slow request": "several-peers",
    "an upstream block with several addresses": "several-peers",
    "localhost on a host that has one address for it now": "localhost",
    "proxy_pass to a unix socket: Palpo listens on TCP only": "unix-socket",
    "/_matrixfoo and /_palpo/clientfoo are passed on": "segment-boundary",
    "an idle long poll is cut at 60 seconds": "read-timeout",
    "uploads over 1 MiB get 413": "upload-limit",
    "a URI or header over 8 KiB gets 414 or 400": "header-limit",
    "Host is rewritten, or is the upstream's": "host-header",
    "X-Forwarded-For is appended to, or passed through": "forwarded-for",
    "X-Forwarded-Proto, X-Forwarded-Host, X-Real-IP, Forwarded pass through": "client-headers",
    "Access-Control-Allow-Origin twice on proxied answers": "doubled-cors",
    "HTTP/2 is not offered": "http2-missing",
    "listen … http2 warns from 1.25.1 on": "http2-deprecated",
    "http2 on; before 1.25.1": "http2-unknown",
    "connections to Palpo kept longer than its 30 seconds": "kept-connections",
    "Palpo's limits off and none in the proxy": "unlimited-logins",
    "well-known is no JSON, or says nothing usable": "well-known-invalid",
    "well-known for clients without CORS": "well-known-cors",
    "well-known as text/plain or octet-stream": "well-known-type",
    "add_header Content-Type makes a second one": "well-known-two-types",
    "well-known behind a redirect": "well-known-redirect",
    "well-known on another host than the server name": "well-known-misplaced",
    "m.server in the client document": "well-known-bogus",
    "m.server without a port, and nothing on 8448": "well-known-portless",
    "a well-known document, or Palpo's own, shadows SRV": "well-known-shadows-srv",
    "/_palpo/admin, /_synapse/admin and mas can be reached": "admin-exposed",
    "the same through .. and %2f": "admin-through-dots",
    "metrics, health and static files reach Palpo": "everything-passed-on",
    "merge_slashes off beside closed paths": "merge-slashes-off",
    "default_server on 8448": "federation-default-server",
    "8448 with the client host's certificate": "federation-certificate",
    "nothing listens on 8448 where others are led to it": "federation-port-missing",
    "8448 on one address family": "federation-one-family",
    "a certificate for another name": "certificate-name",
    "a leaf without its chain": "certificate-chain",
    "an expired certificate": "certificate-expired",
    "a key of another certificate": "certificate-key",
    "a certificate that is missing or none": "certificate-unusable",
    "a redirect of the whole server swallows the challenge": "challenge-swallowed",
    "no [keypair]": "palpo-signing-key",
    "rate limits by the proxy's address": "palpo-shared-limits",
    "listen_addr, or no [[listeners]]: 0.0.0.0:8008": "palpo-public-listener",
    "a key that Palpo ignores, such as bind_addresses or [tls]": "palpo-unknown-key",
    "a key without effect, such as x_forwarded": "palpo-dead-key",
    "a value that Palpo refuses": "palpo-refuses",
    "a file that is no TOML": "palpo-broken-file",
    "server_name missing or an example's": "palpo-server-name",
    "well_known.client unset, and passed on": "palpo-well-known-client",
    "well_known unset": "palpo-well-known-unset",
    "well_known.server unset": "palpo-well-known-server",
    "storage relative to the working directory": "palpo-relative-storage",
    "palpo.toml readable by everybody": "palpo-readable",
    "registration open without a token": "palpo-open-registration",
    "max_upload_size over what Palpo takes": "palpo-upload-size",
    "db.enforce_tls": "palpo-database-tls",
    "a database on another host, without TLS": "palpo-database-remote",
    "ExecReload=kill -HUP ends Palpo": "palpo-reload-kills",
    "WatchdogSec ends Palpo": "palpo-watchdog",
    "Apache: AllowEncodedSlashes outside the virtual host": "encoded-slashes",
    "Apache: Connection strips headers that were set": "connection-strips",
    "Apache: mod_security": "mod-security",
    "Apache: ProxyRequests on": "open-proxy",
    "Apache, Caddy: X-Forwarded-Host of their own at a media repository": "media-forwarded-host",
    "the client host as Host at a media repository": "media-host",
    "a family of paths that does not lead to the media repository": "media-path-missing",
    "Caddy: handle_path, uri and rewrite change the target": "rewritten-target",
    "Caddy: a family of paths is not passed on, or something comes first": "path-missing",
    "Caddy: an empty 200 for what nobody answers": "empty-answer",
    "Caddy: tls internal": "certificate-internal",
    "Caddy: a password in front of Matrix": "password-asked",
    "Caddy: encode on what is passed on": "compressed-answers",
    "Caddy: max_size below what Palpo takes": "upload-limit",
    "HAProxy: no mode http": "tcp-mode",
    "HAProxy: Host with its port does not fit": "host-with-port",
    "HAProxy: two front ends on one bind": "bind-twice",
    "HAProxy: v4v6 shows mapped addresses": "mapped-address",
    "a media repository that serves the client host instead of the server name": "media-name",
    "a media repository that asks itself who somebody is": "media-loop",
    "a media repository that asks at a wrong port, or at the base domain": "media-homeserver",
    "a media repository that asks through the proxy": "media-roundabout",
    "a media repository without a signing key": "media-signing-key",
    "a media repository that can be reached without the proxy": "media-exposed",
    "a media repository on another port than the proxy asks": "media-address",
    "a media repository that remembers tokens that were logged out": "media-token-cache",
    "a media repository with another limit than the proxy": "media-upload-limit",
}
"""By trap of the measurements, the rule that names it."""

LEFT_OUT = {
    "a reload that returns 0 and changes nothing": "an act, not a configuration: apply proves what is served",
    "GET /_matrix/federation/v1/version is refused by Palpo": "no configuration cures it; verify says so",
    "Palpo finds no SRV records of others": "a defect of Palpo without a cure here",
    "environment variables that beat palpo.toml": "they are seen in a running process only",
    "the storage of containers": "needs the mounts of the container runtime",
    "Traefik, relayd": "named as not read by this version",
    "Apache decodes and merges the prefix of a path": "only where no Matrix path begins; the rest arrives as it came",
    "Apache's LimitRequestBody": "it does not count as its manual says; Palpo refuses larger ones",
    "HAProxy: deny comes before use_backend": "an order, which the paths that are asked for show",
    "Apache, HAProxy: a certificate that is in no file": "those of mod_md and of crt-store are not read",
    "cached well-known answers": "what others remember cannot be read here",
    "CDN in front of 8448, CAA, AAAA to another host": "names are asked by verify",
}
"""Traps without a rule, and why."""


def defined() -> dict[str, Trap]:
    """Return every kind of finding that the audit has."""
    modules = [
        importlib.import_module(f"{audit.__name__}.{each.name}") for each in pkgutil.iter_modules(audit.__path__)
    ]
    modules.append(checking)
    return {value.rule: value for module in modules for value in vars(module).values() if isinstance(value, Trap)}


def test_every_trap_has_a_rule_and_every_rule_a_trap() -> None:
    """Neither side has one that the other has not."""
    assert set(TRAPS.values()) == set(defined())
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("rule", [*NGINX_RULES, *PALPO_RULES], ids=lambda rule: rule.__name__)
def test_every_rule_says_what_it_is_from(rule: object) -> None:
    """Its docstring names the source; what is a convention of files says what it is."""
    text = rule.__doc__ or ""
    assert "Source:" in text or rule.__name__ == "permissions"  # type: ignore[attr-defined]


def test_every_trap_is_tried() -> None:
    """By a test that brings it into a configuration without one."""
    passed = {rule for rule, *_ in test_passing_rules.CASES.values()}
    media = {rule for _, rule, *_ in test_checking.TRAPS.values()}
    tried = {*test_nginx_rules.CASES, *test_palpo_rules.CASES, *media, *passed, *BY_NAME}
    assert set(defined()) - tried == set()


BY_NAME = {
    "localhost",
    "http2-deprecated",
    "unlimited-logins",
    "well-known-misplaced",
    "well-known-shadows-srv",
    "federation-certificate",
    "certificate-chain",
    "certificate-expired",
    "certificate-key",
    "media-address",
    "palpo-well-known-client",
    "palpo-readable",
    "palpo-reload-kills",
    "palpo-watchdog",
}
"""Those that have a test of their own."""
