"""Uploads of every sort, and answers that take their time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.lab.conformance.rows import AT_ONCE
from tests.lab.conformance.served import LIMIT, Served
from tests.lab.served_site import refused
from tests.lab.upstream import DELAY
from tests.lab.wire import Headers

UPLOAD = b"/_matrix/client/v3/keys/upload"
PIECE = 64 * 1024


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
    if served.row.exceptions("uploads").get(form) == AT_ONCE:
        refused(served.wire.http1(UPLOAD, headers, method=b"POST"), 413, "M_TOO_LARGE")
        assert served.arrived == []
        return
    answer = served.wire.http1(UPLOAD, headers, method=b"POST", body=body)
    whole = [request.body for request in served.arrived if request.body > LIMIT]
    if form in served.row.exceptions("uploads"):
        assert answer.status == served.row.exceptions("uploads")[form]
        assert whole == [LIMIT + excess] * (answer.status == 200)
        return
    refused(answer, 413, "M_TOO_LARGE")
    assert whole == []


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
