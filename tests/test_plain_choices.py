"""Plain prompts: what a person chooses about edits and the server name before the review."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.conversation import applying
from palpo_installer.facts import gather
from palpo_installer.plain.asking import Asking
from palpo_installer.plain.reviewing import Review
from palpo_installer.plan import make
from tests.planning.made import carry_out, inputs_on, without_activations
from tests.situations import DATABASE
from tests.test_plain import Typing

GIVEN: dict[str, object] = {
    "names.server_name": "example.com",
    "names.client_host": "matrix.example.com",
    "certificates.method": "self-signed",
    "homeserver.database_url": DATABASE,
}


def review(root: Path, *lines: str, **more: str) -> str:
    """Apply the answers to a host, edit two files of it, and go through a review; return what was said."""
    inputs = inputs_on(root)
    carry_out(without_activations(make(inputs)), inputs)
    for half in ("http", "tls"):
        path = root / f"etc/nginx/sites-available/zz-palpo-installer-{half}.conf"
        path.write_text(f"# mine\n{path.read_text()}")
    console = Typing(lines, rows=200)
    given = {**GIVEN, **{key.replace("_", ".", 1): value for key, value in more.items()}}
    asking = Asking(console, inputs.host, gather(inputs.host), given)
    assert applying(asking.given, asking.talk())
    assert Review(console, inputs.host, asking).run() == 0
    assert not console.lines
    return console.said


def test_each_edit_is_asked_about_once(tmp_path: Path) -> None:
    """Enter keeps one; one that is given up is written anew in the review that follows, which asks no more."""
    said = " ".join(review(tmp_path, "", "no", "8").split())
    assert said.count("Keep your edit of ") == 2
    assert f"{tmp_path}/etc/nginx/sites-available/zz-palpo-installer-http.conf: your edit stays" in said
    assert f"{tmp_path}/etc/nginx/sites-available/zz-palpo-installer-tls.conf: your edit is given up" in said


def test_another_server_name_is_typed_again(tmp_path: Path) -> None:
    """What is lost is said before; only the name itself agrees."""
    more = {"names_server_name": "example.net", "names_client_host": "matrix.example.net"}
    said = " ".join(review(tmp_path, "example.net", "", "", "8", **more).split())
    assert "! Lost: every account @user:example.com" in said
    assert "The server name example.com is given up for example.net." in said
