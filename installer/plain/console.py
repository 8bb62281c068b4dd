"""A terminal that only prints lines and reads lines: ASCII, wrapped, without any control sequence."""

from __future__ import annotations

import getpass
import io
import sys
import textwrap
from collections.abc import Sequence

import click

PLAIN_FORMS = str.maketrans(
    {"\u2026": "...", "\u2013": "-", "\u2014": "-", "\u2192": "->", "\u2018": "'", "\u2019": "'", "\u00a0": " "}
    | dict.fromkeys("\u201c\u201d\u201e", '"')
)
USUAL_COLUMNS, USUAL_ROWS = 80, 24


def ascii_only(text: str) -> str:
    """Return a line as ASCII; what a terminal would act on is shown as ``?``, other characters as escapes."""
    plain = text.expandtabs(4).translate(PLAIN_FORMS).encode("ascii", "backslashreplace").decode("ascii")
    return "".join(character if character.isprintable() else "?" for character in plain)


def wrapped(text: str, width: int) -> list[str]:
    """Return text as lines that fit, as far as its words do; what goes on of an indented line is indented further."""
    lines = []
    for line in map(ascii_only, text.splitlines() or [""]):
        if len(line) <= width:
            lines.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line.strip(),
            width,
            initial_indent=indent,
            subsequent_indent=indent and indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


class Console:
    """Prints and reads lines.

    Attributes:
        width: of a line, in characters.
        rows: of the screen.
    """

    def __init__(self, columns: int, rows: int) -> None:
        # The last column makes some terminals go to the next line by themselves.
        self.width = (columns or USUAL_COLUMNS) - 1
        self.rows = rows or USUAL_ROWS
        if isinstance(sys.stdin, io.TextIOWrapper):
            # A byte of another encoding is a wrong answer, not the end.
            sys.stdin.reconfigure(errors="replace")

    def say(self, text: str = "") -> None:
        """Print text."""
        for line in wrapped(text, self.width):
            click.echo(line)

    def copy(self, text: str) -> None:
        """Print text line by line as it is, since where a line ends matters in it."""
        for line in text.splitlines():
            click.echo(ascii_only(line))

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.say()
        self.say(text)
        self.say("-" * min(len(text), self.width))

    def ask(self, prompt: str) -> str:
        """Return what is typed, without spaces around it.

        Raises:
            EOFError: there is no more input.
            KeyboardInterrupt: Ctrl-C.
        """
        # Python would write a prompt of input() to standard error.
        click.echo(self._fitted(prompt), nl=False)
        return input().strip()

    def ask_secretly(self, prompt: str) -> str:
        """Return what is typed; it does not appear on the screen.

        Raises:
            EOFError: there is no more input.
            KeyboardInterrupt: Ctrl-C.
        """
        # Printed only once the echo is off, so that nothing typed after it is seen or lost.
        return getpass.getpass(self._fitted(prompt), sys.stdout).strip()

    def _fitted(self, prompt: str) -> str:
        """Return a prompt that leaves some room for the answer."""
        return "\n".join(wrapped(prompt, self.width - 20)) + " "

    def choose(self, title: str, options: Sequence[str], default: int | None = None) -> int:
        """Return which of some numbered options is chosen, from 0; ``default`` is taken by Enter."""
        self.say()
        self.say(title)
        for number, option in enumerate(options, 1):
            self.say(f"  {number}. {option}")
        preset = "" if default is None else f" [{default + 1}]"
        while True:
            typed = self.ask(f"Number{preset}:")
            if not typed and default is not None:
                return default
            if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(options):
                return int(typed) - 1
            self.say(f"Type a number from 1 to {len(options)}.")

    def confirm(self, prompt: str, *, default: bool) -> bool:
        """Return whether the answer is yes; ``default`` is taken by Enter."""
        words = {"": default, "y": True, "yes": True, "n": False, "no": False}
        while True:
            typed = self.ask(f"{prompt} [{'yes' if default else 'no'}]:").lower()
            if typed in words:
                return words[typed]
            self.say("Type yes or no.")

    def page(self, text: str) -> None:
        """Print a long text, one screen at a time."""
        lines = wrapped(text, self.width)
        step = max(self.rows - 2, 1)
        for start in range(0, len(lines), step):
            for line in lines[start : start + step]:
                click.echo(line)
            if start + step < len(lines) and self.ask("Enter for more, q to stop:").lower() == "q":
                return
