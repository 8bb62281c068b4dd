"""What the stand-in for Palpo answers on each path, as far as somebody without an account can tell."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

from tests.lab.palpo_configuration import speaks_tls
from tests.lab.palpo_homeserver import Handler, Homeserver, Request, Response, Route, answer, error, route, unpadded

SPECIFICATIONS = ("r0.5.0", "r0.6.0", *(f"v1.{minor}" for minor in range(1, 13)))
LONGEST_POLL = 30.0
VERSION = "0.4.0"


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
