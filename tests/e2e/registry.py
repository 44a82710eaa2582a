"""An image registry on loopback with one image in it, for pulls (OCI distribution specification, the reading half)."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PADDING = 8 << 20  # bytes, so that a pull has some way to go


class Registry:
    """Serves ``NAME:latest`` (``reference``), the image ``base`` with a file of random bytes on top."""

    def __init__(self, base: str) -> None:
        self._blobs: dict[str, bytes] = {}
        layers = [self._flattened(base), self._padding()]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh", "-c", "echo pulled; sleep 1000"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
        self._manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._put(json.dumps(config).encode(), CONFIG),
                "layers": [self._put(gzip.compress(layer, 1), LAYER) for layer in layers],
            }
        ).encode()
        self._blobs[_digest(self._manifest)] = self._manifest
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.reference = f"127.0.0.1:{self._server.server_port}/pulled:latest"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _put(self, blob: bytes, kind: str) -> dict[str, object]:
        self._blobs[_digest(blob)] = blob
        return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}

    @staticmethod
    def _flattened(base: str) -> bytes:
        made = subprocess.run(["docker", "create", base, "true"], capture_output=True, text=True, check=True)
        container = made.stdout.strip()
        try:
            return subprocess.run(["docker", "export", container], capture_output=True, check=True).stdout
        finally:
            subprocess.run(["docker", "rm", container], capture_output=True, check=True)

    @staticmethod
    def _padding() -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo("padding")
            member.size = PADDING
            archive.addfile(member, io.BytesIO(os.urandom(PADDING)))
        return buffer.getvalue()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        blobs, manifest = self._blobs, self._manifest

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                body = b"{}" if self.path == "/v2/" else manifest if name == "latest" else blobs.get(name)
                self.send_response(404 if body is None else 200)
                is_manifest = "/manifests/" in self.path
                self.send_header("Content-Type", MANIFEST if is_manifest else "application/octet-stream")
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                if body is not None:
                    self.send_header("Docker-Content-Digest", _digest(body))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
