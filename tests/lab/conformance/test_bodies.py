"""Uploads of every sort, and answers that take their time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.lab.conformance.rows import AT_ONCE
from tests.lab.conformance.served import CLIENT, LIMIT, Served
from tests.lab.served_site import refused
from tests.lab.upstream import DELAY
from tests.lab.wire import Headers

UPLOAD = b"/_matrix/client/v3/keys/upload"
PIECE = 64 * 1024
CUT_SHORT = 18
"""curl's exit where an answer ended before its length."""
CURLS_TRIES = 9
OPTIONS = {"HTTP/1.1": "--http1.1", "HTTP/2": "--http2"}
"""What tells curl the protocol."""


def sized(size: int) -> tuple[Headers, list[bytes]]:
    """Return a body with its length in a header."""
    return [(b"Content-Length", b"%d" % size)], [bytes(size)]


def chunked(size: int) -> tuple[Headers, list[bytes]]:
    """Return a body in chunks of 64 KiB (RFC 9112, section 7.1)."""
    whole = [b"%x\r\n%b\r\n" % (PIECE, bytes(PIECE))] * (size // PIECE)
    rest = [b"%x\r\n%b\r\n" % (size % PIECE, bytes(size % PIECE))] if size % PIECE else []
    return [(b"Transfer-Encoding", b"chunked")], [*whole, *rest, b"0\r\n\r\n"]


FORMS: Mapping[str, Callable[[int], tuple[Headers, list[bytes]]]] = {"sized": sized, "chunked": chunked}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", [UPLOAD, b"/_matrix/media/v3/upload"])
def test_an_upload_at_the_limit_passes(served: Served, form: str, target: bytes) -> None:
    """All 16 MiB of it, to the homeserver and to the media repository."""
    headers, body = FORMS[form](LIMIT)
    assert served.wire.http1(target, headers, method=b"POST", body=body).status == 200
    assert [request.body for request in served.arrived] == [LIMIT]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("excess", [1, 2**20])
def test_an_upload_above_the_limit_is_answered(served: Served, form: str, excess: int) -> None:
    """With 413 and JSON after all of it was sent: the connection is not cut, and the homeserver does not get it.

    A proxy that cannot tell passes it on as it is, for Palpo to refuse.
    """
    headers, body = FORMS[form](LIMIT + excess)
    answer = served.wire.http1(UPLOAD, headers, method=b"POST", body=body)
    whole = [request.body for request in served.arrived if request.body > LIMIT]
    if form in served.row.exceptions("uploads"):
        assert answer.status == served.row.exceptions("uploads")[form]
        assert whole == [LIMIT + excess] * (answer.status == 200)
        return
    refused(answer, 413, "M_TOO_LARGE")
    assert whole == []


@pytest.mark.parametrize("excess", [2**20, pytest.param(3 * LIMIT, marks=pytest.mark.slow)])
@pytest.mark.parametrize("expect", ["Expect: 100-continue", "Expect:"])
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
def test_a_client_that_goes_on_sending_reads_why_it_is_refused(
    served: Served, protocol: str, expect: str, excess: int
) -> None:
    """Whether it asks before it sends, or not; the homeserver does not get all of it."""
    served.host.run(["truncate", f"--size={LIMIT + excess}", "/root/large"])
    url = f"https://{CLIENT}{UPLOAD.decode()}"
    sent = ["--insecure", OPTIONS[protocol], "--header", expect, "--data-binary", "@/root/large", "--max-time", "60"]
    asked = ["curl", "--silent", "--show-error", "--write-out", "%{http_code}", *sent, url]
    said = served.host.run(asked)
    # Behind a whole answer the stream is reset (RFC 9113, section 8.1): curl 7.88, which reads the status each time,
    # takes that for a cut now and then, while it sends. A client that reads first had the whole in every try.
    for _ in range(CURLS_TRIES):
        if protocol != "HTTP/2" or said.returncode != CUT_SHORT:
            break
        assert said.stdout[-3:] == "413"
        said = served.host.run(asked)
    assert [request.body for request in served.arrived if request.body > LIMIT] == []
    if served.row.exceptions("refusals").get(protocol) == AT_ONCE:
        assert said.stdout[-3:] in {"000", "413"}
        return
    assert (said.returncode, said.stdout[-3:], said.stderr) == (0, "413", "")
    assert json.loads(said.stdout[:-3])["errcode"] == "M_TOO_LARGE"


def slowly(pieces: int, size: int, seconds: float) -> Iterator[bytes]:
    """Yield a body piece by piece, so that all of it takes this long."""
    for _ in range(pieces):
        time.sleep(seconds / pieces)
        yield bytes(size)


@pytest.mark.parametrize("seconds", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_a_slow_upload(served: Served, seconds: int) -> None:
    """A mobile telephone at one KiB a second."""
    length = [(b"Content-Length", b"%d" % (seconds * 1024))]
    body = slowly(seconds, 1024, seconds)
    assert served.wire.http1(UPLOAD, length, method=b"POST", body=body).status == 200
    assert [request.body for request in served.arrived] == [seconds * 1024]


@pytest.mark.parametrize("seconds", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_a_long_poll(served: Served, seconds: int) -> None:
    """The homeserver may think for longer than any proxy waits by itself."""
    answer = served.wire.http1(b"/_matrix/client/v3/sync", [(DELAY.encode(), b"%d" % seconds)])
    assert answer.status == 200
