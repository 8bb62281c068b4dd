"""The real matrix-media-repo: built from the Go module proxy, and started on a lab host with a database of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.hosts import LabHost
from tests.lab.running import ENVIRONMENT, Running, until
from tests.lab.trees import kept

MODULE, VERSION = "github.com/t2bot/matrix-media-repo", "v1.3.8"
HOME = "/srv/mmr"
CONFIGURATION = f"{HOME}/media-repo.yaml"
LOG = f"{HOME}/log"
LIMIT = 30 << 20
"""The largest upload, above Palpo's 16 MiB."""

YAML = f"""\
repo: {{bindAddress: '127.0.0.1', port: 8000, logDirectory: '-'}}
database: {{postgres: "postgres://media@127.0.0.1/media?sslmode=disable"}}
homeservers:
  - name: example.com
    csApi: http://127.0.0.1:8008
uploads: {{maxBytes: {LIMIT}}}
datastores:
  - {{type: file, id: main, forKinds: [thumbnails, remote_media, local_media, archives], opts: {{path: {HOME}/media}}}}
"""
WITHOUT_HEIF = {
    "go.mod": "module github.com/strukturag/libheif\n\ngo 1.22\n",
    "go/heif/heif.go": "package heif\n",
}
"""Stands for the one library in C, which makes previews of HEIF pictures: Debian's is older than it asks for."""

READER = """\
package main

import (
	"encoding/json"
	"os"

	"github.com/t2bot/matrix-media-repo/common/config"
)

type server struct {
	Name, CsApi, SigningKey  string
	UploadSize, TokenSeconds int64
}

func main() {
	config.Path = os.Args[1]
	repo, served := config.Get().General, []server{}
	for _, each := range config.AllDomains() {
		served = append(served, server{each.Name, each.ClientServerApi, each.SigningKeyPath,
			each.Uploads.MaxSizeBytes, int64(each.AccessTokens.MaxCacheTimeSeconds)})
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"address": repo.BindAddress, "port": repo.Port,
		"use_forwarded_host": repo.UseForwardedHost, "served": served})
}
"""
"""Says what the repository reads in a configuration, by its own code."""


@dataclass(frozen=True)
class Built:
    """Where the programs are, and the directories that they need beside them."""

    directory: Path

    def program(self, name: str) -> str:
        """Return the path of ``media_repo``, ``generate_signing_key`` or ``reader``."""
        return str(self.directory / name)

    def reads(self, path: Path) -> object:
        """Return what a configuration says by the repository's own code, None where it does not start with it."""
        ended = subprocess.run([self.program("reader"), str(path)], check=False, capture_output=True, text=True)
        said = json.loads(ended.stdout) if ended.returncode == 0 else None
        return said and {**said, "served": sorted(said["served"], key=lambda each: str(each["Name"]))}


def built() -> Built:
    """Return the built programs; skip where they cannot be built."""
    go = shutil.which("go", path=f"{ENVIRONMENT['PATH']}:/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        pytest.skip("needs Go: matrix-media-repo is built from its source")
    return Built(kept("media-repository", f"{VERSION} {READER}", lambda into: _build(go, into)))


def _build(go: str, into: Path) -> None:
    # Modules and what was compiled stay with the one who runs the tests, as always with Go.
    environment = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}

    def run(*arguments: str, at: Path = into) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [go, *arguments], cwd=at, env=environment, check=False, capture_output=True, text=True, timeout=1800
        )

    fetched = run("mod", "download", "-json", f"{MODULE}@{VERSION}")
    if fetched.returncode != 0:
        pytest.skip(f"the Go module proxy gave no matrix-media-repo: {fetched.stdout}{fetched.stderr}")
    source = into / "source"
    shutil.copytree(json.loads(fetched.stdout)["Dir"], source, copy_function=shutil.copyfile)
    for path in (source, *(each for each in source.rglob("*") if each.is_dir())):
        path.chmod(0o755)
    for name, text in WITHOUT_HEIF.items():
        (source / "heif" / name).parent.mkdir(parents=True, exist_ok=True)
        (source / "heif" / name).write_text(text)
    (source / "cmd/reader").mkdir()
    (source / "cmd/reader/main.go").write_text(READER)
    # Its own build packs these directories into the program; here they stay beside it.
    assets = "package assets\n\nvar f2CompressedFiles = map[string]string{}\n"
    (source / "common/assets/assets.bin.go").write_text(assets)
    version = f"-X {MODULE}/common/version.Version={VERSION}"
    programs = ("./cmd/workers/media_repo", "./cmd/utilities/generate_signing_key", "./cmd/reader")
    for arguments in (
        ("mod", "edit", "-replace", "github.com/strukturag/libheif=./heif"),
        ("build", "-p", "2", "-ldflags", version, "-o", f"{into}/", *programs),
    ):
        ended = run(*arguments, at=source)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in ("migrations", "templates", "assets"):
        (source / name).rename(into / name)
    (source / "config.sample.yaml").rename(into / "config.sample.yaml")
    shutil.rmtree(source)


def start_database(host: LabHost) -> None:
    """Start a PostgreSQL of the host's own, in a directory of its own; skip where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    programs, owner = found[-1].parent, "postgres"
    host.output(["install", "-d", "-o", owner, "/srv/postgresql"])
    as_owner = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
    data = "/srv/postgresql/data"
    host.output([*as_owner, f"{programs}/initdb", "-A", "trust", "-U", "media", "-E", "UTF8", "--locale=C", "-D", data])
    settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=/srv/postgresql", "fsync=off")
    host.start([*as_owner, f"{programs}/postgres", "-D", data, *(word for each in settings for word in ("-c", each))])
    create = [f"{programs}/createdb", "-h", "127.0.0.1", "-U", "media", "media"]
    until(lambda: host.run(create).returncode == 0, "a database", timeout=60)


def start(host: LabHost, programs: Built, *, authority: str = "") -> Running:
    """Start the repository with the configuration that is there; ``authority`` is a file that it trusts too."""
    host.output(["mkdir", "-p", f"{HOME}/media"])
    for name in ("migrations", "templates", "assets"):
        host.output(["ln", "-sfn", f"{programs.directory}/{name}", f"{HOME}/{name}"])
    command = f"cd {HOME} && exec {programs.program('media_repo')} -config {CONFIGURATION} >>{LOG} 2>&1"
    environment = {"SSL_CERT_FILE": authority} if authority else {}
    running = host.start(["sh", "-c", command], environment=environment)
    until(lambda: (("127.0.0.1", 8000) in host.listening()) or not running.alive, "the media repository", timeout=60)
    assert running.alive, host.read(LOG)
    return running
