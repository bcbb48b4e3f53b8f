"""A model hub on loopback that speaks the protocol of huggingface.co, and a machine that fetches from it.

What huggingface_hub's client asks for: `/api/models/REPO/revision/REV` with sizes and large-file sha256, and
`/REPO/resolve/REV/PATH` by HEAD and GET, with `X-Repo-Commit`, `ETag`, `X-Linked-Size` and `X-Linked-Etag`, where
large files are redirected to another host. Ranges are answered 206.
"""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from click.testing import CliRunner

from cli.main import atelier
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel, read_lock, write_lock
from tests.support.paths import ROOT
from tests.support.servers.quiet_server import QuietServer
from tests.support.service.fork_server import Forked, fork_server

LARGE = (".safetensors", ".pt", ".bin", ".onnx")
"""Endings that the hub keeps in large file storage."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blob_id(data: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Asked(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    range: str | None
    token: str | None


class Hub:
    """Repositories as `{(repo, commit): {path: bytes}}`, and plain files by path. A context manager.

    `cut` has, by path, after how many bytes of a body the next connections are lost; `wrong` what is sent instead of
    a file; `moved` the commit that is answered with, whatever was asked for; `status` what the next requests for a
    body are refused with; `ignores_range` is of a server that knows no ranges; without `names_blobs` no list says what
    git calls a file; while `stalled` is clear, connections
    that are to be lost after no byte at all are kept open instead.
    """

    def __init__(self, *, certificate: Path | None = None) -> None:
        self.repos: dict[tuple[str, str], dict[str, bytes]] = {}
        self.plain: dict[str, bytes] = {}
        self.cut: dict[str, list[int]] = {}
        self.wrong: dict[str, bytes] = {}
        self.moved: str | None = None
        self.status: dict[str, list[int]] = {}
        self.ignores_range = False
        self.stalled = threading.Event()
        self.stalled.set()
        self.gated: set[str] = set()
        self.names_blobs = True
        self.asked: list[Asked] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "Hub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stalled.set()
        self._server.shutdown()
        self._server.server_close()

    def bodies(self, name: str) -> list[Asked]:
        """The requests for the bytes of a file: those that were not redirected."""
        return [one for one in self.asked if one.method == "GET" and one.path.endswith("/" + name) and _is_last(one)]


def _is_last(asked: Asked) -> bool:
    return asked.path.startswith("/cdn/") or not asked.path.endswith(LARGE) or "/resolve/" not in asked.path


class _Server(QuietServer):
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        hub.asked.append(Asked(self.command, path, self.headers["range"], self.headers["authorization"]))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            self._list("/".join(parts[2:4]), parts[5])
        elif parts[2:3] == ["resolve"]:
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        elif parts[0] == "cdn":
            self._send("/".join(parts[4:]), hub.repos["/".join(parts[1:3]), parts[3]]["/".join(parts[4:])])
        elif path in hub.plain:
            self._send(parts[-1], hub.plain[path])
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def _list(self, repo: str, revision: str) -> None:
        if not any(known == repo for known, _ in self.server.hub.repos):
            return self._refuse(404, "RepoNotFound")
        files = self.server.hub.repos.get((repo, revision))
        if files is None:
            return self._refuse(404, "RevisionNotFound")
        siblings = [
            {"rfilename": path, "size": len(data)}
            | ({"blobId": blob_id(data)} if self.server.hub.names_blobs else {})
            | ({"lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 134}} if path.endswith(LARGE) else {})
            for path, data in files.items()
        ]
        commit = self.server.hub.moved or revision
        body = json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode()
        return self._answer(200, {"Content-Type": "application/json"}, body)

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        hub = self.server.hub
        if repo in hub.gated and self.headers["authorization"] is None:
            return self._refuse(401, "GatedRepo")
        files = hub.repos.get((repo, revision))
        if files is None:
            return self._refuse(404, "RevisionNotFound")
        if path not in files:
            return self._refuse(404, "EntryNotFound")
        data, headers = files[path], {"X-Repo-Commit": hub.moved or revision}
        if not path.endswith(LARGE):
            return self._send(path, data, headers | {"ETag": f'"{blob_id(data)}"'})
        headers |= {
            "ETag": '"of-the-pointer"',
            "X-Linked-Etag": f'"{sha256(data)}"',
            "X-Linked-Size": str(len(data)),
            "Location": f"http://localhost:{hub.port}/cdn/{repo}/{revision}/{path}",
        }
        return self._answer(302, headers, b"")

    def _send(self, path: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        hub = self.server.hub
        if hub.status.get(path):
            return self._refuse(hub.status[path].pop(0), "")
        data, status, headers = hub.wrong.get(path, data), 200, {"Accept-Ranges": "bytes", **(headers or {})}
        asked = self.headers["range"]
        if asked is not None and not hub.ignores_range:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                return self._answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(data) - 1}/{len(data)}"
            data = data[start:]
        cut = hub.cut.get(path, [])
        return self._answer(status, headers, data, cut.pop(0) if cut and self.command == "GET" else None)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, {"X-Error-Code": code}, b"")

    def _answer(self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            if cut == 0:
                self.server.hub.stalled.wait(60)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Proxy:
    """An HTTP proxy that takes every CONNECT to one port of this machine, whatever its name. A context manager."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked.append(self.path)
                with socket.create_connection(("127.0.0.1", port)) as far:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
                    back.start()
                    _pump(self.connection, far)
                    back.join()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class Machine:
    """A catalog, a lock and a weights folder of their own, and `atelier weights` on them in a process of its own.

    It is forked from one with its imports done, but those of the hub's client, which reads its environment then.
    """

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder = folder
        self.weights = folder / "weights"
        self.lock_file = folder / "weights.lock"
        self.catalog = folder / "models.toml"
        self.catalog.write_text("")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "TRANSFORMERS_", "ATELIER_"))  # an engine in this process goes offline
        }
        self.environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "ATELIER_CATALOG": str(self.catalog),
            "ATELIER_WEIGHTS_DIR": str(self.weights),
            "ATELIER_WEIGHTS_LOCK": str(self.lock_file),
            "ATELIER_DATA": str(folder / "data"),
        }

    def add_model(self, id: str, source: str, *, licence: str = "Apache-2.0", more: str = "") -> None:
        """One more entry of the catalog; `source` is its TOML."""
        entry = f'[[model]]\nid = "{id}"\ntitle = "T"\nfamily = "diffusers-image"\nmodality = "image"\n'
        entry += f'source = {source}\nlicence = {{ name = "{licence}", url = "https://example.org" }}\n{more}\n'
        self.catalog.write_text(self.catalog.read_text() + entry)

    def start(self, *words: str, **environment: str) -> Forked:
        """`atelier weights ...`, running."""
        return fork_server().spawn(
            [sys.executable, "-m", "cli.main", "weights", *words],
            env=self.environment | environment,
            name="atelier weights",
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str, status: int = 0, **environment: str) -> str:
        """What `atelier weights ...` says, lines unwrapped, after it has ended with `status`."""
        with self.start(*words, **environment) as process:
            output, _ = process.communicate(timeout=120)
        said = output.decode()
        assert status == process.returncode, said
        return _unwrapped(said)

    def run_here(self, *words: str, status: int = 0, **environment: str) -> str:
        """The same in this process, which is faster; for commands that ask no hub."""
        outcome = CliRunner().invoke(atelier, ["weights", *words], env=self.environment | environment)
        assert status == outcome.exit_code, outcome.output
        return _unwrapped(outcome.output)

    def write_lock(self, key: str, repo: str, commit: str, files: dict[str, bytes]) -> None:
        """Lock a bundle as the hub has it."""
        facts = {path: LockedFile(size=len(data), sha256=sha256(data)) for path, data in files.items()}
        before = self.lock().models if self.lock_file.exists() else {}
        write_lock(Lock({**before, key: LockedModel(files=facts, repo=repo, revision=commit)}), self.lock_file)

    def lock(self) -> Lock:
        return read_lock(self.lock_file)

    def files(self, key: str) -> dict[str, bytes]:
        """What lies in a bundle's folder."""
        folder = self.weights / key
        files = (file for file in sorted(folder.rglob("*")) if file.is_file())
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _decides_about_us(variable: str) -> bool:
    return variable.startswith(("HF_", "ATELIER_", "SSL_CERT_")) or variable.lower().endswith("_proxy")


def _unwrapped(said: str) -> str:
    return " ".join(said.replace("│", " ").split())
