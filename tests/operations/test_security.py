"""A setting of an earlier run is withdrawn, and is made again, by a program that goes on when its engine is killed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.ufw import AllowUfwPort
from tests.benches import workbench
from tests.scripted import ScriptedHost

PORT = 8448
WAS = {"path": f"ufw, port {PORT}/tcp", "ipv4": "no", "ipv6": "no"}
TUPLE = "### tuple ### allow tcp {port} {every} any {every} in"


def write_rules(root: Path, *families: tuple[str, str]) -> None:
    """Write ufw's files, with the rule in those of these families."""
    (root / "etc/ufw").mkdir(parents=True, exist_ok=True)
    for name in ("user.rules", "user6.rules"):
        lines = [TUPLE.format(port=PORT, every=every) for file, every in families if file == name]
        (root / "etc/ufw" / name).write_text("\n".join([*lines, ""]))


BOTH = (("user.rules", "0.0.0.0/0"), ("user6.rules", "::/0"))


def test_taking_back_waits_for_the_deletion_of_a_killed_engine(tmp_path: Path) -> None:
    """The rule is made again after the deletion has ended, not before it; also where one family has it still."""
    ufw = tmp_path / "bin/ufw"
    ufw.parent.mkdir()
    ufw.write_text("#!/bin/sh\nread line\n")
    ufw.chmod(0o755)
    events: list[str] = []

    def answer(command: str) -> str:
        if command == f"ufw allow {PORT}/tcp":
            events.append("made again")
            write_rules(tmp_path, *BOTH)
        return ""

    write_rules(tmp_path, *BOTH)
    bench = replace(workbench(tmp_path), host=ScriptedHost(answer, tmp_path))
    withdraw = Withdraw(AllowUfwPort(PORT), WAS, "0001")
    before = withdraw.prepare(bench, 0)
    words = [str(ufw), *AllowUfwPort(PORT).withdrawing(WAS)[0][1:]]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as deletion:

        def end(_line: str) -> None:
            write_rules(tmp_path, BOTH[1])
            deletion.communicate(b"\n")
            events.append("deleted")

        withdraw.undo(replace(bench, report=end), before)
    assert events == ["deleted", "made again"]


def test_a_rule_that_ufw_could_not_write_down_is_not_made_twice(tmp_path: Path) -> None:
    """In force and not in ufw's file, as a full disk leaves it: it is deleted before ufw makes it anew."""
    kernel = {"iptables": [f"-A ufw-user-input -p tcp -m tcp --dport {PORT} -j ACCEPT"], "ip6tables": []}

    def answer(command: str) -> str:
        program, _, words = command.partition(" ")
        if words.startswith("-S "):
            return "\n".join(kernel[program])
        if words.startswith("--delete "):
            kernel[program].remove(words.replace("--delete", "-A", 1))
        if command == f"ufw allow {PORT}/tcp":
            kernel["iptables"].append(f"-A ufw-user-input -p tcp -m tcp --dport {PORT} -j ACCEPT")
            write_rules(tmp_path, *BOTH)
        return ""

    write_rules(tmp_path)
    bench = replace(workbench(tmp_path), host=ScriptedHost(answer, tmp_path))
    AllowUfwPort(PORT).act(bench, WAS)
    assert len(kernel["iptables"]) == 1
