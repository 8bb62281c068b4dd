from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies import error_log
from palpo_installer.proxies.nginx import diagnosis
from tests.scripted import ScriptedHost

CONFLICT = 'conflicting server name "a.example" on 0.0.0.0:443, ignored'
STARTED = "2026/11/20 22:00:00 [notice] 7#7: signal process started\n"
TAKEN = "2026/11/20 22:00:01 [emerg] 7#7: bind() to 0.0.0.0:{port} failed (98: Address already in use)\n"


def test_an_error_has_its_place() -> None:
    """Nginx names file and line at the end of the message; the path may have blanks."""
    said = (
        'nginx: [warn] duplicate MIME type "text/html" in /etc/nginx/nginx.conf:9\n'
        'nginx: [emerg] unknown directive "foo" in /etc/nginx/my sites/shop:12\n'
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    )
    verdict = diagnosis.verdict(False, said)
    assert (verdict.loads, verdict.error) == (False, 'unknown directive "foo"')
    assert (verdict.file, verdict.line) == (Path("/etc/nginx/my sites/shop"), 12)
    assert verdict.warnings == ('duplicate MIME type "text/html" in /etc/nginx/nginx.conf:9',)


def test_an_error_without_a_place_is_told_as_it_is() -> None:
    """A missing certificate has none; what is no message of nginx is told whole."""
    missing = 'nginx: [emerg] cannot load certificate "/x.pem": BIO_new_file() failed\nnginx: test failed\n'
    verdict = diagnosis.verdict(False, missing)
    assert (verdict.error, verdict.file) == ('cannot load certificate "/x.pem": BIO_new_file() failed', None)
    assert diagnosis.verdict(False, "Segmentation fault\n").error == "Segmentation fault"


def test_only_new_conflicts_count() -> None:
    """Two of the same kind are two; other warnings are no conflicts."""
    other = "conflicting parameter"
    assert diagnosis.new_conflicts((CONFLICT,), (CONFLICT, other), ()) == ()
    assert diagnosis.new_conflicts((CONFLICT,), (CONFLICT, CONFLICT), ()) == (CONFLICT,)
    assert diagnosis.new_conflicts((), (other,), ("a.example",)) == ()


def test_where_the_old_warnings_are_unknown_our_names_count() -> None:
    """Nginx was stopped and was not tested before."""
    assert diagnosis.new_conflicts(None, (CONFLICT,), ("a.example",)) == (CONFLICT,)
    assert diagnosis.new_conflicts(None, (CONFLICT,), ("b.example",)) == ()


def test_the_error_log_is_read_from_its_mark(tmp_path: Path) -> None:
    """Older emergencies are not this reload's; a repeated one is told once; a rotated log is read from its start."""
    log = tmp_path / "error.log"
    log.write_text("2026/11/20 21:00:00 [emerg] 7#7: an old one\n")
    begin = error_log.mark(Host(), log)
    with log.open("a") as stream:
        stream.write(STARTED + TAKEN.format(port=8448) * 5)
    new = "bind() to 0.0.0.0:8448 failed (98: Address already in use)"
    assert diagnosis.emergencies(Host(), log, begin) == (new,)
    log.rename(tmp_path / "error.log.1")
    log.write_text("2026/11/20 22:00:09 [emerg] 7#7: after rotation\n")
    assert diagnosis.emergencies(Host(), log, begin) == ("after rotation",)
    assert diagnosis.emergencies(Host(), tmp_path / "none", begin) == ()
    assert diagnosis.emergencies(Host(), None, begin) == ()


def test_a_log_that_was_missing_is_read_whole(tmp_path: Path) -> None:
    """Nginx makes it when it starts."""
    log = tmp_path / "error.log"
    begin = error_log.mark(Host(), log)
    log.write_text(TAKEN.format(port=1))
    assert len(diagnosis.emergencies(Host(), log, begin)) == 1


def test_a_taken_port_is_told_with_its_owner() -> None:
    """The owner is found in the kernel's list of sockets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = f"bind() to 127.0.0.1:{port} failed (98: Address already in use)"
        said = diagnosis.explain(Host(), [message, "still could not bind()"])
    assert said.startswith(f"nginx could not listen on 127.0.0.1:{port}: Address already in use, held by ")
    assert f"(process {os.getpid()})" in said


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ((), ""),
        (("open() failed",), "nginx says: open() failed"),
        (
            ("bind() to [fd10::9]:443 failed (99: Cannot assign requested address)",),
            "nginx could not listen on [fd10::9]:443: Cannot assign requested address",
        ),
    ],
)
def test_other_reasons_are_told_in_nginx_words(messages: tuple[str, ...], said: str) -> None:
    """An address that is not ours has no owner."""
    assert diagnosis.explain(Host(), messages) == said


def test_a_refusal_by_selinux_is_named(tmp_path: Path) -> None:
    """The audit log has it, for the same program and port; else the reason stands alone."""
    host = ScriptedHost(lambda _: "", tmp_path)
    message = "bind() to 0.0.0.0:8448 failed (13: Permission denied)"
    assert diagnosis.explain(host, (message,)) == "nginx could not listen on 0.0.0.0:8448: Permission denied"
    log = host.layout.at("/var/log/audit/audit.log")
    log.parent.mkdir(parents=True)
    log.write_text(
        'type=AVC msg=audit(1782900842.115:9013): avc:  denied  { name_bind } for  pid=2841 comm="nginx" src=8448 '
        "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket\n"
    )
    assert "refused by SELinux, to which the port is unreserved_port_t" in diagnosis.explain(host, (message,))
    assert "SELinux" not in diagnosis.explain(host, (message.replace("8448", "8449"),))


def test_the_journal_is_asked_from_a_time_on() -> None:
    """What a start prints under systemd is there."""
    host = ScriptedHost(lambda _: 'nginx: [emerg] unknown directive "x" in /etc/nginx/x:1\n')
    assert diagnosis.journal_emergencies(host, "nginx.service", 12.4) == ('unknown directive "x" in /etc/nginx/x:1',)
    assert "--since @12" in host.commands[0]
