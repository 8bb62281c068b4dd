from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from palpo_installer.answers import MEDIA_UPLOAD_SIZE, Address
from palpo_installer.errors import AnswersError
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.homeserver.settings import key_version
from palpo_installer.media.keys import PKCS8
from palpo_installer.plan import make
from palpo_installer.planning.media import findings
from tests.media.made import PATH, SOUND, edited
from tests.planning.made import carry_out, inputs_of, without_activations
from tests.recorded import recorded

MEDIA = {"media.upstream": "127.0.0.1:8000"}


def said(root: Path, text: str | None, raw: dict[str, object] | None = None) -> list[str]:
    """Return the findings on a host with a media-repo.yaml."""
    host = recorded("nginx_stopped", root)
    if text is not None:
        place = host.layout.at(PATH)
        place.parent.mkdir(parents=True)
        place.write_text(text)
    return list(findings(inputs_of(host, MEDIA if raw is None else raw)))


def test_without_a_media_repository_nothing_is_said(tmp_path: Path) -> None:
    """And none is offered, whatever is there for another server."""
    assert said(tmp_path / "none", None, {}) == []
    assert said(tmp_path / "other", edited(("name: example.com", "name: example.org")), {}) == []


def test_what_it_must_say_is_printed_where_it_cannot_be_read(tmp_path: Path) -> None:
    """With name, Palpo's address and the key; why, where that is known."""
    must, key = said(tmp_path / "none", None)
    assert 'name: "example.com", csApi: "http://127.0.0.1:8008"' in must
    assert "MMR PRIVATE KEY" in key
    assert "hunter2" not in must + key
    must, _ = said(tmp_path / "broken", "repo: [")
    assert "media-repo.yaml: line 1: " in must


def test_what_is_wrong_is_named_with_file_line_and_cure(tmp_path: Path) -> None:
    """In the plan, in whose summary the repository stands."""
    text = edited(("name: example.com", "name: matrix.example.com"))
    (finding,) = said(tmp_path, text)
    assert f"{tmp_path}{PATH}:7): It does not serve example.com" in finding
    assert 'homeservers: [{name: "example.com"' in finding
    host = recorded("nginx_stopped", tmp_path / "plan")
    plan = make(inputs_of(host, MEDIA))
    assert any("Media are kept by the media repository at 127.0.0.1:8000" in line for line in plan.summary)
    assert any("It must say" in finding for finding in plan.findings)


def test_the_commands_for_a_key_are_left_to_the_audit(tmp_path: Path) -> None:
    """They read palpo.toml, which is there when all is done, and a sentence that is broken over lines is no command."""
    (finding,) = said(tmp_path, edited(("    signingKeyPath: /etc/matrix-media-repo/signing.key\n", "")))
    assert finding.endswith("and name it there; `palpo-installer audit` prints the commands once this is done.")


def test_another_server_name_has_another_key(tmp_path: Path) -> None:
    """What palpo.toml says until then is the key that is given up: neither is it printed, nor is it the right one."""
    host = recorded("nginx_stopped", tmp_path)
    first = inputs_of(host)
    carry_out(without_activations(make(first)), first)
    renamed = {**MEDIA, "names.server_name": "example.net", "names.client_host": "matrix.example.net"}
    former, version = key_version("example.com"), key_version("example.net")
    *_, command = findings(inputs_of(host, renamed))
    assert f"'Key-ID: ed25519:{version}'" in command
    assert former not in command
    seed = b64decode(signing_key(host.layout, "example.com").reveal())[PKCS8:]
    key = host.layout.at("/etc/matrix-media-repo/signing.key")
    key.parent.mkdir(parents=True)
    pem = "MMR PRIVATE KEY"
    heading = f"-----BEGIN {pem}-----\nKey-ID: ed25519:{former}\nVersion: 1\n\n"
    key.write_text(f"{heading}{b64encode(seed).decode()}\n-----END {pem}-----\n")
    host.layout.at(PATH).write_text(SOUND)
    assert list(findings(inputs_of(host, MEDIA))) == []
    host.layout.at(PATH).write_text(edited(("name: example.com", "name: example.net")))
    (finding,) = findings(inputs_of(host, renamed))
    assert f"(ed25519:{former}) is not Palpo's (ed25519:{version})" in finding


def test_media_that_palpo_has_kept_are_named(tmp_path: Path) -> None:
    """Nothing takes them over."""
    storage = tmp_path / "var/lib/palpo/media"
    (storage / "matrix.org").mkdir(parents=True)
    kept, *_ = said(tmp_path, None)
    assert kept == f"{storage} holds media that Palpo has kept: behind a media repository they are not found any more"


def test_one_for_this_server_name_is_the_default(tmp_path: Path) -> None:
    """With the size that it takes; a size is no answer without a repository."""
    host = recorded("nginx_stopped", tmp_path)
    assert inputs_of(host).answers.media_upload_size == MEDIA_UPLOAD_SIZE
    place = host.layout.at(PATH)
    place.parent.mkdir(parents=True)
    place.write_text(f"{SOUND}uploads:\n  maxBytes: 31457280\n")
    answers = inputs_of(host).answers
    assert (answers.media, answers.media_upload_size) == (Address("127.0.0.1", 8000), 31457280)


def test_a_server_name_with_a_port_cannot_have_one(tmp_path: Path) -> None:
    """matrix-media-repo cuts names off at the first colon."""
    raw: dict[str, object] = {"names.server_name": "example.com:8448", "federation.delegation": "direct", **MEDIA}
    with pytest.raises(AnswersError, match=r"cannot serve example\.com:8448"):
        said(tmp_path, None, raw)
