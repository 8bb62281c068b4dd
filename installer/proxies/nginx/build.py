"""How nginx was built: the answer of ``nginx -V``, which reads nothing and writes nothing."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Build:
    """The defaults that were compiled in.

    Attributes:
        version: three numbers; further ones (OpenResty) are left out.
        modules: the ``--with-…`` words without that prefix, compiler and linker options left out.
        prefix: what relative paths outside the configuration are relative to.
        configuration: the main file; like the two that follow, relative to the prefix in use where it is relative.
        pid: the file of the process number.
        error_log: the error log, a file or ``stderr``.
        user: the account of the workers.
    """

    version: tuple[int, int, int]
    modules: tuple[str, ...]
    prefix: Path
    configuration: Path
    pid: str
    error_log: str
    user: str


def parse(text: str) -> Build | None:
    """Return the build that ``nginx -V`` tells of, None where the text is not from nginx."""
    version = re.search(r"^nginx version: \S+?/(\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    if version is None:
        return None
    words = _words(text)
    options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    return Build(
        version=(int(version[1]), int(version[2]), int(version[3])),
        modules=tuple(
            word.removeprefix("--with-")
            for word in words
            if word.startswith("--with-") and not word.startswith(("--with-cc", "--with-ld-opt"))
        ),
        prefix=Path(options.get("prefix") or "/usr/local/nginx"),
        configuration=Path(options.get("conf-path") or "conf/nginx.conf"),
        pid=options.get("pid-path") or "logs/nginx.pid",
        error_log=options.get("error-log-path") or "logs/error.log",
        user=options.get("user") or "nobody",
    )


def _words(text: str) -> list[str]:
    arguments = re.search(r"^configure arguments:(.*)$", text, re.MULTILINE)
    try:
        return shlex.split(arguments[1]) if arguments else []
    except ValueError:
        return []
