"""A hub of one folder on this machine, with faults on request: what huggingface_hub's client asks of one, over HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class SmallHub:
    """Serves `folder` as the repository `hub_id` at one commit; after `cut_after` bytes of weights it hangs up once."""

    def __init__(self, folder: Path, hub_id: str) -> None:
        self.folder, self.hub_id = folder, hub_id
        self.status = 200
        self.cut_after: int | None = None
        self.sent: list[tuple[str, int]] = []  # of each download: the file, and at which byte it began

    @contextmanager
    def running(self) -> Iterator[str]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self, has_body=False)

            def do_GET(self) -> None:
                hub.answer(self, has_body=True)

            def log_message(self, *words: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, request: Any, has_body: bool) -> None:
        path = urlparse(request.path).path
        if self.status != 200:
            code = {401: "RepoNotFound", 403: "GatedRepo"}.get(self.status, "")
            self._send(request, self.status, b"{}", has_body, {"X-Error-Code": code} if code else {})
        elif path.startswith(f"/api/models/{self.hub_id}"):
            self._about(request, path.removeprefix(f"/api/models/{self.hub_id}"), has_body)
        elif path.startswith(f"/{self.hub_id}/resolve/{COMMIT}/"):
            self._file(request, path.rpartition("/")[2], has_body)
        else:
            self._send(request, 404, b"{}", has_body, {"X-Error-Code": "RepoNotFound"})

    def _about(self, request: Any, rest: str, has_body: bool) -> None:
        if rest not in ("", "/revision/main", f"/revision/{COMMIT}") and not rest.startswith(f"/tree/{COMMIT}"):
            self._send(request, 404, b"{}", has_body, {"X-Error-Code": "RevisionNotFound"})
            return
        files = sorted(self.folder.iterdir())
        if rest.startswith("/tree/"):
            made: Any = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": _etag(f)} for f in files]
        else:
            made = {"id": self.hub_id, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
        self._send(request, 200, json.dumps(made).encode(), has_body, {"Content-Type": "application/json"})

    def _file(self, request: Any, name: str, has_body: bool) -> None:
        path = self.folder / name
        if not path.is_file():
            self._send(request, 404, b"", has_body, {"X-Error-Code": "EntryNotFound"})
            return
        data = path.read_bytes()
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{_etag(path)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if has_body:
            self.sent.append((name, start))
        if has_body and self.cut_after is not None and name.endswith(".safetensors"):
            cut, self.cut_after = self.cut_after, None
            self._send(request, 200, data, True, headers, cut)
            request.close_connection = True
            return
        self._send(request, 206 if start else 200, data[start:], has_body, headers)

    def _send(
        self, request: Any, status: int, data: bytes, has_body: bool, headers: dict[str, str], cut: int | None = None
    ) -> None:
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            request.send_header(name, value)
        request.end_headers()
        if has_body:
            request.wfile.write(data[:cut])


def _etag(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
