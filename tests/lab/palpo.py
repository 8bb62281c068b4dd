"""A stand-in for Palpo, which cannot be had here: ``python palpo.py --config palpo.toml [--record FILE]``.

It reads palpo.toml, ends and answers as Palpo 0.4.0 does, as far as a reverse proxy, an installer or another
server without an account can tell. It has no database and no rooms: any access token is taken, no password and
no X-Matrix signature is right. It shares no code with the installer, whose work it judges.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import ipaddress
import json
import os
import re
import secrets
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit

import tomlkit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from tomlkit.exceptions import TOMLKitError

VERSION = "0.4.0"
SEARCHED = ("palpo.toml", "/etc/palpo/palpo.toml", "/var/palpo/palpo.toml")
SCHEMAS = (
    Path(__file__).with_name("palpo.schema.json"),
    Path(__file__).resolve().parents[2] / "installer" / "homeserver" / "palpo.schema.json",
)
SPECIFICATIONS = ("r0.5.0", "r0.6.0", *(f"v1.{minor}" for minor in range(1, 13)))
BODY_LIMIT = 16 * 1024 * 1024
MULTIPART_LIMIT = 1024 * 1024 * 1024
LONGEST_POLL = 30.0
LIMITERS = {"login": "rc_login", "register": "rc_registration", "password": "rc_password"}

# ----- the configuration ---------------------------------------------------------------------------------


def say(line: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{line}\n")


def panic(message: str) -> NoReturn:
    """End as a Rust panic does."""
    say(f"thread 'main' panicked at palpo:\n{message}")
    raise SystemExit(101)


def invalid(message: str) -> NoReturn:
    """End as Palpo does where the file has a value of a wrong form."""
    say(f"it looks like your config is invalid. The following error occurred: {message}")
    raise SystemExit(1)


class Mismatch(Exception):
    """A value is not of the form that Palpo's configuration has at its place."""


def load(path: Path) -> dict[str, Any]:
    """Return what a palpo.toml says; ends the program where Palpo would."""
    if not path.exists():
        panic(f"config file not found: `{path}`")
    if path.suffix != ".toml":
        panic(f"unsupported config file format: {path.suffix[1:]}")
    schema = json.loads(next(file for file in SCHEMAS if file.exists()).read_text(encoding="utf-8"))
    try:
        file: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
        unknown = list(fit(schema, file, ""))
    except (TOMLKitError, UnicodeDecodeError, Mismatch) as error:
        invalid(f"{error} in {path} TOML file")
    for key in unknown:
        say(f"WARNING: unknown configuration key `{key}` in `{path}`; this key is ignored")
    for key, limits in schema["properties"].items():
        if key in LIMITERS.values():
            file.setdefault(key, limits["default"])
    check(file)
    return file


def fit(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    """Yield the unknown keys in a value, as serde would ignore them; raise Mismatch for what it would not take."""
    if "oneOf" in schema:
        yield from fit(alternative(schema["oneOf"], value, path), value, path)
        return
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int,),
        "number": (int, float),
        "array": (list,),
        "object": (dict,),
    }
    wanted = schema.get("type", "")
    if wanted and (not isinstance(value, types[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        raise Mismatch(f'invalid type: found {type(value).__name__}, expected {wanted} for key "{path}"')
    if wanted == "integer" and not schema.get("minimum", -(2**63)) <= value <= schema.get("maximum", 2**63 - 1):
        raise Mismatch(f'invalid value: integer `{value}` out of range for key "{path}"')
    if wanted == "string" and "A-Za-z0-9.-" in schema.get("pattern", "") and not re.search(schema["pattern"], value):
        raise Mismatch(f'server name is not valid for key "{path}"')
    for number, item in enumerate(value if wanted == "array" else ()):
        yield from fit(schema.get("items", {}), item, f"{path}.{number}")
    if wanted == "object":
        yield from fit_table(schema, value, f"{path}." if path else "")


def fit_table(schema: dict[str, Any], value: dict[str, Any], prefix: str) -> Iterator[str]:
    """Do the same for the keys of a table."""
    for name in schema.get("required", ()):
        if name not in value:
            raise Mismatch(f"missing field `{prefix}{name}`")
    others = schema.get("additionalProperties")
    for name, item in value.items():
        inner = schema.get("properties", {}).get(name, others)
        if isinstance(inner, dict):
            yield from fit(inner, item, f"{prefix}{name}")
        else:
            yield f"{prefix}{name}"


def alternative(branches: list[dict[str, Any]], value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the variant of an enum that a value is meant for."""
    for branch in branches:
        kind = branch.get("properties", {}).get("backend", {}).get("const")
        chosen = isinstance(value, dict) and (
            value.get("backend") == kind if kind else all(name in value for name in branch.get("required", ()))
        )
        if chosen or ("const" in branch and branch["const"] == value):
            return branch
    raise Mismatch(f'unknown variant for key "{path}"')


def check(file: dict[str, Any]) -> None:
    """Refuse what Palpo's ``check()`` refuses, and what it cannot go on with."""
    jwt = file.get("jwt", {"enable": False})
    presence = file.get("presence", {})
    origins = file.get("allowed_origins", [])
    refusals = {
        "allow_invalid_tls_certificates=true is refused in release builds": file.get("allow_invalid_tls_certificates")
        and os.environ.get("PALPO_ALLOW_INSECURE_TLS") != "1",
        "jwt.validate_signature=false is refused in release builds": jwt.get("enable", True)
        and not jwt.get("validate_signature", True)
        and os.environ.get("PALPO_ALLOW_UNSIGNED_JWT") != "1",
        "You must specify a valid server name for production usage of palpo.": file.get("server_name")
        == "your.server.name",
        "The emergency password is not valid": file.get("emergency_password") in {"", "F670$2CP@Hw8mG7RY1$%!#Ic7YA"},
        'Registration token was specified but is empty ("")': file.get("registration_token") == "",
        "Invalid CORS origin in allowed_origins": any(not origin or origin == "*" for origin in origins),
        "Parsing specified IP CIDR range from string failed": not all(map(is_range, file.get("ip_range_denylist", []))),
        "Outgoing presence requires allowing local presence": presence.get("allow_outgoing", True)
        and not presence.get("allow_local", True),
        "db.url: relative URL without a base": not urlsplit(file.get("db", {}).get("url", "")).scheme,
    }
    for message, refused in refusals.items():
        if refused:
            panic(message)


def is_range(text: str) -> bool:
    """Return whether a text is a range of IP addresses."""
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


# ----- what it answers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request: its target as it stood in the request line, byte for byte, and the length of its body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    length: int
    peer: str

    @property
    def path(self) -> str:
        """The path, with its escapes."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters, decoded."""
        return parse_qs(self.target.partition("?")[2])

    def header(self, name: str) -> str:
        """Return the first value of a header, empty for none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def has_token(self) -> bool:
        """Whether it comes with an access token."""
        return self.header("authorization").startswith("Bearer ") or "access_token" in self.query


@dataclass(frozen=True)
class Response:
    """A response."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


def answer(document: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    """Return a JSON response."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(status, body, (("content-type", "application/json"), *headers))


def error(status: int, errcode: str, sentence: str) -> Response:
    """Return a Matrix error."""
    return answer({"errcode": errcode, "error": sentence}, status)


def canonical(document: object) -> bytes:
    """Return canonical JSON (Matrix spec, appendices)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpadded(data: bytes) -> str:
    """Return unpadded base64 (Matrix spec, appendices)."""
    return base64.b64encode(data).decode().rstrip("=")


Handler = Callable[["Homeserver", Request], Response]


@dataclass(frozen=True)
class Route:
    """A path with the methods that are served there; ``{}`` stands for one segment, ``{*}`` for the rest."""

    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    handler: Handler


def route(methods: str, path: str, handler: Handler) -> Route:
    """Return a route."""
    pattern = re.escape(path).replace(r"\{\*\}", ".*").replace(r"\{\}", "[^/]+").replace("@", "(?:v3|v1|r0)")
    return Route(re.compile(pattern), tuple(methods.split()), handler)


@dataclass
class Bucket:
    """A token bucket for one peer."""

    tokens: float
    filled: float = field(default_factory=time.monotonic)


class Homeserver:
    """Palpo as far as it can be seen from outside."""

    def __init__(self, file: dict[str, Any]) -> None:
        self.file = file
        self.server_name: str = file.get("server_name", "change.palpo.im")
        self.key, self.key_version = signing_key(file.get("keypair"))
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.lock = threading.Lock()

    def respond(self, request: Request) -> Response:
        """Return the response to a request, with the headers that every response has."""
        response = self.routed(request)
        allowed: list[str] = self.file.get("allowed_origins", [])
        origin = request.header("origin") if allowed else "*"
        headers = [("vary", "origin, access-control-request-method, access-control-request-headers")]
        if not allowed or origin in allowed:
            headers.append(("access-control-allow-origin", origin))
        return Response(response.status, response.body, (*response.headers, *headers))

    def routed(self, request: Request) -> Response:
        """Return the response of the route that a request leads to."""
        if request.method == "OPTIONS":
            methods = ("access-control-allow-methods", "GET,POST,PUT,DELETE,OPTIONS")
            names = ("access-control-allow-headers", "accept,content-type,authorization,range")
            return Response(204, b"", (methods, names, ("access-control-max-age", "86400")))
        multipart = request.header("content-type").lower().startswith("multipart/")
        if request.length > (MULTIPART_LIMIT if multipart else BODY_LIMIT):
            return error(413, "M_TOO_LARGE", "Payload Too Large")
        known = [route for route in ROUTES if route.pattern.fullmatch(request.path)]
        for candidate in known:
            if request.method in candidate.methods or "*" in candidate.methods:
                return candidate.handler(self, request)
        # Files of ./static answer GET on every other path; there are none.
        if request.method == "HEAD" or (known and request.method != "GET"):
            return error(405, "M_UNRECOGNIZED", "method not allowed")
        return error(404, "M_UNRECOGNIZED", "Not Found")

    def limited(self, name: str, request: Request) -> Response | None:
        """Return the refusal where a peer, which may be a proxy with all its clients, asks too often."""
        rate, burst = (self.file[LIMITERS[name]][key] for key in ("per_second", "burst"))
        if rate <= 0 or burst == 0:
            return None
        with self.lock:
            bucket = self.buckets.setdefault((name, request.peer), Bucket(burst))
            now = time.monotonic()
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled) * rate)
            bucket.filled = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return None
        document = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests", "retry_after_ms": int(1000 / rate)}
        return answer(document, 429)

    def signed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document signed (Matrix spec, appendices, "Signing JSON")."""
        signature = unpadded(self.key.sign(canonical(document)))
        return {**document, "signatures": {self.server_name: {f"ed25519:{self.key_version}": signature}}}


def signing_key(keypair: dict[str, str] | None) -> tuple[Ed25519PrivateKey, str]:
    """Return the key and its version; without one in the file a new one at each start."""
    if keypair is None:
        return Ed25519PrivateKey.generate(), secrets.token_hex(4)
    try:
        key = load_der_private_key(base64.b64decode(keypair["document"], validate=True), None)
    except binascii.Error:
        panic("server keypair is invalid base64 string")
    except ValueError:
        panic("invalid server Ed25519KeyPair")
    if not isinstance(key, Ed25519PrivateKey):
        panic("invalid server Ed25519KeyPair")
    return key, keypair["version"]


# ----- the handlers --------------------------------------------------------------------------------------


def plain(text: str, kind: str = "text/plain") -> Handler:
    """Return a handler that answers with a fixed text."""
    return lambda _homeserver, _request: Response(200, text.encode(), (("content-type", f"{kind}; charset=utf-8"),))


def versions(_homeserver: Homeserver, _request: Request) -> Response:
    """Answer with the specifications, and in MSC4383's form who this is."""
    server = {"name": "Palpo", "version": VERSION}
    features = {"org.matrix.simplified_msc3575": True}
    return answer({"versions": SPECIFICATIONS, "unstable_features": features, "net.zemos.msc4383.server": server})


def server_keys(homeserver: Homeserver, _request: Request) -> Response:
    """Answer with the public key, valid for a week, signed by itself."""
    public = unpadded(homeserver.key.public_key().public_bytes_raw())
    document = {
        "server_name": homeserver.server_name,
        "valid_until_ts": int((time.time() + 7 * 86400) * 1000),
        "verify_keys": {f"ed25519:{homeserver.key_version}": {"key": public}},
        "old_verify_keys": {},
    }
    return answer(homeserver.signed(document))


def well_known_client(homeserver: Homeserver, _request: Request) -> Response:
    """Answer with ``well_known.client`` as it stands."""
    listeners = homeserver.file.get("listeners", [{}])
    plain_http = bool(listeners) and not speaks_tls(listeners[0])
    guessed = f"{'http' if plain_http else 'https'}://{homeserver.server_name}"
    url = homeserver.file.get("well_known", {}).get("client", guessed)
    return answer({"m.homeserver": {"base_url": url}}, 200, ("cache-control", "public, max-age=3600"))


def well_known_server(homeserver: Homeserver, _request: Request) -> Response:
    """Answer with ``well_known.server`` as it stands."""
    name = homeserver.server_name
    guessed = name if re.search(r":[0-9]+$", name) else f"{name}:443"
    server = homeserver.file.get("well_known", {}).get("server", guessed)
    return answer({"m.server": server}, 200, ("cache-control", "public, max-age=3600"))


def well_known_support(homeserver: Homeserver, _request: Request) -> Response:
    """Answer with the one contact and the page."""
    known: dict[str, str] = homeserver.file.get("well_known", {})
    page, role = known.get("support_page"), known.get("support_role")
    ways = {"email_address": known.get("support_email"), "matrix_id": known.get("support_mxid")}
    reached = {name: value for name, value in ways.items() if value}
    if not (page or role) or (role and not reached):
        return error(404, "M_NOT_FOUND", "Not found.")
    contacts = {"contacts": [{"role": role, **reached}]} if role else {}
    return answer({**contacts, **({"support_page": page} if page else {})})


def policy_server(homeserver: Homeserver, _request: Request) -> Response:
    """Answer with the key that signs for the policy server."""
    return answer({"public_keys": {"ed25519": unpadded(homeserver.key.public_key().public_bytes_raw())}})


def login(homeserver: Homeserver, request: Request) -> Response:
    """Answer with the ways to log in, or that the password is wrong."""
    if refusal := homeserver.limited("login", request):
        return refusal
    if request.method == "GET":
        return answer({"flows": [{"type": "m.login.password"}]})
    return error(403, "M_FORBIDDEN", "Wrong username or password.")


def register(homeserver: Homeserver, request: Request) -> Response:
    """Answer that registration is closed, or with the stage that it begins with."""
    if refusal := homeserver.limited("register", request):
        return refusal
    token = "registration_token" in homeserver.file
    if not token and not homeserver.file.get("allow_registration", False):
        return error(403, "M_FORBIDDEN", "Registration has been disabled.")
    stage = "m.login.registration_token" if token else "m.login.dummy"
    return answer({"flows": [{"stages": [stage]}], "params": {}, "session": secrets.token_urlsafe(16)}, 401)


def password(homeserver: Homeserver, request: Request) -> Response:
    """Answer that changing a password needs a token."""
    return homeserver.limited("password", request) or needing_token({})(homeserver, request)


def needing_token(document: dict[str, Any], sentence: str = "Missing access token.") -> Handler:
    """Return a handler that answers with a document to whoever has an access token."""

    def handler(_homeserver: Homeserver, request: Request) -> Response:
        return answer(document) if request.has_token else error(401, "M_MISSING_TOKEN", sentence)

    return handler


def whoami(homeserver: Homeserver, request: Request) -> Response:
    """Say who somebody is, to whom a media repository believes."""
    user = f"@somebody:{homeserver.server_name}"
    return needing_token({"user_id": user, "device_id": "DEVICE", "is_guest": False})(homeserver, request)


def sync(_homeserver: Homeserver, request: Request) -> Response:
    """Answer when ``timeout`` milliseconds are over, at most thirty seconds: nothing ever happens here."""
    if not request.has_token:
        return error(401, "M_MISSING_TOKEN", "Missing access token.")
    waiting = request.query.get("timeout", ["0"])[0]
    time.sleep(min(int(waiting) / 1000, LONGEST_POLL) if waiting.isdecimal() else 0)
    return answer({"next_batch": "1"})


def upload(homeserver: Homeserver, request: Request) -> Response:
    """Take a file."""
    uri = f"mxc://{homeserver.server_name}/{secrets.token_hex(12)}"
    return needing_token({"content_uri": uri})(homeserver, request)


def media_config(homeserver: Homeserver, request: Request) -> Response:
    """Answer with the size that the file promises, whatever is really taken."""
    size = homeserver.file.get("max_upload_size", 100 * 1024 * 1024)
    return needing_token({"m.upload.size": size})(homeserver, request)


def not_there(_homeserver: Homeserver, _request: Request) -> Response:
    """Answer that there is no such room or user."""
    return error(404, "M_NOT_FOUND", "Not found.")


def federation(homeserver: Homeserver, request: Request) -> Response:
    """Answer that the request is not signed, or not rightly."""
    if not homeserver.file.get("federation", {}).get("enable", True):
        return error(403, "M_FORBIDDEN", "Federation is disabled.")
    if not request.header("authorization").startswith("X-Matrix "):
        return error(401, "M_UNAUTHORIZED", "Missing or invalid authorization header")
    return error(403, "M_FORBIDDEN", "Failed to verify X-Matrix signatures.")


admin = needing_token({"reached": "the admin API"}, "Missing access token: this is the admin API.")

CLIENT = (
    "GET capabilities|GET joined_rooms|GET POST DELETE devices|GET PUT DELETE devices/{}"
    "|POST createRoom|POST join/{}|POST knock/{}|POST search|POST keys/upload|POST keys/query|POST keys/claim"
    "|GET PUT DELETE room_keys/keys/{}/{}|GET pushrules/|GET PUT DELETE pushrules/{}/{}/{}|PUT sendToDevice/{}/{}"
    "|PUT rooms/{}/send/{}/{}|GET PUT rooms/{}/state/{}/{}|GET rooms/{}/state|GET rooms/{}/messages"
    "|GET rooms/{}/event/{}|POST rooms/{}/join|POST rooms/{}/leave|POST rooms/{}/receipt/{}/{}"
    "|POST user/{}/filter|GET PUT user/{}/account_data/{}|GET voip/turnServer|POST logout"
    "|GET media/download/{}/{}|GET media/thumbnail/{}/{}"
)
FEDERATION = (
    "GET event/{}|GET state/{}|GET state_ids/{}|GET backfill/{}|POST get_missing_events/{}|GET event_auth/{}/{}"
    "|PUT send/{}|GET make_join/{}/{}|PUT send_join/{}/{}|GET make_leave/{}/{}|PUT send_leave/{}/{}"
    "|GET make_knock/{}/{}|PUT send_knock/{}/{}|PUT invite/{}/{}|GET hierarchy/{}|GET timestamp_to_event/{}"
    "|GET query/{}|GET POST publicRooms|GET user/devices/{}|POST user/keys/claim|POST user/keys/query"
    "|GET openid/userinfo|GET media/download/{}|GET media/thumbnail/{}|POST version"
)


def listed(prefix: str, routes: str, handler: Handler) -> Iterator[Route]:
    """Yield the routes of a list below a prefix."""
    for entry in routes.split("|"):
        methods, _, path = entry.rpartition(" ")
        yield route(methods, f"{prefix}/{path}", handler)


ROUTES = (
    route("GET", "/", plain("Palpo works", "text/html")),
    route("GET", "/health", plain("ok")),
    route("GET", "/healthz", plain("ok")),
    route("GET", "/.well-known/matrix/client", well_known_client),
    route("GET", "/.well-known/matrix/server", well_known_server),
    route("GET", "/.well-known/matrix/support", well_known_support),
    route("GET", "/.well-known/matrix/policy_server", policy_server),
    route("GET", "/_matrix/client/versions", versions),
    route("GET POST", "/_matrix/client/@/login", login),
    route("POST", "/_matrix/client/@/register", register),
    route("POST", "/_matrix/client/@/account/password", password),
    route("GET", "/_matrix/client/@/sync", sync),
    route("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", sync),
    route("GET", "/_matrix/client/@/profile/{}", not_there),
    route("GET", "/_matrix/client/@/directory/room/{}", not_there),
    route("GET POST", "/_matrix/client/@/publicRooms", lambda _homeserver, _request: answer({"chunk": []})),
    route("GET", "/_matrix/client/@/media/config", media_config),
    route("GET", "/_matrix/client/@/account/whoami", whoami),
    *listed("/_matrix/client/@", CLIENT, needing_token({})),
    route("POST", "/_matrix/media/@/upload", upload),
    route("POST", "/_matrix/media/v1/create", upload),
    route("GET", "/_matrix/key/v2/server", server_keys),
    route("GET", "/_matrix/key/v2/server/{}", server_keys),
    *listed("/_matrix/federation/v1", FEDERATION, federation),
    *listed("/_matrix/federation/v2", FEDERATION, federation),
    route("GET", "/_matrix/federation/versions", federation),
    route("POST", "/_matrix/policy/v1/sign", federation),
    route("PUT", "/_matrix/app/v1/transactions/{}", needing_token({})),
    *(
        route("*", f"/{owner}/{part}{rest}", admin)
        for owner in ("_synapse", "_palpo")
        for part in ("admin", "mas")
        for rest in ("", "/{*}")
    ),
)

# ----- HTTP ----------------------------------------------------------------------------------------------


class Recorder:
    """Writes each request as one line of JSON, before it is answered."""

    def __init__(self, path: Path | None) -> None:
        self.file = path.open("a", encoding="utf-8", buffering=1) if path else None
        self.lock = threading.Lock()

    def record(self, request: Request, listener: str) -> None:
        """Write a request: its target as it came, its headers in order, the length of its body."""
        if self.file is None:
            return
        entry = {
            "listener": listener,
            "peer": request.peer,
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.length,
        }
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")


class Listener(socketserver.ThreadingTCPServer):
    """One of ``[[listeners]]``."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, table: dict[str, Any], homeserver: Homeserver, recorder: Recorder, idle: float) -> None:
        self.name: str = table.get("address", "0.0.0.0:8008")
        self.homeserver, self.recorder, self.idle = homeserver, recorder, idle
        host, _, port = self.name.rpartition(":")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), int(port)), Connection)
        if speaks_tls(table):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(table["tls"]["cert"], table["tls"]["key"])
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        """Bind; ``[::]`` takes IPv4 as well."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Connection(BaseHTTPRequestHandler):
    """One connection, kept until it has been idle for thirty seconds."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        """Take the time limit of the listener."""
        super().setup()
        self.connection.settimeout(self.server.idle)

    def handle_one_request(self) -> None:
        """Read a request, record it, answer it."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            request = Request(
                self.command,
                # parse_request() shortens "//" at the beginning of the path it keeps.
                self.raw_requestline.split(b" ")[1].strip().decode("latin-1"),
                tuple(self.headers.items()),
                self.discarded(),
                str(self.client_address[0]),
            )
            self.server.recorder.record(request, self.server.name)
            self.write(self.server.homeserver.respond(request))
        except (OSError, ValueError):
            self.close_connection = True

    def discarded(self) -> int:
        """Read the body, also in chunks (RFC 9112, section 7.1), and return its length: nothing here looks at it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.skipped(int(self.headers.get("Content-Length", "0")))
        length = 0
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            length += self.skipped(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return length

    def skipped(self, size: int) -> int:
        """Read and forget that many bytes."""
        left = size
        while left and (block := self.rfile.read(min(left, 65536))):
            left -= len(block)
        return size - left

    def write(self, response: Response) -> None:
        """Write a response in one go."""
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if response.status != 204:
            lines.append(f"content-length: {len(response.body)}")
        lines += ["connection: close"] * self.close_connection
        body = b"" if self.command == "HEAD" else response.body
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: requests are recorded elsewhere."""


def speaks_tls(listener: dict[str, Any]) -> bool:
    """Return whether one of ``[[listeners]]`` speaks TLS."""
    return "tls" in listener and bool(listener["tls"].get("enable", True))


def main() -> None:
    """Serve until a signal ends the process; Palpo handles none, and neither do we."""
    parser = argparse.ArgumentParser(prog="palpo")
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("-s", "--server", choices=("true", "false"), default="true")
    parser.add_argument("-V", "--version", action="version", version=f"palpo {VERSION}")
    parser.add_argument("--record", type=Path, help="the file that gets a line of JSON for each request")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds that an idle connection is kept")
    options = parser.parse_args()
    found = next((path for path in SEARCHED if Path(path).exists()), SEARCHED[0])
    file = load(options.config or Path(os.environ.get("PALPO_CONFIG", found)))
    homeserver, recorder = Homeserver(file), Recorder(options.record)
    if options.server == "false":
        return
    for table in file.get("listeners", [{}]):
        try:
            listener = Listener(table, homeserver, recorder, options.idle)
        except ssl.SSLError as error:
            panic(f"bind failed: {error}")
        except FileNotFoundError as error:
            sys.exit(f"Error: {error}")
        except (OSError, ValueError) as error:
            panic(f"bind failed: {error}")
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        say(f"listening on {listener.name}")
    threading.Event().wait()


if __name__ == "__main__":
    main()
