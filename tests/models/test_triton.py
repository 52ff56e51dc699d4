"""A real server gives what ONNX Runtime gives here, bit for bit; gone and back, or with another model: no wrong row."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from triton_server import Server, missing, run_by_python

from tintype.core.errors import ConfigError, MissingExtra, ModelError
from tintype.models import engines, parity, registry
from tintype.models.backends import triton
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.backends.triton import Address, TritonBackend
from tintype.models.card import Card, Output
from tintype.models.made_pictures import made_pictures
from tintype.models.triton_repository import write_repository

KINDS = ("grpc", "http")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing():
        pytest.skip(missing())
    pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed: pip install 'tintype[triton]'")
    place = tmp_path_factory.mktemp("triton") / "models"
    for name in ("descriptor", "twin"):
        write_repository(dataclasses.replace(registry.card("descriptor"), name=name), place)
        run_by_python(place / name)
    return place


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    made = Server(repository, repository.parent)
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def card() -> Card:
    return registry.card("descriptor")


@pytest.fixture
def pixels(card: Card) -> dict[str, Any]:
    return {card.input.name: np.random.default_rng(0).integers(0, 256, (37, 128, 128, 3), dtype=np.uint8)}


@pytest.mark.parametrize("kind", KINDS)
def test_gives_what_the_same_runtime_gives_here(kind: str, server: Server, card: Card, pixels: dict[str, Any]) -> None:
    wanted = OnnxBackend().load(card).run(pixels)
    before = {path.name for path in Path("/dev/shm").glob("tintype_[0-9]*")}
    shared = TritonBackend().load(card, server.address(kind))
    plain = TritonBackend().load(card, server.address(kind))
    plain._shares = False
    for runner in (shared, plain):
        assert runner.info.backend == "triton"
        for count in (0, 1, 8, 37):
            made = runner.run({name: values[:count] for name, values in pixels.items()})
            assert {name: values.shape for name, values in made.items()} == {
                output.name: (count, *output.shape) for output in card.outputs
            }
            assert all(np.array_equal(made[name], wanted[name][:count]) for name in made)
    assert (shared.shares_memory, plain.shares_memory) == (True, False)
    assert {path.name for path in Path("/dev/shm").glob("tintype_[0-9]*")} == before, (
        "memory with a name is left behind"
    )
    shared.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_shared_memory_is_given_the_bytes(
    kind: str, server: Server, card: Card, pixels: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server in a container of its own, that looks for the key in a /dev/shm that is not ours."""
    forget = triton._Memory.__init__

    def elsewhere(memory: Any, size: int) -> None:
        forget(memory, size)
        memory.key += "_elsewhere"

    monkeypatch.setattr(triton._Memory, "__init__", elsewhere)
    runner = TritonBackend().load(card, server.address(kind), wait_s=20)
    made = runner.run(pixels)
    assert not runner.shares_memory
    assert np.array_equal(made["descriptor"], OnnxBackend().load(card).run(pixels)["descriptor"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_was_started_anew_between_two_runs(
    kind: str, server: Server, card: Card, pixels: dict[str, Any]
) -> None:
    """It knows nothing of the memory that was shared with the one before."""
    wanted = OnnxBackend().load(card).run(pixels)
    runner = TritonBackend().load(card, server.address(kind))
    assert np.array_equal(runner.run(pixels)["regions"], wanted["regions"])
    server.kill()
    server.start()
    assert np.array_equal(runner.run(pixels)["regions"], wanted["regions"])
    assert runner.shares_memory


def changed(card: Card, what: str) -> Card:
    if what == "name":
        return dataclasses.replace(card, name="nobody")
    if what == "dimension":
        return dataclasses.replace(card, outputs=(Output("descriptor", (128,)),))
    if what == "output":
        return dataclasses.replace(card, outputs=(Output("vectors", (256,)),))
    if what == "dtype":
        return dataclasses.replace(card, input=dataclasses.replace(card.pixels, dtype="float32"))
    if what == "side":
        return dataclasses.replace(card, input=dataclasses.replace(card.pixels, width=64))
    weights = dataclasses.replace(card.weights[0], revision="of another day")
    return dataclasses.replace(card, weights=(weights,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("name", "has no model nobody; there are: descriptor, twin"),
        ("dimension", "its output descriptor is -1x256, not -1x128"),
        ("output", "it has no output vectors but descriptor, regions"),
        ("dtype", "its input pixels is UINT8, not FP32"),
        ("side", "its input pixels is -1x128x128x3, not -1x128x64x3"),
        ("weights", "it was written for the card "),
    ],
)
def test_another_model_on_the_server_is_one_line(kind: str, what: str, said: str, server: Server, card: Card) -> None:
    with pytest.raises(ModelError) as caught:
        TritonBackend().load(changed(card, what), server.address(kind), wait_s=10)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "tintype models triton" in message


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_refuses_is_not_asked_again(
    kind: str, server: Server, card: Card, pixels: dict[str, Any]
) -> None:
    runner = TritonBackend().load(card, server.address(kind))
    with pytest.raises(ModelError, match=r"refused: .*unexpected shape for input 'pixels'"):
        runner.run({name: values[:3, :64] for name, values in pixels.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_gone_and_back_in_mid_run(kind: str, server: Server, card: Card, pixels: dict[str, Any]) -> None:
    wanted = OnnxBackend().load(card).run(pixels)
    runner = TritonBackend().load(card, server.address(kind))
    hasty = TritonBackend().load(card, server.address(kind), wait_s=1)
    made: list[dict[str, Any]] = []
    many = {name: np.concatenate([values] * 12) for name, values in pixels.items()}
    work = threading.Thread(target=lambda: made.append(runner.run(many)))
    work.start()
    server.kill()
    with pytest.raises(ModelError, match=r"gave no answer for 1 s .*TINTYPE_TRITON"):
        hasty.run(pixels)
    with pytest.raises(ModelError, match=r"gave no answer for 0\.5 s"):
        TritonBackend().load(card, server.address(kind), wait_s=0.5)
    server.start()
    work.join(60)
    for name, values in wanted.items():
        assert np.array_equal(made[0][name], np.concatenate([values] * 12)), name


def test_parity_and_choice_take_the_server_in(server: Server, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_TRITON", server.address("grpc"))
    found = parity.check(card, made_pictures(4), seconds=0)
    assert [(row.name, row.is_usable) for row in found.rows] == [
        ("onnx:fp32:cpu", True),
        ("triton:served:server", True),
    ]
    assert engines.load(card, engines.Engine.of("triton:served:server")).info.backend == "triton"


@pytest.mark.parametrize(
    ("text", "kind", "place", "is_here"),
    [
        ("grpc://127.0.0.1:8001", "grpc", "127.0.0.1:8001", True),
        ("http://models", "http", "models:8000", False),
        ("grpc://[::1]", "grpc", "[::1]:8001", True),
        ("http://localhost:80/", "http", "localhost:80", True),
    ],
)
def test_addresses(text: str, kind: str, place: str, is_here: bool) -> None:
    assert Address.of(text) == Address(kind, place, is_here)


@pytest.mark.parametrize(
    "text", ["", "models:8000", "ftp://a", "grpc://", "http://a:b", "http://a/models", "http://u:p@a", "http://[::1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Address.of(text)


def test_says_what_is_missing(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINTYPE_TRITON", raising=False)
    with pytest.raises(ConfigError, match="Set TINTYPE_TRITON"):
        TritonBackend().load(card)
    for name in ("tritonclient", "tritonclient.grpc"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingExtra, match="triton"):
        TritonBackend().load(card, "grpc://127.0.0.1:1")
