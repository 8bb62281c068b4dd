"""The program that runs certbot: in a process of its own, which outlives the one that started it.

    python -I -m palpo_installer.certificates.child [--external-account FILE] [--answer ADDRESS DIRECTORY]
        -- CERTBOT-ARGUMENT …

It tells what happens in lines on its standard output (``palpo_installer.certificates.protocol``), the last one a
``Result``; everything that certbot prints goes to standard error. Nothing else imports certbot: it installs signal
handlers, rewires logging, and holds its locks until the process ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import acme.errors
import josepy.errors
from certbot import errors
from certbot._internal import constants
from certbot.main import main as certbot

from palpo_installer.certificates import external_account
from palpo_installer.certificates.protocol import Problem, Progress, Result, problems, progress, write
from palpo_installer.certificates.responder import answering
from palpo_installer.errors import InstallerError


class Observer(logging.Handler):
    """Reads from the log what certbot shows in words only, or swallows.

    Attributes:
        cause: the error that made a renewal fail; certbot raises one that only counts them.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.DEBUG)
        self._stream = stream
        self._problems: dict[Problem, None] = {}
        self._last = ""
        self.cause: Exception | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the CA said, each once, in order."""
        return tuple(self._problems)

    def tell(self, line: Progress | Result) -> None:
        """Send a line to the parent; it may be gone, and the file full."""
        with contextlib.suppress(OSError):
            self._stream.write(write(line))
            self._stream.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one log record; one of the CA's answers has status, headers and body as arguments."""
        match record.args:
            case (int(status), str(headers), str(body)):
                self._answer(status, headers, body)
            case (_, Exception() as error) if record.levelno >= logging.ERROR:
                self.cause = error

    def _answer(self, status: int, headers: str, body: str) -> None:
        try:
            document = json.loads(body)
        except ValueError:
            return
        if not isinstance(document, dict):
            return
        fields = (line.partition(":") for line in headers.splitlines())
        lower = {name.strip().lower(): value.strip() for name, _, value in fields}
        self._problems.update(dict.fromkeys(problems(status, lower, document, datetime.now(UTC))))
        text = progress(document)
        if text and text != self._last:
            self._last = text
            self.tell(Progress(text))


def failed(error: Exception) -> Result:
    """Return the result for an error."""
    return Result("failed", type(error).__name__, str(error))


def run(arguments: list[str]) -> Result:
    """Run certbot once and return how it ended, without what the CA said."""
    try:
        said = certbot(arguments)
    except SystemExit as ended:
        said = ended.code
    except (errors.Error, acme.errors.Error, josepy.errors.Error, OSError, ValueError) as error:
        return failed(error)
    # A text is an error message, as for sys.exit.
    return Result("failed", "Error", str(said)) if said else Result("done")


def main(arguments: list[str]) -> int:
    """Run certbot with the arguments after ``--``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--external-account", type=Path)
    parser.add_argument("--answer", nargs=2, default=("", ""))
    parser.add_argument("certbot", nargs="+")
    options = parser.parse_args(arguments)

    observer = Observer(sys.stdout)
    for name in ("acme.client", "certbot"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).addHandler(observer)
    # The administrator's own cli.ini is meant for their own certificates: its hooks and plugins must not run here.
    constants.CLI_DEFAULTS["config_files"].clear()

    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        certbot_arguments: list[str] = list(options.certbot)
        if options.external_account:
            # A file that only root can read: arguments are seen by everyone, and certbot logs its own.
            ini = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".ini"))
            try:
                ini.write(external_account.read(options.external_account).as_ini())
            except InstallerError as error:
                observer.tell(failed(error))
                return 1
            ini.flush()
            certbot_arguments += ["-c", ini.name]
        try:
            stack.enter_context(answering(options.answer[0], Path(options.answer[1])))
        except InstallerError as error:
            observer.tell(failed(error))
            return 1
        result = run(certbot_arguments)
    if result.status == "failed" and observer.cause:
        result = failed(observer.cause)
    observer.tell(replace(result, problems=observer.problems))
    return 0 if result.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
