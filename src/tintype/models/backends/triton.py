"""A model on a Triton Inference Server (or any that speaks its protocol, KServe's version 2): over HTTP or gRPC.

The server runs the network alone, as `triton_repository` writes it; images are prepared here, so that every engine is
given the same.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import shared_memory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ConfigError, MissingExtra, ModelError, ModelUnreachable
from tintype.core.names import shown
from tintype.models.backends.triton_model import datatype, mismatch, sent
from tintype.models.base import RunnerInfo
from tintype.models.card import Card
from tintype.models.triton_repository import FINGERPRINT

ADDRESS = "TINTYPE_TRITON"
"""The variable that says where the server is, as in grpc://127.0.0.1:8001 or http://models:8000."""

ROWS = 8
"""In one request: the server puts requests together."""

IN_FLIGHT = 4
WAIT_S = 60.0
"""How long a server may be gone before its rows fail."""

TIMEOUT_S = 30.0
CHECKED_S = 10.0
"""How often the server's model is compared with the card."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_PORTS = {"grpc": 8001, "http": 8000}
_HERE = ("127.0.0.1", "localhost", "::1")
_BUSY = ("429", "503", "StatusCode.UNAVAILABLE", "StatusCode.RESOURCE_EXHAUSTED", "StatusCode.DEADLINE_EXCEEDED", "499")

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Address:
    """Where a server is: `kind` is "grpc" or "http", `place` is HOST:PORT."""

    kind: str
    place: str
    is_here: bool

    def __str__(self) -> str:
        return f"{self.kind}://{self.place}"

    @classmethod
    def of(cls, text: str) -> Address:
        """Raises ConfigError for what is no address."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in _PORTS or parts.path not in ("", "/") or parts.username or parts.query:
            raise ConfigError(
                f"{ADDRESS}={shown(text)}: not an address as in grpc://127.0.0.1:8001 or http://host:8000"
            )
        name = f"[{host}]" if ":" in host else host
        return cls(parts.scheme, f"{name}:{port or _PORTS[parts.scheme]}", host in _HERE)


def is_named() -> bool:
    """Whether somebody said where a server is."""
    return bool(os.environ.get(ADDRESS))


class TritonBackend:
    """Loads nothing here: makes sure that the server has the card's model."""

    def load(self, card: Card, address: str = "", *, wait_s: float = WAIT_S) -> TritonRunner:
        """`address` is otherwise that of `TINTYPE_TRITON`.

        Raises ModelUnreachable where the server does not answer within the wait, ModelError where it has no such model,
        ConfigError for an address that is none, MissingExtra without the client's library.
        """
        named = address or os.environ.get(ADDRESS, "")
        if not named:
            raise ConfigError(f"nothing says where Triton is. Set {ADDRESS}, as in grpc://127.0.0.1:8001")
        return TritonRunner(card, Address.of(named), wait_s)


class TritonRunner:
    """Several requests are in flight at a time, each of a few rows; what a server that is gone for a while did not
    answer is asked again. On the same machine pixels go through shared memory where the server can see it."""

    def __init__(self, card: Card, address: Address, wait_s: float = WAIT_S) -> None:
        self._card, self._address, self._wait_s = card, address, wait_s
        self._local = threading.local()
        self._shares = address.is_here
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="triton")
        self._until(time.monotonic() + wait_s, lambda: None)

    @property
    def info(self) -> RunnerInfo:
        return RunnerInfo(self._card, "triton", "server", "served")

    @property
    def shares_memory(self) -> bool:
        """Whether inputs go through shared memory."""
        return self._shares

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As `base.Runner.run`; raises ModelUnreachable where the server was gone for too long."""
        given = sent(self._card, inputs)
        count = len(given[self._card.input.name])
        parts = [{name: rows[at : at + ROWS] for name, rows in given.items()} for at in range(0, count, ROWS)]
        made = list(self._pool.map(self._ask, parts))
        nothing = {output.name: np.empty((0, *output.shape), np.float32) for output in self._card.outputs}
        return {name: np.concatenate([none, *(part[name] for part in made)]) for name, none in nothing.items()}

    def close(self) -> None:
        """Let its threads end."""
        self._pool.shutdown()

    def _ask(self, part: Arrays) -> Arrays:
        made: Arrays = self._until(time.monotonic() + self._wait_s, lambda: self._client().infer(part))
        return made

    def _until(self, deadline: float, work: Any) -> Any:
        """What `work` gives, tried again while the server is gone or busy, and its model looked at again after."""
        pause, said = _FIRST_PAUSE_S, ""
        while True:
            try:
                client = self._client()
                if not client.is_checked:
                    client.check()
                return work()
            except Exception as error:
                if isinstance(error, ModelError | MissingExtra):
                    raise
                said = self._final(error)
            if time.monotonic() + pause > deadline:
                raise ModelUnreachable(
                    f"card {self._card.name}: Triton at {self._address} gave no answer for {self._wait_s:g} s "
                    f"({said}). See whether it runs; {ADDRESS} says where it is looked for"
                )
            time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # so that workers do not come back all at once
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _final(self, error: Exception) -> str:
        """The error in words where it may pass. Raises ModelError where a server that is there has refused."""
        said = _in_one_line(error)
        client, self._local.client = self._client(), None
        try:
            if isinstance(error, _NotShared):
                self._shares = False
            elif "shared memory" in said.lower():
                pass  # the server was started anew and knows nothing of ours: the next client brings its own
            elif not any(word in _status(error) for word in _BUSY) and client.is_there():
                raise ModelError(f"card {self._card.name}: Triton at {self._address} refused: {said}") from error
        finally:
            with contextlib.suppress(Exception):
                client.close()
        return said

    def _client(self) -> _Client:
        """This thread's: those of HTTP are for one thread."""
        made: _Client | None = getattr(self._local, "client", None)
        if made is None:
            made = self._local.client = _Client(self._card, self._address, shares=self._shares)
        return made


class _Client:
    """One connection, with a piece of shared memory of its own."""

    def __init__(self, card: Card, address: Address, *, shares: bool) -> None:
        try:
            if address.kind == "grpc":
                import tritonclient.grpc as library
            else:
                import tritonclient.http as library
        except ModuleNotFoundError as error:
            raise MissingExtra("running models on Triton", "triton") from error
        self._library, self._card, self._address, self._shares = library, card, address, shares
        more = {} if address.kind == "grpc" else {"connection_timeout": TIMEOUT_S, "network_timeout": TIMEOUT_S}
        self._client = library.InferenceServerClient(address.place, **more)
        self._timeout = {"client_timeout": TIMEOUT_S} if address.kind == "grpc" else {}
        self._memory: _Memory | None = None
        self._checked_at = -CHECKED_S

    @property
    def is_checked(self) -> bool:
        """Whether the server's model was looked at of late: a server can be started anew with another one unnoticed."""
        return time.monotonic() - self._checked_at < CHECKED_S

    def is_there(self) -> bool:
        """Whether the server answers and has the model ready."""
        try:
            name = self._card.name
            return bool(self._client.is_server_ready() and self._client.is_model_ready(name))
        except Exception:  # noqa: BLE001  # no answer of any kind
            return False

    def check(self) -> None:
        """Raises ModelError where the server's model is not the card's, or it has none of that name."""
        name, place = self._card.name, str(self._address)
        if not self._client.is_server_ready():
            raise ConnectionError("the server is not ready")
        if not self._client.is_model_ready(name):
            known = self._known()
            if known is not None and name not in known:
                there = ", ".join(sorted(known)[:8]) or "none"
                raise ModelError(
                    f"Triton at {place} has no model {name}; there are: {shown(there)}. {_WRITE}{name} DIR"
                )
            raise ConnectionError(f"the model {name} is not ready")
        facts = _plain(self._client.get_model_metadata(name))
        wrong = mismatch(self._card, facts) or self._other_card()
        if wrong:
            raise ModelError(
                f"the model {name} on Triton at {place} is not that of its card: {wrong}. {_WRITE}{name} DIR"
            )
        self._checked_at = time.monotonic()

    def infer(self, part: Arrays) -> Arrays:
        """Raises whatever the library raises."""
        library = self._library
        inputs = [library.InferInput(name, list(values.shape), datatype(values)) for name, values in part.items()]
        if self._shares:
            self._share(inputs, part)
        else:
            for one, values in zip(inputs, part.values(), strict=True):
                one.set_data_from_numpy(values)
        wanted = [library.InferRequestedOutput(output.name) for output in self._card.outputs]
        made = self._client.infer(self._card.name, inputs, outputs=wanted, **self._timeout)
        found = {output.name: np.asarray(made.as_numpy(output.name), np.float32) for output in self._card.outputs}
        count = len(next(iter(part.values())))
        for output in self._card.outputs:
            if found[output.name].shape != (count, *output.shape):
                raise ModelError(
                    f"the model {self._card.name} on Triton at {self._address} gave {output.name} of shape "
                    f"{found[output.name].shape} for {count} rows; its card says {output.shape} a row"
                )
        return found

    def close(self) -> None:
        self._client.close()
        if self._memory is not None:
            self._memory.close()

    def _share(self, inputs: Any, part: Arrays) -> None:
        size = sum(values.nbytes for values in part.values())
        if self._memory is None or self._memory.size < size:
            if self._memory is not None:
                self._client.unregister_system_shared_memory(self._memory.name)
                self._memory.close()
            self._memory = _Memory(size)
            try:
                self._client.register_system_shared_memory(self._memory.name, self._memory.key, size)
            except Exception as error:
                raise _NotShared(_in_one_line(error)) from error
            finally:
                self._memory.forget()
        start = 0
        for one, values in zip(inputs, part.values(), strict=True):
            self._memory.put(values, start)
            one.set_shared_memory(self._memory.name, values.nbytes, start)
            start += values.nbytes

    def _known(self) -> set[str] | None:
        """The server's models that are ready; None where it cannot list them (only Triton itself can)."""
        try:
            found = _plain(self._client.get_model_repository_index())
        except Exception:  # noqa: BLE001  # the list only makes a message better
            return None
        rows = found.get("models", []) if isinstance(found, dict) else found
        return {str(row.get("name")) for row in rows}

    def _other_card(self) -> str:
        """Where the server's configuration names a card and it is another: the same shapes, other weights."""
        try:
            found = _plain(self._client.get_model_config(self._card.name))
        except Exception:  # noqa: BLE001  # servers other than Triton have no such call
            return ""
        config = found.get("config", found)
        named = config.get("parameters", {}).get(FINGERPRINT, {}).get("string_value")
        return f"it was written for the card {shown(str(named))}" if named not in (None, self._card.fingerprint) else ""


class _NotShared(Exception):
    """The server cannot see memory of ours, as one in a container of its own."""


class _Memory:
    """A piece of shared memory, without a name once the server has it: nothing is left however a process ends."""

    def __init__(self, size: int) -> None:
        self.name = f"tintype_{os.getpid()}_{uuid4().hex[:12]}"
        self._block = shared_memory.SharedMemory(self.name, create=True, size=size)
        self.key, self.size = f"/{self.name}", size

    def put(self, values: NDArray[Any], start: int) -> None:
        place = np.ndarray(values.shape, values.dtype, self._block.buf, start)
        place[:] = values

    def forget(self) -> None:
        self._block.unlink()

    def close(self) -> None:
        self._block.close()


_WRITE = "See: tintype models triton "


def _plain(found: Any) -> Any:
    """HTTP gives values of JSON, gRPC messages."""
    if isinstance(found, dict | list):
        return found
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(found, preserving_proto_field_name=True)


def _status(error: Exception) -> str:
    """The library's word for what went wrong; a connection that failed counts as a server that is away."""
    known = getattr(error, "status", None)
    if known is None:
        return "503"
    return str(known() or "503")


def _in_one_line(error: BaseException) -> str:
    said = getattr(error, "message", None)
    text = str(said()) if callable(said) else str(error)
    return shown(" ".join((text or type(error).__name__).split()))[:200]
