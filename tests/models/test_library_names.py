"""Names of timm and open_clip stand for what these libraries themselves would download."""

import sys
from pathlib import Path

import pytest

from tintype.core.errors import ModelError
from tintype.models.adding.adding import add
from tintype.models.adding.library_names import hub_id
from tintype.models.adding.wishes import Wishes

torch_libraries = pytest.importorskip("torch_libraries", reason="the libraries run on PyTorch")


@pytest.mark.parametrize("name", ["resnet50", "resnet50.a1_in1k", "vit_base_patch16_clip_224.laion2b"])
def test_a_name_of_timm_is_the_repository_that_timm_takes(name):
    wanted = torch_libraries.timm.create_model(name).pretrained_cfg["hf_hub_id"] if "." not in name else f"timm/{name}"
    assert hub_id(name) == wanted


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("vit-b-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("open_clip:ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai"),
        ("ViT-B-16-SigLIP:webli", "timm/ViT-B-16-SigLIP"),
    ],
)
def test_a_name_of_open_clip_is_the_repository_of_its_weights(name, repository):
    assert hub_id(name) == repository


@pytest.mark.parametrize(
    "name", ["openai/clip-vit-base-patch32", "timm/resnet50.a1_in1k", "nope", "../nope", "a b", ""]
)
def test_other_words_are_no_names(name):
    assert hub_id(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ViT-B-32", "say which weights, as in ViT-B-32/.*; there are openai, laion400m_e31"),
        ("ViT-B-32/nope", "say which weights"),
        ("resnet50.nope", "Invalid pretrained tag"),
        ("test_vit.untrained\x07", "neither a card"),
        ("nope", "nor a name that timm or open_clip has"),
    ],
)
def test_names_that_do_not_say_which_weights_are_refused_in_one_line(name, reason, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=reason) as refused:
        add(name, Wishes())
    assert "\n" not in str(refused.value)


def test_a_name_is_downloaded_as_its_repository(tmp_path: Path, monkeypatch):
    from tintype.models.adding import hub

    asked = []

    def downloaded(hub_id, revision):
        asked.append((hub_id, revision))
        raise ModelError("no way there")

    monkeypatch.setattr(hub, "downloaded", downloaded)
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="no way there"):
        add("ViT-B-32/laion2b_s34b_b79k", Wishes())
    assert asked == [("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", None)]


@pytest.mark.parametrize("problem", [ImportError, RuntimeError])
def test_a_library_that_cannot_be_loaded_has_no_names(problem, monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name in ("timm", "open_clip"):
                raise problem("operator torchvision::nms does not exist")

    for name in ("timm", "open_clip"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    assert hub_id("resnet50") is None
    assert hub_id("ViT-B-32") is None
