"""A small HTTP proxy that stands before a server and misbehaves as told, one request at a time."""

import contextlib
import http.client
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HANGS_S = 30.0
KINDS = ("slow", "503", "500", "429", "reset", "lost answer", "hang", "cut", "short", "long", "empty")
"""What can be done to a request:

slow: the answer comes in pieces over a second. 503, 500, 429: answered so without asking the server. reset: the
connection is reset at once; lost answer: the server does as asked, then the connection is reset. hang: nothing comes.
cut: the length is told right, and half the body comes. short: half the body comes, and its length is told. long: more
is told than comes. empty: a good answer without a body. Of DynamoDB and SQS also "throttled": refused in their words.
"""

Chooser = Callable[[str, str], str | None]


@dataclass
class FaultProxy:
    """Serves at `address`. `choose` gets method and path of a request and says what to do to it, None for nothing."""

    upstream: str
    choose: Chooser = field(default=lambda _method, _path: None)
    address: str = ""
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def fail_first(self, kind: str, count: int, *, only: str = "") -> None:
        """Do this to the first requests whose method and path hold a text; the others pass."""
        left = [count]

        def choose(method: str, path: str) -> str | None:
            if left[0] > 0 and only in f"{method} {path}":
                left[0] -= 1
                return kind
            return None

        self.choose = choose

    def fail_all(self, kind: str, *, only: str = "") -> None:
        self.choose = lambda method, path: kind if only in f"{method} {path}" else None


@contextlib.contextmanager
def misbehaving(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before the server at this address, until the end of the block."""
    proxy = FaultProxy(upstream)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while _serve(self, proxy):
                    pass

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()


def _serve(handler: socketserver.StreamRequestHandler, proxy: FaultProxy) -> bool:
    """One request and its answer; False where the connection is over."""
    line = handler.rfile.readline().decode("latin-1").split()
    if len(line) != 3:
        return False
    method, path, _ = line
    headers = dict(_headers(handler))
    names = {name.lower(): value for name, value in headers.items()}
    if names.get("expect", "").lower() == "100-continue":
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = handler.rfile.read(int(names.get("content-length", 0)))
    kind = proxy.choose(method, path + " " + names.get("x-amz-target", ""))
    proxy.seen.append((method, path, kind))
    if kind == "reset":
        return _reset(handler)
    if kind == "hang":
        time.sleep(HANGS_S)
        return False
    if kind in ("503", "500", "429"):
        answer = f"HTTP/1.1 {kind} Sorry\r\nContent-Length: 8\r\nConnection: close\r\n\r\nslow dow"
        handler.wfile.write(answer.encode())
        return False
    if kind == "throttled":
        handler.wfile.write(_throttled("sqs" if "SQS" in names.get("x-amz-target", "") else "dynamodb"))
        return False
    status, reason, answered, content = _asked(proxy.upstream, method, path, headers, body)
    if kind == "lost answer":
        return _reset(handler)
    told = answered.pop("content-length", str(len(content)))
    is_head = method == "HEAD"
    if kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "short":
        content = content[: len(content) // 2]
        told = str(len(content))
    elif kind == "long":
        told = str(int(told) + 1_000)
    elif kind == "empty":
        content, told = b"", "0"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in answered.items())]
    lines += [f"content-length: {told}", "connection: close", "", ""]
    handler.wfile.write("\r\n".join(lines).encode("latin-1"))
    if not is_head:
        _send(handler, content, is_slow=kind == "slow")
    return False


def _throttled(service: str) -> bytes:
    word = {
        "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "sqs": "com.amazonaws.sqs#RequestThrottled",
    }[service]
    body = json.dumps({"__type": word, "message": "Too much is asked of it."}).encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _headers(handler: socketserver.StreamRequestHandler) -> Iterator[tuple[str, str]]:
    while line := handler.rfile.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        yield name, value.strip()


def _asked(
    upstream: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, str, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() != "expect":
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        left_out = ("connection", "transfer-encoding")
        found = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in left_out}
        return answer.status, answer.reason, found, answer.read()
    finally:
        connection.close()


def _send(handler: socketserver.StreamRequestHandler, content: bytes, *, is_slow: bool) -> None:
    step = max(1, len(content) // 10) if is_slow else max(1, len(content))
    for start in range(0, len(content), step):
        if is_slow:
            time.sleep(0.1)
        handler.wfile.write(content[start : start + step])


def _reset(handler: socketserver.StreamRequestHandler) -> bool:
    """Close the connection so that the other side reads "connection reset"."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    return False
