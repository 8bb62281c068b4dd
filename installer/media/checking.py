"""What a media repository's configuration must say for a homeserver and its proxy, and each way in which it does not.

Source for all of it: matrix-media-repo, ``config.sample.yaml``, ``api/_routers/03-host_detection.go``, CHANGELOG 1.3.5
and the page "Signing keys" of its documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from palpo_installer.answers import Address
from palpo_installer.audit.finding import Finding, Severity, Trap
from palpo_installer.facts.media import MediaRepository
from palpo_installer.media.addresses import ip_of, is_loopback, own_address, same, split
from palpo_installer.media.configuration import MediaConfiguration, ServedName
from palpo_installer.media.documents import Place

SUBJECT = "media repository"
KEY = "/etc/matrix-media-repo/signing.key"
"""Where its key lies in what we say; any other place will do."""

PEM = "MMR PRIVATE KEY"
PALPO = "/etc/palpo/palpo.toml"

NAME = Trap(
    "media-name",
    Severity.BREAKS,
    "It answers 502 to every request for a server that it does not know: no upload, no picture.",
)
LOOP = Trap(
    "media-loop", Severity.BREAKS, "It asks the homeserver who somebody is. Asking itself, it takes nobody's upload."
)
ASTRAY = Trap(
    "media-homeserver",
    Severity.BREAKS,
    "It asks the homeserver who somebody is. Without an answer it takes nobody's upload and shows nobody a picture.",
)
ROUNDABOUT = Trap(
    "media-roundabout",
    Severity.WEAKENS,
    "Each question goes out by the public name and comes back through the proxy: it depends on DNS, on the certificate "
    "and on a router that lets this host reach its own public address.",
)
UNSIGNED = Trap(
    "media-signing-key",
    Severity.BREAKS,
    "Other servers give out media only to signed requests (Matrix 1.11): pictures from other servers stay away.",
)
EXPOSED = Trap(
    "media-exposed",
    Severity.WEAKENS,
    "Whoever reaches it there passes by the proxy: without TLS, with any address as theirs, and to its administration.",
)
ELSEWHERE = Trap("media-address", Severity.BREAKS, "The proxy finds nobody there and answers 502.")
WRONG_KEY = Trap(
    "media-signing-key",
    Severity.BREAKS,
    "Palpo has one key and publishes no other. Other servers refuse what is signed with any other one: pictures from "
    "other servers stay away.",
)
REMEMBERED = Trap(
    "media-token-cache",
    Severity.WEAKENS,
    "It believes in a token without asking. Logging out goes to the homeserver, so it does not hear of it.",
)
UPLOADS = Trap("media-upload-limit", Severity.KNOW, "The smaller one of the two is what clients can upload.")


@dataclass(frozen=True)
class Expected:
    """What the configuration has to fit.

    Attributes:
        server_name: Palpo's.
        client_host: the host that clients talk to, empty when not known.
        homeserver: where Palpo answers on this host, None when not known.
        media: where the proxy passes media to, None when not known.
        upload_size: what the proxy lets through in bytes, None when not known.
        palpo_file: palpo.toml, for its key; None when there is none.
        key_version: the version of that key, empty when not known.
        public_key: its public half in base64 without padding, empty when not known.
    """

    server_name: str
    client_host: str = ""
    homeserver: Address | None = None
    media: Address | None = None
    upload_size: int | None = None
    palpo_file: Path | None = None
    key_version: str = ""
    public_key: str = ""


def judged(repository: MediaRepository, expected: Expected) -> Iterator[Finding]:
    """Yield what is wrong; nothing for a configuration that cannot be read."""
    configuration = repository.configuration
    if configuration is None or configuration.problem:
        return
    entry = configuration.of(expected.server_name) if expected.server_name else None
    if expected.server_name and entry is None:
        yield _unknown_name(configuration, expected)
    for each in (entry,) if entry else ():
        yield from _asking(repository, configuration, each, expected)
        yield from _signing(repository, each, expected)
        yield from _taking(each, expected)
    yield from _listening(repository, configuration, expected)


def wanted(expected: Expected, *, contained: bool = False) -> str:
    """Return what a media-repo.yaml must say, as one line of YAML; ``contained`` for one in a container."""
    api = f"http://{expected.homeserver}" if expected.homeserver and not contained else "http://ADDRESS-OF-PALPO:8008"
    return f'homeservers: [{{name: "{expected.server_name}", csApi: "{api}", signingKeyPath: "{KEY}"}}]'


def key_commands(expected: Expected, output: str, account: str = "") -> tuple[str, ...]:
    """Return how to make the key that it signs with: Palpo's own one, in the form of matrix-media-repo.

    Palpo has one key and publishes no other, so only that one makes signatures that other servers believe. In
    PKCS#8 (RFC 8410) the 32 bytes of an Ed25519 key are those from the seventeenth on; matrix-media-repo takes them
    as PEM of its own (``homeserver_interop/mmr/signing_key.go``) and in no other form.
    """
    version, file = expected.key_version or "VERSION", quote(output)
    heading = f"'-----BEGIN {PEM}-----' 'Key-ID: ed25519:{version}' 'Version: 1' ''"
    document = f"sed -n 's/^document *= *\"\\(.*\\)\".*/\\1/p' {quote(str(expected.palpo_file or PALPO))}"
    seed = f"{document} | base64 -d | tail -c +17 | head -c 32 | base64"
    return (
        f"install -m 600 /dev/null {file}",
        f"{{ printf '%s\\n' {heading}; {seed}; echo '-----END {PEM}-----'; }} > {file}",
        f"chown {account or 'ACCOUNT'}: {file}",
    )


def _unknown_name(configuration: MediaConfiguration, expected: Expected) -> Finding:
    known = ", ".join(each.name for each in configuration.served) or "none"
    place = configuration.served[0].place if configuration.served else Place(configuration.path)
    what = f"It does not serve {expected.server_name} (it serves {known})"
    cure = "Name the server name itself, not the client host:"
    return _finding(NAME, place, what, cure, wanted(expected))


def _asking(
    repository: MediaRepository, configuration: MediaConfiguration, entry: ServedName, expected: Expected
) -> Iterator[Finding]:
    """Yield what is wrong with ``csApi``."""
    url = split(entry.cs_api)
    right = f'csApi: "http://{expected.homeserver or "127.0.0.1:8008"}"'
    if url is None:
        what = f"csApi is {entry.cs_api or 'missing'}, which is no URL"
        yield _finding(ASTRAY, entry.place, what, "Write Palpo's own address:", right)
        return
    scheme, host, port = url
    place = Address(host, port)
    own = own_address(repository, configuration)
    if repository.container and is_loopback(host):
        what = f"csApi is {entry.cs_api}, which in its container is the container itself"
        cure = "Write an address of Palpo that the container reaches: that of a shared network, or of the bridge."
        yield _finding(ASTRAY, entry.place, what, cure)
    elif same(place, own):
        what = f"csApi is {entry.cs_api}, its own address"
        yield _finding(LOOP, entry.place, what, "Write Palpo's own address:", right)
    elif is_loopback(host) and expected.homeserver and not same(place, expected.homeserver):
        what = f"csApi is {entry.cs_api}, but Palpo answers at {expected.homeserver}"
        yield _finding(ASTRAY, entry.place, what, "Write Palpo's own address:", right)
    elif expected.client_host and host.lower() == expected.client_host:
        what = f"csApi is {entry.cs_api}, the way of clients from outside"
        yield _finding(ROUNDABOUT, entry.place, what, "Write Palpo's own address:", right)
    elif host.lower() == expected.server_name.partition(":")[0] and scheme == "https" and expected.client_host:
        what = f"csApi is {entry.cs_api}, where only the well-known documents are"
        yield _finding(ASTRAY, entry.place, what, "Write Palpo's own address:", right)


def _signing(repository: MediaRepository, entry: ServedName, expected: Expected) -> Iterator[Finding]:
    """Yield what is wrong with the key for requests to other servers."""
    path = entry.signing_key or str(entry.place.file.parent / "signing.key")
    commands = key_commands(expected, path, repository.account)
    cure = "Give it Palpo's key in its own form, readable for its account only:"
    key = entry.key
    if not entry.signing_key:
        named = f'signingKeyPath: "{path}"'
        yield _finding(
            UNSIGNED, entry.place, "It has no signingKeyPath", f"{cure[:-1]}, and name it there:", *commands, named
        )
    elif key is None:
        return
    elif key.problem:
        yield _finding(UNSIGNED, entry.place, f"The file {path} (signingKeyPath) {key.problem}", cure, *commands)
    elif _differs(key.version, expected.key_version) or _differs(key.public, expected.public_key):
        what = f"The key in {path} (ed25519:{key.version}) is not Palpo's (ed25519:{expected.key_version})"
        yield _finding(WRONG_KEY, entry.place, what, cure, *commands)


def _differs(found: str, expected: str) -> bool:
    """Return whether something is known to be another one; what is not known yet is empty."""
    return bool(expected) and found != expected


def _taking(entry: ServedName, expected: Expected) -> Iterator[Finding]:
    """Yield what is wrong with what it believes and takes."""
    if entry.token_seconds > 0:
        what = f"A token that was logged out goes on working for up to {entry.token_seconds} seconds"
        yield _finding(REMEMBERED, entry.tokens_at, what, "Set it to 0:", "accessTokens:", "  maxCacheTimeSeconds: 0")
    taken, passed = entry.upload_size, expected.upload_size
    if passed is not None and taken != passed:
        what = f"The media repository takes {shown(taken)}, the proxy lets {shown(passed)} through"
        yield _finding(UPLOADS, entry.uploads_at, what, "Let both say the same (here: media.max_upload_size).")


def _listening(repository: MediaRepository, configuration: MediaConfiguration, expected: Expected) -> Iterator[Finding]:
    """Yield what is wrong with where it listens; in a container that is said when it is started."""
    own = own_address(repository, configuration)
    if expected.media and own and repository.address and own != expected.media and not same(own, expected.media):
        what = f"It listens on {own}, and not where media are passed to ({expected.media})"
        yield _finding(ELSEWHERE, configuration.repo_at, what, f"Say media.upstream = {own}.")
    bound = ip_of(configuration.address)
    wide = () if repository.container or bound is None or bound.is_loopback else (configuration.address,)
    for address in dict.fromkeys((*repository.open_to, *wide)):
        what = f"It can be reached at {address} port {own.port if own else configuration.port} without the proxy"
        if repository.container:
            cure = f"Publish its port on loopback only: --publish 127.0.0.1:{own.port if own else 8000}:8000"
            yield _finding(EXPOSED, configuration.repo_at, what, cure)
        else:
            lines = ("repo:", "  bindAddress: '127.0.0.1'")
            yield _finding(EXPOSED, configuration.repo_at, what, "Let it listen here only:", *lines)
        return


def shown(size: int) -> str:
    """Return a size in words; 0 is no limit."""
    return f"{size / (1 << 20):g} MiB" if size else "any size"


def _finding(trap: Trap, place: Place, what: str, cure: str, *lines: str) -> Finding:
    return trap.at(place.file, place.line, SUBJECT, what, cure, *lines)
