"""Text of several lines, wrapped to the screen with its indents, and styled by what its lines are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

DIFFERENCES = "Differences"
"""The heading that ``review`` gives to the last part; importing it would keep the first frame waiting."""

STYLES = {"+": "$text-success", "-": "$text-error", "@": "$text-accent"}
LOUD = ("FAIL", "Not ", "!")


class Prose(Widget):
    """Plain text; headings stand at the left margin, everything else is indented. Signs stay, colours are extra."""

    def __init__(
        self,
        text: str = "",
        *,
        hang: int = 0,
        id: str | None = None,  # noqa: A002  # as every widget
        classes: str | None = None,
    ) -> None:
        """Show a text; a line that is too long goes on in column ``hang``, or a little further in than it began."""
        super().__init__(id=id, classes=classes)
        self._text = text
        self._hang = hang

    def show(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.refresh(layout=True)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it takes."""
        return sum(1 for _ in lines(self._text, width, self._hang)) if self._text else 0

    def render(self) -> Content:
        """Return the lines with their styles."""
        shown = [Content.styled(line, style) for line, style in lines(self._text, self.content_size.width, self._hang)]
        return Content("\n").join(shown)


def lines(text: str, width: int, hang: int = 0) -> Iterator[tuple[str, str]]:
    """Yield each line that is shown, none longer than the width, with its style."""
    in_differences = False
    for line in text.rstrip("\n").split("\n"):
        visible = "".join(character if character.isprintable() else " " for character in line.expandtabs(4))
        in_differences = in_differences or line == DIFFERENCES
        style = _style(visible, in_differences=in_differences)
        yield from ((part, style) for part in _wrapped(visible, max(width, 2 * hang, 20), hang, code=in_differences))


def _style(line: str, *, in_differences: bool) -> str:
    if line == DIFFERENCES or line.startswith(("--- ", "+++ ")):
        return "bold"
    if in_differences:
        return STYLES.get(line[:1], "")
    if line.lstrip().startswith(LOUD):
        return "bold"
    return "bold" if line and not line.startswith(" ") and not line.endswith((".", ",")) else ""


def _wrapped(line: str, width: int, hang: int, *, code: bool) -> list[str]:
    if len(line) <= width:
        return [line]
    margin = len(line) - len(line.lstrip())
    # A sentence at the left margin is a paragraph.
    indent = " " * (hang or (4 if code else margin + 2 if margin else 0))
    return textwrap.wrap(line, width, subsequent_indent=indent, drop_whitespace=not code, break_on_hyphens=False)
