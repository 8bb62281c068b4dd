from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from palpo_installer.facts.certificates import Certificate, parse, read
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx
from tests.facts.made import START, certificate
from tests.recorded import RecordedHost, Recording

CHAIN, KEY = Path("/c.pem"), Path("/k.pem")


def nginx(*pairs: tuple[str, str]) -> Nginx:
    """Return an nginx whose one site names these certificates and keys."""
    names = tuple(zip(*pairs, strict=True)) or ((), ())
    site = ServerBlock((), (), names[0], Path("/etc/nginx/nginx.conf"), 7, names[1])
    main = Path("/etc/nginx/nginx.conf")
    return Nginx(Path("/n"), (1, 22, 1), main, (), (site,), (), (), "", "", "", None, "", None, (), ())


def look(host: Host, server: Nginx | None = None) -> tuple[tuple[Certificate, ...], list[str]]:
    """Return the certificates and the sentences about what could not be read."""
    notes: list[str] = []
    return read(host, (server,) if server else (), notes.append), notes


def test_a_certificate_says_names_issuer_and_validity() -> None:
    """Names are in lower case, addresses beside them; times are UTC."""
    made = certificate("Example.org", "*.example.org", "192.0.2.1", issuer="Some CA")
    found = parse(made.chain, made.key, CHAIN, KEY)
    assert (found.names, found.issuer) == (("example.org", "*.example.org", "192.0.2.1"), "Some CA")
    assert (found.not_before, found.not_after) == (START, START + timedelta(days=90))
    assert len(found.sha256) == 64
    assert found.matches_key is True
    assert (found.covers("a.example.org"), found.covers("a.b.example.org")) == (True, False)


def test_the_leaf_is_the_first_of_the_chain() -> None:
    """An intermediate that follows changes nothing."""
    made, intermediate = certificate("example.org"), certificate("intermediate.example")
    assert parse(made.chain + intermediate.chain, made.key, CHAIN, KEY).names == ("example.org",)


def test_a_key_belongs_to_the_leaf_or_not_or_cannot_be_told() -> None:
    """A key locked by a password says nothing; a broken one is not the leaf's."""
    made, other = certificate("example.org"), certificate("example.org")
    for key, expected in ((other.key, False), (b"broken", False), (made.locked, None), (None, None)):
        assert parse(made.chain, key, CHAIN, KEY).matches_key is expected


@pytest.mark.parametrize("data", [b"", b"broken", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate_is_refused(data: bytes) -> None:
    """Empty, no PEM at all, and PEM around nothing."""
    with pytest.raises(ValueError, match=r"."):
        parse(data, None, CHAIN, KEY)


def test_all_places_are_looked_at_and_no_file_twice(tmp_path: Path) -> None:
    """Our lineages, the local authority, the system's certbot, and what nginx names."""
    layout = Layout(tmp_path)
    places = (
        layout.acme / "live/palpo-a",
        layout.authority / "b.example",
        tmp_path / "etc/letsencrypt/live/c.example",
    )
    for number, place in enumerate(places):
        certificate(f"n{number}.example").write(place / "fullchain.pem", place / "privkey.pem")
    certificate("shop.example").write(tmp_path / "shop.pem", tmp_path / "shop.key")
    (layout.acme / "live/README").write_text("x")
    named = ((str(tmp_path / "shop.pem"), str(tmp_path / "shop.key")),) * 2
    again = ((str(places[2] / "fullchain.pem"), str(places[2] / "privkey.pem")),)
    found, notes = look(Host(layout), nginx(*named, *again))
    assert [each.names[0] for each in found] == ["n0.example", "n1.example", "n2.example", "shop.example"]
    assert notes == []


def test_what_is_broken_or_missing_becomes_a_sentence(tmp_path: Path) -> None:
    """Each problem names its file, and no other certificate is lost by it."""
    made = certificate("good.example")
    made.write(tmp_path / "good.pem", tmp_path / "good.key")
    (tmp_path / "broken.pem").write_text("broken")
    (tmp_path / "directory.pem").mkdir()
    (tmp_path / "keyless.pem").write_bytes(made.chain)
    names = ("broken.pem", "missing.pem", "directory.pem", "keyless.pem", "good.pem")
    keys = {"keyless.pem": "no.key"}
    pairs = [(str(tmp_path / name), str(tmp_path / keys.get(name, "good.key"))) for name in names]
    found, notes = look(RecordedHost(Recording({}), tmp_path), nginx(*pairs))
    assert [each.chain.name for each in found] == ["good.pem"]
    assert notes[0].startswith(f"{tmp_path}/broken.pem: no certificate can be read from it")
    assert notes[1:] == [
        f"{tmp_path}/missing.pem: the certificate is missing.",
        f"{tmp_path}/directory.pem: cannot be read: Is a directory.",
        f"{tmp_path}/no.key: the private key of {tmp_path}/keyless.pem is missing.",
    ]


def test_a_certificate_that_nginx_chooses_at_run_time_is_told(tmp_path: Path) -> None:
    """A variable or inline data is no file that could be looked at."""
    found, notes = look(
        Host(Layout(tmp_path)), nginx((f"{tmp_path}/$ssl_server_name.pem", f"{tmp_path}/k"), ("data:x", "data:y"))
    )
    assert (found, len(notes)) == ((), 2)
    assert notes[1].startswith("/etc/nginx/nginx.conf:7: ")


def test_without_root_a_closed_directory_is_told(tmp_path: Path) -> None:
    """Only root may list certbot's directory, and an empty result must not look like none."""
    (tmp_path / "etc/letsencrypt").mkdir(parents=True)
    _, notes = look(RecordedHost(Recording({}, root=False), tmp_path))
    assert notes == [f"{tmp_path}/etc/letsencrypt/live: only root can look for certificates there."]
