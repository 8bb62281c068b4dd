"""Why Apache does otherwise than is promised, and what its file would do otherwise: each cause on the real program."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from palpo_installer.proxies.apache.rendering import FAILED_LOGIN
from tests.lab.conformance.rows import ROWS
from tests.lab.conformance.served import CLIENT, HOMESERVER_PORT, LIMIT, Served
from tests.lab.conformance.targets import CLOSED, LEGAL, REGISTRATION
from tests.lab.conformance.test_bodies import FORMS, UPLOAD, chunked
from tests.lab.hosts import ADDRESS4, ADDRESS6
from tests.lab.running import until
from tests.lab.served_site import refused
from tests.lab.upstream import STATUS

APACHE = next(row for row in ROWS if row.kind == "apache")
pytestmark = pytest.mark.parametrize("standing", [pytest.param(APACHE, id="apache")], indirect=True)

SITES = "/etc/apache2/sites-available/zz-palpo-installer"
EDITS = {
    f"{SITES}-tls.conf": (
        ("AllowEncodedSlashes On", "AllowEncodedSlashes NoDecode\n    LimitRequestBody 1000"),
        ("ProxyPreserveHost On", "ProxyPreserveHost On\n    SetEnvIf Transfer-Encoding . proxy-sendcl"),
        ("# Written by palpo-installer.", "SSLVHostSNIPolicy insecure"),
    ),
    f"{SITES}-http.conf": (('<If "%{reqenv:palpo_installer_target} =~ m#^[^?]*%#">', '<If "false">'),),
}
"""What one might write instead: slashes left alone, bodies counted by Apache, the certificate of any site for a request
to any other, a plain redirect."""


def restart(served: Served) -> None:
    """Stop Apache and start it: no worker with the former files is left."""
    served.host.output(["apache2ctl", "stop"])
    until(lambda: not served.host.processes("/usr/sbin/apache2 -k start"), "the end of Apache")
    served.host.output(["apache2ctl", "start"])
    served.host.until_listening(443)


@pytest.fixture(scope="module")
def edited(standing: Served) -> Iterator[None]:
    """Serve our files with all the edits, and then as they were."""
    texts = {path: standing.host.read(path) for path in EDITS}
    try:
        for path, text in texts.items():
            for old, new in EDITS[path]:
                assert old in text
                text = text.replace(old, new)  # noqa: PLW2901
            standing.host.write(path, text)
        restart(standing)
        yield
    finally:
        for path, text in texts.items():
            standing.host.write(path, text)
        restart(standing)


@pytest.mark.usefixtures("edited")
class TestOtherwise:
    """Our files, edited."""

    def test_slashes_that_stay_escaped_open_closed_paths(self, served: Served) -> None:
        """``AllowEncodedSlashes NoDecode``: Apache resolves no ``..%2f`` then, and what is closed is passed on.

        What may pass arrives byte for byte with either, so it would win nothing.
        """
        seen = {target: served.ask("HTTP/1.1", target) for target in (*LEGAL, *CLOSED)}
        assert [target for target in LEGAL if seen[target][1] != [target.encode()]] == []
        opened = {target for target in CLOSED if seen[target][1]}
        assert opened == {"/_matrix/..%2f_palpo/admin", "/_palpo/client/..%2Fadmin"}
        statuses = {target: served.wire.http1(target.encode(), method=b"POST").status for target in REGISTRATION}
        assert {target for target in REGISTRATION if statuses[target] != 403} == {"/_matrix/client/v3%2fregister"}

    @pytest.mark.parametrize("form", FORMS)
    def test_apache_counts_no_body_that_it_passes_on(self, served: Served, form: str) -> None:
        """``LimitRequestBody`` of 1000 bytes, and bodies collected in a file before (``proxy-sendcl``): all passes."""
        headers, body = FORMS[form](100_000)
        assert served.wire.http1(UPLOAD, headers, method=b"POST", body=body).status == 200
        (request,) = served.arrived
        assert (request.body, request.all("content-length")) == (100_000, ("100000",))

    def test_a_plain_redirect_alters_the_target(self, served: Served) -> None:
        """``Redirect`` escapes the ``%`` of an escape once more."""
        answer = served.plain.http1(b"/_matrix/a%2Fb")
        assert (answer.status, answer.header("location")) == (301, f"https://{CLIENT}/_matrix/a%252Fb")

    def test_without_a_name_the_certificate_of_another_site_was_shown(self, served: Served) -> None:
        """``SSLVHostSNIPolicy``, for the whole server only, lets that pass: so this is why Apache says 421."""
        nameless = replace(served.wire, sni=None)
        assert nameless.http1(b"/_matrix/x", [(b"Host", CLIENT.encode())]).status == 200


def test_a_homeserver_that_is_back_is_asked_at_once(served: Served) -> None:
    """However many requests it has missed (``retry=0``), by whichever process of Apache."""
    for _ in range(3):
        with served.away():
            assert {served.wire.http1(b"/_matrix/x").status for _ in range(20)} == {503}
        assert {served.wire.http1(b"/_matrix/x").status for _ in range(20)} == {200}


def test_the_line_for_fail2ban_finds_refused_logins(served: Served) -> None:
    """In the access log that Debian has for sites without their own, by the client's address; other requests are none.

    fail2ban takes the time out of a line before it looks at it.
    """
    log, login = "/var/log/apache2/other_vhosts_access.log", b"/_matrix/client/v3/login"
    pattern = FAILED_LOGIN.replace("<HOST>", "(?P<host>[0-9a-f.:]+)")

    def found(since: int) -> list[str]:
        lines = [re.sub(r"\[[^]]*\]", "[]", each) for each in served.host.read(log).splitlines()[since:]]
        return [match["host"] for each in lines if (match := re.search(pattern, each))]

    since = len(served.host.read(log).splitlines())
    refused_by_palpo = [(STATUS.encode(), b"403")]
    served.wire.http1(login, method=b"POST")
    served.wire.http1(b"/_matrix/client/v3/sync", refused_by_palpo, method=b"POST")
    served.wire.http1(login, refused_by_palpo)
    for address in (ADDRESS4, ADDRESS6):
        replace(served.wire, address=address).http1(login + b"?x=y", refused_by_palpo, method=b"POST")
    until(lambda: len(served.host.read(log).splitlines()) >= since + 5, "the lines of the log")
    assert sorted(found(since)) == [ADDRESS4, ADDRESS6]


@contextmanager
def refusing() -> Iterator[None]:
    """Answer on the homeserver's port as it does to a body that grows too large: 413, and the connection is closed."""
    answer = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            for _ in range(16):
                connection.recv(2**16, socket.MSG_WAITALL)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", HOMESERVER_PORT)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


def test_a_body_in_chunks_that_the_homeserver_refuses(served: Served) -> None:
    """Apache reads no answer before it has sent the body: the client gets an error in JSON, with another status."""
    with served.away(), refusing():
        headers, body = chunked(LIMIT + 2**20)
        refused(served.wire.http1(UPLOAD, headers, method=b"POST", body=body), 502, "M_UNKNOWN")
