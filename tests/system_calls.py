"""The kernel asks us before each system call by which a process changes files, starts programs or sends signals.

A child that does some work filters itself (seccomp(2), ``SECCOMP_RET_USER_NOTIF``), so that each such call waits for
its judge: it may be let through or fail with an error number, and the judge may meanwhile do anything, such as kill
the process. The code under attack is not changed. Only on Linux for x86-64.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

# Number by name (asm/unistd_64.h), and which arguments are paths (p) or file descriptors (f) that it changes.
CALLS = {
    "write": (1, "f"),
    "pwrite64": (18, "f"),
    "set_tid_address": (218, ""),
    "sendfile": (40, "f"),
    "copy_file_range": (326, "--f"),
    "execve": (59, "p"),
    "kill": (62, ""),
    "fsync": (74, "f"),
    "fdatasync": (75, "f"),
    "ftruncate": (77, "f"),
    "rename": (82, "pp"),
    "mkdir": (83, "p"),
    "rmdir": (84, "p"),
    "link": (86, "pp"),
    "unlink": (87, "p"),
    "symlink": (88, "-p"),
    "chmod": (90, "p"),
    "fchmod": (91, "f"),
    "chown": (92, "p"),
    "fchown": (93, "f"),
    "lchown": (94, "p"),
    "setxattr": (188, "p"),
    "fsetxattr": (190, "f"),
    "openat": (257, "-p"),
    "mkdirat": (258, "-p"),
    "fchownat": (260, "-p"),
    "unlinkat": (263, "-p"),
    "renameat": (264, "-p-p"),
    "linkat": (265, "-p-p"),
    "symlinkat": (266, "--p"),
    "fchmodat": (268, "-p"),
    "renameat2": (316, "-p-p"),
}
BEGINNING = "set_tid_address"
"""Made once by a program that has just begun, before anything of its own (ld.so(8))."""

NAMES = {number: name for name, (number, _) in CALLS.items()}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
"""Files that are opened for reading only are no concern of ours."""

# linux/seccomp.h, linux/filter.h, linux/audit.h
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
X86_64 = 0xC000003E
SYS_SECCOMP, SET_FILTER, NEW_LISTENER = 317, 1, 8
SET_NO_NEW_PRIVILEGES = 38
RECEIVE, SEND = 0xC0502100, 0xC0182101
GO_ON = 1
NOTICE = struct.Struct("=QII iIQ6Q")
REPLY = struct.Struct("=QqiI")


def is_possible() -> bool:
    """Return whether the filter is written for this machine."""
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


@dataclass(frozen=True)
class Call:
    """One system call that waits.

    Attributes:
        name: of the call.
        pid: of the thread that makes it.
        arguments: its six arguments, as numbers.
    """

    name: str
    pid: int
    arguments: tuple[int, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """What it changes; of two the second one is what comes about."""
        pairs = zip(CALLS[self.name][1], self.arguments, strict=False)
        return tuple(
            self._string(value) if kind == "p" else self._descriptor(value) for kind, value in pairs if kind != "-"
        )

    @cached_property
    def data(self) -> bytes:
        """What a ``write`` is about to write."""
        return self._memory(self.arguments[1], self.arguments[2]) if self.name == "write" else b""

    @cached_property
    def argv(self) -> tuple[str, ...]:
        """What an ``execve`` starts."""
        found = []
        for position in range(100):
            (pointer,) = struct.unpack("=Q", self._memory(self.arguments[1] + 8 * position, 8))
            if not pointer:
                break
            found.append(self._string(pointer))
        return tuple(found)

    def half(self) -> None:
        """Write the first half of what a ``write`` is about to write."""
        fields = Path(f"/proc/{self.pid}/fdinfo/{self.arguments[0]}").read_text().split()
        file = os.open(self.paths[0], os.O_WRONLY)
        try:
            end = os.fstat(file).st_size
            appending = int(fields[3], 8) & os.O_APPEND
            os.pwrite(file, self.data[: len(self.data) // 2], end if appending else int(fields[1]))
        finally:
            os.close(file)

    def _memory(self, address: int, size: int) -> bytes:
        with Path(f"/proc/{self.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(size)

    def _string(self, address: int) -> str:
        # Not beyond the page: the next one may not be there.
        data = b""
        while b"\0" not in data:
            data += self._memory(address + len(data), 4096 - (address + len(data)) % 4096)
        return os.fsdecode(data[: data.index(b"\0")])

    def _descriptor(self, number: int) -> str:
        return str(Path(f"/proc/{self.pid}/fd/{number}").readlink())


Judge = Callable[[Call], int]
"""Is asked before each call; returns 0 to let it through, the number of the error with which it fails, or PRETEND."""

PRETEND = -1
"""The call is not made, and returns 0 all the same."""


@dataclass
class Sentence:
    """A judge that lets through the first ``position - 1`` calls and does something about the next one.

    Attributes:
        position: which call, from 1.
        deed: is done about it; returns an error number or 0.
        calls: how many there were.
    """

    position: int
    deed: Judge
    calls: int = field(default=0, init=False)

    def __call__(self, call: Call) -> int:
        """Count, and judge."""
        self.calls += 1
        return self.deed(call) if self.calls == self.position else 0


def kill(call: Call) -> int:
    """Kill the process: in the middle of a ``write``, before any other call is made."""
    if call.name == "write":
        call.half()
    os.kill(call.pid, signal.SIGKILL)
    return 0


def watch(work: Callable[[], int], judge: Judge) -> int:
    """Do some work in a child of ours, ask the judge before each call, and return how the child ended.

    Returns:
        Its exit status, 70 after an exception, negative for a signal. What it started and what goes on after it is
        no longer judged.
    """
    ours, theirs = socket.socketpair()
    if (child := os.fork()) == 0:
        status = 70
        try:
            listener = _filter()
            socket.send_fds(theirs, [b"x"], [listener])
            os.close(listener)
            theirs.close()
            ours.close()
            status = work()
        finally:
            # Whatever happens, this copy of the test runner must not go on.
            os._exit(status)
    theirs.close()
    _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    status = _serve(listener, child, judge)
    # Programs that outlive the child make such calls too, until they end or we do.
    threading.Thread(target=_serve, args=(listener, 0, lambda _: 0), daemon=True).start()
    return status


def _filter() -> int:
    """Filter the system calls of this process and of all that it starts; return what tells of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = b"".join(_instructions())
    buffer = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)))
    # Who may not administer the machine must give up what set-user-ID programs would give.
    if os.geteuid() != 0:
        libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = libc.syscall(SYS_SECCOMP, SET_FILTER, NEW_LISTENER, header)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))
    return int(listener)


def _instructions() -> list[bytes]:
    """Return a program for the kernel that asks for ``CALLS``, but for looking and for talking (seccomp(2))."""

    def instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    number, architecture, first, third = 0, 4, 16, 32
    allow, ask = instruction(RETURN, ALLOW), instruction(RETURN, ASK)
    made = [instruction(LOAD, architecture), instruction(EQUAL, X86_64, 1), allow, instruction(LOAD, number)]
    for name, (call, _) in CALLS.items():
        match name:
            case "openat":
                # Flags: asked for when one of the bits is set.
                body = [instruction(LOAD, third), instruction(ANY_BIT, WRITING, 0, 1), ask, allow]
            case "write":
                # Standard output and standard error are talk.
                body = [instruction(LOAD, first), instruction(GREATER, 2, 0, 1), ask, allow]
            case _:
                body = [ask]
        made += [instruction(EQUAL, call, 0, len(body)), *body]
    return [*made, allow]


def _serve(listener: int, child: int, judge: Judge) -> int:
    """Answer until the child has ended, or with 0 for a child until there is nobody left to ask."""
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    process = os.pidfd_open(child) if child else -1
    if child:
        waiting.register(process, select.POLLIN)
    while True:
        ready = dict(waiting.poll())
        if ready.get(listener, 0) & select.POLLIN:
            _answer(listener, judge)
        elif process in ready:
            os.close(process)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        elif ready.get(listener, 0) & select.POLLHUP:
            if not child:
                os.close(listener)
                return 0
            waiting.unregister(listener)


def _answer(listener: int, judge: Judge) -> None:
    notice = bytearray(NOTICE.size)
    try:
        fcntl.ioctl(listener, RECEIVE, notice)
    except FileNotFoundError:
        # It was killed meanwhile.
        return
    identity, pid, _, number, _, _, *arguments = NOTICE.unpack(notice)
    verdict = 0
    # A thread that was killed from elsewhere has no memory to look at any more.
    with suppress(ProcessLookupError, FileNotFoundError):
        verdict = judge(Call(NAMES[number], pid, tuple(arguments)))
    reply = REPLY.pack(identity, 0, 0 if verdict == PRETEND else -verdict, 0 if verdict else GO_ON)
    try:
        fcntl.ioctl(listener, SEND, bytearray(reply))
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.EINPROGRESS}:
            raise
