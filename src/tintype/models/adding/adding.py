"""A model from wherever it lies to cards in the user's folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tintype.core.errors import MissingExtra, ModelError
from tintype.core.names import shown
from tintype.models import registry
from tintype.models.adding.folder import Folder
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card
from tintype.models.card_file import files, read_card

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
_FORBIDDING = re.compile(r"(?<![a-z])nc(?![a-z])|non-?commercial|research", re.IGNORECASE)


def add(source: str, wishes: Wishes) -> tuple[Card, ...]:
    """Take a model over into the user's folder; returns its cards as they lie there, the one of images first.

    `source` is a card's JSON file, an .onnx file, a folder as Hugging Face lays it out, the id of a repository of its
    hub, or a name of timm's or open_clip's that stands for one. Nothing is added unless everything is. Raises
    ModelError for whatever is not so, MissingExtra where a library is needed that is not installed.
    """
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        card = read_card(path)
        _check_license(card.license, wishes)
        named = replace(card, name=wishes.name or card.name)
        return registry.add_all([(named, [path.with_name(file.name) for file in files(card)])])
    with tempfile.TemporaryDirectory(prefix="tintype-") as work:
        made = _read(source, path, wishes, Path(work))
        for card in made:
            _check_license(card.license, wishes)
        return registry.add_all([(card, [card.folder / file.name for file in files(card)]) for card in made])


def _read(source: str, path: Path, wishes: Wishes, work: Path) -> Sequence[Card]:
    """The cards of a model that is no card yet, with their files beside them in folders of `work`."""
    if path.is_dir():
        return _of_folder(Folder.of(path), wishes, work)
    if path.suffix == ".onnx" and path.is_file():
        from tintype.models.adding.onnx_file import cards_of_onnx

        return cards_of_onnx(path, wishes, work)
    if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"):
        raise ModelError(
            f"{shown(source)}: a pickle, which can run code when it is read. Nothing was read. "
            "Take the model's safetensors or ONNX file, or convert it where you trust it"
        )
    hub_id = source.removeprefix("hf-hub:").removeprefix("hf://")
    if not path.exists() and hub_id == source:
        from tintype.models.adding.library_names import hub_id as known_as

        hub_id = known_as(source) or source
    if path.exists() or not _HUB_ID.fullmatch(hub_id):
        raise ModelError(
            f"{shown(source)}: neither a card (.json), an .onnx file, a folder with a model, the id of a model on the "
            "hub, as in openai/clip-vit-base-patch32, nor a name that timm or open_clip has, as in resnet50.a1_in1k"
        )
    from tintype.models.adding.hub import downloaded

    return _of_folder(downloaded(hub_id, wishes.revision), wishes, work)


def _of_folder(folder: Folder, wishes: Wishes, work: Path) -> Sequence[Card]:
    from tintype.models.adding.tags_folder import cards_of_tagger, is_tagger

    if is_tagger(folder):
        return cards_of_tagger(folder, wishes, work)
    try:
        from tintype.models.adding.libraries import cards_of_folder
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise MissingExtra(f"adding {shown(folder.source)}", "torch") from error
    return cards_of_folder(folder, wishes, work)


def _check_license(license_: str, wishes: Wishes) -> None:
    if _FORBIDDING.search(license_) and not wishes.accept_license:
        raise ModelError(
            f"its license ({shown(license_)}) forbids commercial use. Nothing was added. "
            "If your use is allowed: --accept-license"
        )
