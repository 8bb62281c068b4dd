"""The parts of a rehearsal: the recorder, the doors, the lines, the sockets."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from palpo_installer.answers import Delegation
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.rehearsal.doors import Doors, MadeUpNames
from palpo_installer.rehearsal.judging import judged, readable, refuses
from palpo_installer.rehearsal.lines import Lines, first_line
from palpo_installer.rehearsal.recorder import ANSWER, NUMBER, STATUS, Recorder, recording
from palpo_installer.rehearsal.sockets import Open, listening, on_one_port, reserving, usable_addresses
from palpo_installer.site import NOTHING, TOO_MANY
from palpo_installer.verify.report import Result
from palpo_installer.verify.signatures import problem
from tests.rehearsal.made import answers
from tests.verify.worlds import json_answer


def to(recorder: Recorder, target: str, method: str = "GET", **headers: str) -> Question:
    """Return a question to a recorder; underscores in the names of headers are dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Question(
        recorder.address.host, recorder.address.port, tls=False, host="h", target=target, method=method, headers=named
    )


def test_the_recorder_takes_down_bytes_and_headers() -> None:
    """The target as it is on the wire, each value of a header, bodies left out; by number, and in order."""
    with recording("example.com") as recorder:
        lines = Lines()
        for target in ("//a/../%2f?", "/b#\\"):
            answer = lines.ask(to(recorder, target, **{NUMBER: "7", STATUS: "404", "X_Y": "z"}))
            assert (answer.status, answer.body) == (404, ANSWER)
            assert readable(answer) == ""
        lines.close()
        assert [request.target for request in recorder.numbered("7")] == [b"//a/../%2f?", b"/b#\\"]
        assert recorder.numbered("7")[0].all("x-y") == ("z",)
        assert recorder.numbered("7")[0].at == recorder.address
        assert recorder.numbered("8") == ()
    assert ask(to(recorder, "/")).problem == "refused"


def test_a_body_that_was_announced_and_not_sent_ends_its_line() -> None:
    """The next request has a connection of its own: a server that waits for the rest would take it for that."""
    answers_once = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    opened = []

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            connection, _ = server.accept()
            opened.append(connection)
            connection.recv(65536)
            connection.sendall(answers_once)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        question = Question("127.0.0.1", server.getsockname()[1], tls=False, host="h", method="POST")
        lines = Lines()
        for length in ("9", "0"):
            assert lines.ask(replace(question, headers={"Content-Length": length})).status == 413
        lines.close()
    assert len(opened) == 2
    for connection in opened:
        connection.close()


def test_the_recorder_has_keys_that_other_servers_take() -> None:
    """Signed by itself, for its own name only."""
    with recording("example.com") as recorder:
        document = json.loads(ask(to(recorder, "/_matrix/key/v2/server")).body)
    now = datetime.now(UTC)
    assert problem(document, "example.com", now) == ""
    assert problem(document, "other.example", now)


def test_doors_lead_to_loopback_only() -> None:
    """A real port at any address is the open one here; a port that the site does not have is refused unasked."""
    doors = Doors(("127.0.0.1", "::1"), {443: 40443})
    asked = doors.behind(Question("192.0.2.1", 443, tls=True, target="/x"))
    assert (asked.address, asked.port, asked.target) == ("127.0.0.1", 40443, "/x")
    assert doors.here("::1") == "::1"
    assert doors.real(40443) == 443
    with socket.create_server(("127.0.0.1", 0)) as real:
        assert doors.ask(Question("127.0.0.1", real.getsockname()[1], tls=False)) == Answer(problem="refused")


@pytest.mark.parametrize("delegation", Delegation)
def test_names_are_as_the_answers_ask_for(delegation: Delegation) -> None:
    """Everything leads here; the base domain alone has SRV records, for their delegation alone."""
    lookup = MadeUpNames(answers(delegation, port=8449), ("127.0.0.1",))
    base, client = lookup("example.com"), lookup("matrix.example.com")
    assert base.addresses == client.addresses == ("127.0.0.1",)
    assert client.federation == ()
    targets = [(record.target, record.port) for record in (*base.federation, *base.federation_old)]
    assert targets == ([("matrix.example.com", 8449)] * 2 if delegation is Delegation.SRV else [])


def test_a_line_is_opened_again_where_it_was_closed() -> None:
    """What is not answered is told as such, and does not spoil the next request."""
    with recording("example.com") as recorder:
        lines = Lines()
        assert lines.ask(to(recorder, "/")).status == 200
        (line,) = lines.kept.values()
        assert line.sock is not None
        line.sock.shutdown(socket.SHUT_RDWR)
        assert lines.ask(to(recorder, "/")).problem
        assert lines.ask(to(recorder, "/")).status == 200
        assert first_line(to(recorder, "/", **{STATUS: "429"})) == "HTTP/1.1 429 Answer"
        lines.close()
    assert first_line(to(recorder, "/")).startswith("no answer (")


@pytest.mark.parametrize("way", [listening, reserving])
def test_sockets_share_one_free_port(way: Open) -> None:
    """On every usable address, and no other rehearsal gets that port."""
    addresses = usable_addresses()
    assert addresses[0] == "127.0.0.1"
    with ExitStack() as kept:
        many = [[kept.enter_context(each) for each in on_one_port(addresses, way)] for _ in range(50)]
        ports = [{each.getsockname()[1] for each in opened} for opened in many]
    assert [len(opened) for opened in many] == [len(addresses)] * 50
    assert [len(each) for each in ports] == [1] * 50
    assert len(set.union(*ports)) == 50


def test_sockets_that_are_handed_over_listen() -> None:
    """Already, and they never wait."""
    with listening("127.0.0.1", 0) as opened:
        socket.create_connection(opened.getsockname(), 1).close()
        assert not opened.getblocking()


def test_a_port_that_is_kept_can_be_opened_by_its_number() -> None:
    """By the proxy that we start, also on all addresses, while we still have it; it is nobody's until then."""
    for address in ("127.0.0.1", ""):
        with reserving("127.0.0.1", 0) as kept:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(kept.getsockname(), 1)
            with socket.create_server((address, kept.getsockname()[1])):
                socket.create_connection(kept.getsockname(), 1).close()


def test_a_broken_promise_is_a_sentence() -> None:
    """The promise, at most three examples, how many more, and what to do; a kept one is just said."""
    kept, broken = judged("name", "subject", "x is y", []), judged("name", "subject", "x is y", list("abcde"))
    assert (kept.result, kept.what, kept.next) == (Result.PASS, "X is y.", "")
    assert broken.what == "A promise would be broken: x is y. Seen: a; b; c; and 2 more."
    assert broken.result is Result.FAIL
    assert "palpo-installer render" in broken.next


def test_a_refusal_is_known_by_all_of_it() -> None:
    """Status, code, media type, and one CORS header."""
    body = json.dumps({"errcode": NOTHING.errcode, "error": "any"})
    assert refuses(json_answer(body, status=404), NOTHING) == ""
    assert "instead of 429" in refuses(json_answer(body, status=404), TOO_MANY)
    assert "errcode is None" in refuses(json_answer("{}", status=404), NOTHING)
    assert "Content-Type is text/html" in refuses(json_answer(body, status=404, content_type="text/html"), NOTHING)
    assert "is missing" in refuses(json_answer(body, status=404, access_control_allow_origin=""), NOTHING)
    assert "no answer (refused)" in refuses(Answer(problem="refused"), NOTHING)
