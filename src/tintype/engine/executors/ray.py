"""Workers on a Ray cluster: each is a process of Ray's that leases shards for itself, as `tintype work` does."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tintype.core.errors import MissingExtra, TintypeError, UsageError, WorkerFailed
from tintype.core.names import shown
from tintype.engine.executors.base import Executor, Finished

_TICK_S = 0.2
_ANSWER_S = 10.0
_GOODBYE_S = 10.0  # for giving back leases at the end
NO_ROOM_S = 300.0
"""A cluster that grows on demand takes some minutes."""
_MAX_DEATHS_IN_A_ROW = 6

Member = Callable[[int], Iterator[Finished | None]]
"""What a process of Ray's runs, with so many workers: works until no shard of the ledger is left, and tells what they
finished. Picklable."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to."""

    address: str
    nodes: int
    cpus: float
    gpus: float
    cpus_per_gpu: int = 1
    """Processors that each GPU has beside it, on the machine where these are fewest."""


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Cluster]:
    """Connect to a running cluster; without an address to that of RAY_ADDRESS, or to one that is started on this
    machine for as long as it is needed. One that the caller is connected to already is taken and left as it is.

    Raises MissingExtra, and UsageError where nothing answers there.
    """
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody was asked for that
        import ray
    except ImportError:
        raise MissingExtra("--executor ray", "ray") from None
    is_ours = not ray.is_initialized()
    if is_ours:
        _join(ray, address or os.environ.get("RAY_ADDRESS") or "local")
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
        resources = ray.cluster_resources()
        name = ray.get_runtime_context().gcs_address
        yield Cluster(name, len(alive), resources.get("CPU", 0.0), resources.get("GPU", 0.0), _cpus_per_gpu(alive))
    finally:
        if is_ours:
            ray.shutdown()


def _cpus_per_gpu(nodes: Sequence[Mapping[str, Any]]) -> int:
    shares = [
        int(node["Resources"].get("CPU", 0) // node["Resources"]["GPU"])
        for node in nodes
        if node["Resources"].get("GPU")
    ]
    return max(1, min(shares, default=1))


def _join(ray: Any, address: str) -> None:
    if address.startswith("ray://"):
        raise UsageError(f"{shown(address)}: Ray's client is not used. Name the cluster itself: --address HOST:6379")
    host, _, port = address.rpartition(":")
    how = {"include_dashboard": False} if address == "local" else {}
    try:
        if host and port.isdigit():  # Ray itself would ask for minutes where nothing listens
            socket.create_connection((host, int(port)), _ANSWER_S).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **how)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        reason = shown(str(error).strip().partition("\n")[0])[:200].rstrip(". ")
        raise UsageError(
            f"no Ray cluster can be joined at {shown(address)} ({reason}). Nothing was changed. See whether it runs: "
            "ray status --address HOST:6379"
        ) from error


class RayExecutor:
    """Has up to `members` members work on a cluster, and yields what they finish; one that dies is replaced.

    Members lease shards for themselves, so the ledger must be one that all machines of the cluster reach; what they
    have finished is in the ledger whoever dies. Each takes `cpus` processors of the cluster, with a worker on each, and
    a GPU where `needs_gpu`, which these feed; those for which there is no room wait until there is.
    """

    def __init__(
        self, member: Member, members: int, *, cpus: int = 1, needs_gpu: bool = False, no_room_s: float = NO_ROOM_S
    ) -> None:
        """Raises WorkerFailed from `run` where no member can begin for `no_room_s` seconds."""
        import ray

        self._ray, self._member, self._count, self._cpus = ray, member, members, cpus
        processors = "a processor" if cpus == 1 else f"{cpus} processors"
        self._wanted = f"a GPU and {processors}" if needs_gpu else processors
        self._start = ray.remote(_told).options(
            name="tintype work",
            num_cpus=cpus,
            num_gpus=1 if needs_gpu else 0,
            max_retries=0,  # what Ray would run again from its beginning goes on from the ledger
            num_returns="streaming",
            scheduling_strategy="SPREAD",
        )
        self._waiting: list[Any] = []  # members that Ray has not begun
        self._working: list[Any] = []
        self._deaths_in_a_row = 0
        self._until: float | None = None  # all is done; when those that say nothing are waited for no more
        self._room_until = time.monotonic() + no_room_s

    def run(self) -> Iterator[Finished | None]:
        try:
            while self._recruit():
                told = list(self._listen())
                yield from told
                if not told:
                    yield None
        finally:
            self._dismiss()

    def _recruit(self) -> bool:
        """See that there are members enough; False where no more is to be heard of them."""
        now = time.monotonic()
        if self._until is not None:
            return bool(self._working) and now < self._until
        for _ in range(self._count - len(self._waiting) - len(self._working)):
            self._waiting.append(self._start.remote(self._member, self._cpus))
        if not self._working and now > self._room_until:
            raise WorkerFailed(
                f"the Ray cluster has no room: each worker takes {self._wanted}, and none could begin. See what is "
                "taken: ray status"
            )
        return True

    def _listen(self) -> Iterator[Finished]:
        ready, _ = self._ray.wait([*self._working, *self._waiting], num_returns=1, timeout=_TICK_S)
        for member in ready:
            if member in self._waiting:
                self._waiting.remove(member)
                self._working.append(member)
            try:
                told = self._ray.get(next(member))
            except StopIteration:
                self._working.remove(member)
                self._until = self._until or time.monotonic() + _GOODBYE_S
            except self._ray.exceptions.RaySystemError as error:  # it could not even be unpickled there
                reason = shown(str(error).partition("System error: ")[2].partition("\n")[0])[:200].rstrip(". ")
                raise WorkerFailed(
                    f"a worker on Ray cannot begin ({reason}). Install the same version of Tintype, with the same "
                    "extras, on every machine of the cluster"
                ) from error
            except self._ray.exceptions.RayTaskError:  # a fault of ours
                raise
            except self._ray.exceptions.RayError as error:  # its process or its machine is gone
                self._lose(member, error)
            else:
                self._room_until = time.monotonic() + NO_ROOM_S
                if isinstance(told, TintypeError):
                    raise told
                if told is not None:
                    self._deaths_in_a_row = 0
                    yield told

    def _lose(self, member: Any, error: Exception) -> None:
        self._working.remove(member)
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= _MAX_DEATHS_IN_A_ROW:
            reason = shown(str(error).strip().partition("\n")[0])[:200].rstrip(". ")
            raise WorkerFailed(f"workers on Ray end before they finish a shard ({reason}). What was finished is kept")

    def _dismiss(self) -> None:
        """Cancel what is left; members give their leases back when they are told in time."""
        left = [*self._waiting, *self._working]
        for member in left:
            self._ray.cancel(member)
        until = time.monotonic() + _GOODBYE_S
        for member in self._working:
            with contextlib.suppress(StopIteration, self._ray.exceptions.RayError):
                while (rest := until - time.monotonic()) > 0:
                    if self._ray.wait([member], timeout=rest)[0]:
                        self._ray.get(next(member))


def _told(member: Member, workers: int) -> Iterator[Finished | TintypeError | None]:
    """In a process of Ray's: first a sign of life, then what is finished; an error that ends the work as a value, since
    Ray would wrap it."""
    yield None
    try:
        yield from (finished for finished in member(workers) if finished is not None)
    except TintypeError as error:
        yield error


_: type[Executor] = RayExecutor
