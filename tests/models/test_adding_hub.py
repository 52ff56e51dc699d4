"""Models of the hub: pinned to a commit, resumed, kept in the cache; without a way there, how to bring the files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_hub import COMMIT, SmallHub

from tintype.core.errors import ModelError
from tintype.models.adding.adding import add
from tintype.models.adding.hub import downloaded
from tintype.models.adding.wishes import Wishes

huggingface_hub = pytest.importorskip("huggingface_hub", reason="comes with the extra torch, on Python 3.11")

ID = "somebody/tiny-model"
FILES = {
    "config.json": b'{"model_type": "dinov2"}',
    "preprocessor_config.json": b"{}",
    "README.md": b"---\nlicense: mit\n---\n",
    "model.safetensors": np.random.default_rng(0).bytes(300_000),
    "pytorch_model.bin": b"a pickle",
    "modeling_tiny.py": b"raise SystemExit",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    folder = tmp_path / "repository"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    made = SmallHub(folder, ID)
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    disable_progress_bars()
    with made.running() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield made


def test_a_model_is_downloaded_at_its_commit_without_pickles_and_code(hub: SmallHub) -> None:
    folder = downloaded(ID, None)
    assert (folder.source, folder.revision, folder.license) == (ID, COMMIT, "mit")
    assert {path.name for path in folder.path.iterdir()} == FILES.keys() - {"pytorch_model.bin", "modeling_tiny.py"}
    assert folder.weights("model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_what_is_in_the_cache_is_not_downloaded_again(hub: SmallHub) -> None:
    downloaded(ID, None)
    count = len(hub.sent)
    downloaded(ID, COMMIT)
    assert len(hub.sent) == count


def test_a_download_goes_on_where_it_was_cut_off(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)  # what came of a chunk that was cut is lost
    hub.cut_after = 200_000
    for _ in range(3):  # the client tries again by itself, or the user does
        try:
            folder = downloaded(ID, None)
            break
        except ModelError:
            continue
    assert folder.weights("model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert [start for name, start in hub.sent if name == "model.safetensors"] == [0, 200_000]


def test_a_card_of_the_hub_keeps_the_commit(hub: SmallHub) -> None:
    from torch_libraries import save_dino

    save_dino(hub.folder)
    (card,) = add(ID, Wishes(with_onnx=False))
    assert (card.name, card.license, card.source) == ("tiny_model", "mit", f"{ID} at {COMMIT}")
    assert card.weights_for("torch").revision == COMMIT


@pytest.mark.parametrize(("status", "said"), [(401, "no such model"), (403, "agree to their terms"), (503, "DIR")])
def test_a_refusal_of_the_hub_is_one_line(hub: SmallHub, status: int, said: str) -> None:
    hub.status = status
    with pytest.raises(ModelError, match=rf"^[^\n]*{said}[^\n]*$"):
        downloaded(ID, None)


def test_an_unknown_revision_is_said(hub: SmallHub) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]*no revision nothing[^\n]*$"):
        downloaded(ID, "nothing")


def test_without_a_network_the_message_says_how_to_bring_the_files(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ModelError) as error:
        add(ID, Wishes())
    assert "\n" not in str(error.value)
    assert f"huggingface-cli download {ID} --local-dir DIR" in str(error.value)
    assert "tintype models add DIR" in str(error.value)


@pytest.mark.parametrize("source", ["no-such-thing", "a/b/c", "../up", "x.onnx", "weights.pt", "model.bin"])
def test_what_is_no_source_is_refused_in_one_line(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        add(source, Wishes())
