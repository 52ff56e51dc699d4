"""Models of the Hugging Face hub: downloaded into its cache, pinned to a commit, resumed where it was cut off."""

from __future__ import annotations

from pathlib import Path

from tintype.core.errors import MissingExtra, ModelError
from tintype.core.names import shown
from tintype.models.adding.folder import Folder

WANTED = (
    "README.md",
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "open_clip_config.json",
)
"""What is downloaded beside the weights; never code, and never a pickle."""

_TAGGER = ("model.onnx", "selected_tags.csv")
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")


def downloaded(hub_id: str, revision: str | None) -> Folder:
    """The files of a model in the hub's cache, at the commit that `revision` (the main branch, if None) is at now.

    Raises ModelError where there is no such model or no way to it, MissingExtra without huggingface_hub.
    """
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ModuleNotFoundError as error:
        raise MissingExtra(f"downloading {hub_id}", "torch") from error
    bring = f"huggingface-cli download {hub_id} --local-dir DIR, then here: tintype models add DIR"
    try:
        found = huggingface_hub.HfApi().model_info(hub_id, revision=revision)
        names = [part.rfilename for part in found.siblings or ()]
        is_open_clip = "open_clip_config.json" in names
        order = _WEIGHTS if is_open_clip else _WEIGHTS[::-1]
        is_tagger = all(name in names for name in _TAGGER)
        weights = [*_TAGGER] if is_tagger else [name for name in order if name in names][:1]
        place = huggingface_hub.snapshot_download(hub_id, revision=found.sha, allow_patterns=[*WANTED, *weights])
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{hub_id}: its makers want you to agree to their terms first, on its page of the hub; "
            "then give your token: huggingface-cli login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{hub_id}: the hub has no revision {shown(str(revision))} of it") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"{hub_id}: the hub has no such model, or it is private (huggingface-cli login)") from error
    except Exception as error:  # without a network each layer of the client raises its own
        raise ModelError(
            f"{hub_id}: the hub cannot be reached ({_one_line(error)}). On a machine that reaches it: {bring}"
        ) from error
    return Folder(Path(place), hub_id, found.sha or "")


def _one_line(error: BaseException) -> str:
    return shown(" ".join(str(error).split()))[:120] or type(error).__name__
