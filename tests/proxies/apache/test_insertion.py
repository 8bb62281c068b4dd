"""Where one line goes in a virtual host of Apache's."""

from __future__ import annotations

import pytest

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.apache.insertion import place
from palpo_installer.proxies.virtual_hosts import Impossible

LINE = "IncludeOptional /etc/apache2/palpo-installer/example.com-443.con[f]"


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("<VirtualHost *:80>\n  ServerName a\n</VirtualHost>\n", 1, AddedLine(f"  {LINE}", 2)),
        ("# x\n\n<virtualhost *:80>\n\n# y\n\tServerName a\n</VirtualHost>", 3, AddedLine(f"\t{LINE}", 4)),
        ("<IfModule m>\n<VirtualHost a b>\r\n</VirtualHost>\r\n</IfModule>", 2, AddedLine(f"    {LINE}", 3)),
    ],
)
def test_it_is_the_first_in_the_virtual_host(text: str, number: int, expected: AddedLine) -> None:
    """Indented as what follows, whatever comments and empty lines come between."""
    assert place(text.encode(), number, LINE) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("<VirtualHost *:80 \\\n 192.0.2.1:80>\n</VirtualHost>\n", 1),
        ("<Macro site $name>\n<VirtualHost *:80>\n</VirtualHost>\n</Macro>\n", 1),
        ("Use site a\n", 1),
        ("ServerName a\n", 9),
    ],
)
def test_what_is_written_otherwise_is_for_a_person(text: str, number: int) -> None:
    """An opening over two lines, a macro, or no virtual host at all."""
    assert isinstance(place(text.encode(), number, LINE), Impossible)


def test_a_comment_that_swallows_the_line_is_seen() -> None:
    """A line that ends in a backslash goes on in the next one, and ours must not become a part of it."""
    text = "<VirtualHost *:80> \\\n# and more\n</VirtualHost>\n"
    assert isinstance(place(text.encode(), 1, LINE), Impossible)
