"""Pictures are put into words by models from folders: real ones, tiny, with random or chosen weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from modules.enhance.caption_models import CaptionModels, as_wd_sees, tag_text
from modules.enhance.captions import captioners
from modules.settings.store import Settings
from modules.terms.errors import NotFound, UnknownFile

SIGNS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SIGNS, "a", "cat", "dog", "house", "red", "on", "grass", "[DEC]", "[ENC]"]
SHORT = {"interrogate_clip_min_length": 4, "interrogate_clip_max_length": 9, "interrogate_clip_num_beams": 2}
PICTURE = Image.linear_gradient("L").convert("RGB")
LABELS = {0: "1girl", 1: "long_hair", 2: "rating:safe", 3: "hat_(red)", 4: "tree"}
# sigmoid of these: .88, .73, .98, .62, .12
BIAS = (2.0, 1.0, 4.0, 0.5, -2.0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder models/ with a random BLIP and a tagger whose answer is chosen."""
    root = tmp_path_factory.mktemp("models")
    write_blip(root / "BLIP" / "tiny")
    write_tagger(root / "deepbooru" / "tiny")
    return root


def write_blip(folder: Path) -> None:
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS), encoding="utf-8")
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**small, "vocab_size": len(WORDS), "encoder_hidden_size": 16, "max_position_embeddings": 32}
    ids = {"bos_token_id": 12, "eos_token_id": 3, "pad_token_id": 0, "sep_token_id": 3, "projection_dim": 16}
    config = BlipConfig(
        text_config={**text, **ids}, vision_config={**small, "image_size": 32, "patch_size": 8}, projection_dim=16
    )
    torch.manual_seed(0)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, BertTokenizer(str(vocabulary))).save_pretrained(folder)


def write_tagger(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(
        **small, image_size=32, patch_size=8, id2label=LABELS, label2id={v: k for k, v in LABELS.items()}
    )
    model = ViTForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor(BIAS))
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def words_of(root: Path, name: str, **settings: object) -> str:
    return captioners(CaptionModels((root,)), Settings().with_flat(settings))[name].caption(PICTURE)


def test_a_sentence_is_made_of_the_models_words_and_is_the_same_again(models: Path) -> None:
    said = words_of(models, "clip", **SHORT)
    assert said
    assert set(said.split()) <= set(WORDS)
    assert words_of(models, "BLIP", **SHORT) == said


def test_tags_are_those_above_the_threshold_as_a1111_writes_them(models: Path) -> None:
    assert words_of(models, "deepdanbooru") == "1girl, hat \\(red\\), long hair"
    assert words_of(models, "Deepbooru", deepbooru_sort_alpha=False) == "1girl, long hair, hat \\(red\\)"
    assert words_of(models, "Deepbooru", interrogate_deepbooru_score_threshold=0.7) == "1girl, long hair"
    plain = {"deepbooru_use_spaces": False, "deepbooru_escape": False, "deepbooru_filter_tags": "1girl, long hair"}
    assert words_of(models, "Deepbooru", **plain) == "hat_(red)"
    ranked = words_of(models, "Deepbooru", interrogate_return_ranks=True, deepbooru_filter_tags="long_hair")
    assert ranked == "(1girl:0.881), (hat \\(red\\):0.622)"


def test_a_list_beside_the_model_names_its_outputs(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deepbooru" / "wd"
    write_tagger(folder)
    rows = "\n".join(f"{number},tag_{number},0,9" for number in range(5))
    (folder / "selected_tags.csv").write_text(f"tag_id,name,category,count\n{rows}\n", encoding="utf-8")
    assert words_of(tmp_path, "Deepbooru") == "tag 0, tag 1, tag 2, tag 3"


def test_such_models_see_a_white_square_with_blue_first() -> None:
    seen = as_wd_sees(Image.new("RGB", (4, 2), (10, 20, 30)))
    assert seen.size == (4, 4)
    assert [seen.getpixel((0, row)) for row in range(4)] == [(255,) * 3, (30, 20, 10), (30, 20, 10), (255,) * 3]


def test_models_stay_in_memory_only_if_asked(models: Path) -> None:
    kept = CaptionModels((models,))
    captioners(kept, Settings())["Deepbooru"].caption(PICTURE)
    assert not kept._held
    captioners(kept, Settings().with_flat({"interrogate_keep_models_in_memory": True}))["Deepbooru"].caption(PICTURE)
    assert set(kept._held) == {"Deepbooru"}
    kept.unload()
    assert not kept._held


@pytest.mark.parametrize(("name", "folder"), [("BLIP", "models/BLIP"), ("Deepbooru", "models/deepbooru")])
def test_without_files_it_says_which_and_where(tmp_path: Path, name: str, folder: str) -> None:
    with pytest.raises(NotFound, match=f"huggingface.co.*{folder}"):
        words_of(tmp_path, name)


def test_a_pickle_is_not_read_and_another_model_is_named(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "BLIP" / "old"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "blip"}', encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"code")
    with pytest.raises(NotFound):
        words_of(tmp_path, "BLIP")
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UnknownFile, match="BLIP/old cannot be used"):
        words_of(tmp_path, "BLIP")


def test_no_tag_is_probable_enough() -> None:
    assert tag_text({"cat": 0.1}, Settings()) == ""
