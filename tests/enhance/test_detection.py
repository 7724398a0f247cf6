"""Detectors of the user's: folders of real, tiny models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from modules.enhance.detection.detect import Detectors
from modules.enhance.detection.names import names_in
from modules.terms.errors import NotFound, UnknownFile

PICTURE = Image.linear_gradient("L").convert("RGB").resize((128, 64))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder models/adetailer with a detector that sees a hand in the same place of every picture."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    folder = tmp_path_factory.mktemp("adetailer") / "Hands"
    config = YolosConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=[32, 32],
        patch_size=8,
        num_detection_tokens=2,
        id2label={0: "hand", 1: "foot"},
        label2id={"hand": 0, "foot": 1},
    )
    model = YolosForObjectDetection(config)
    with torch.no_grad():
        for head in (model.class_labels_classifier, model.bbox_predictor):
            head.layers[-1].weight.zero_()
        # hand, foot, nothing; then the logits of centre (.5, .5) and size (.5, .25).
        model.class_labels_classifier.layers[-1].bias.copy_(torch.tensor([3.0, 0.0, 0.0]))
        model.bbox_predictor.layers[-1].bias.copy_(torch.logit(torch.tensor([0.5, 0.5, 0.5, 0.25])))
    model.save_pretrained(folder)
    YolosImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder.parent


def test_a_folder_is_a_detector_by_its_name(root: Path) -> None:
    assert names_in([root]) == ["face", "person", "Hands"]
    find, note = Detectors(folders=(root,)).chosen("hands")
    assert note == ""
    found = find(PICTURE, 0.5)
    assert [one.box for one in found] == [(32, 24, 96, 40)] * 2  # one for each of its two tokens
    assert {one.label for one in found} == {"hand"}
    assert found[0].confidence == pytest.approx(0.909, abs=0.001)
    assert find(PICTURE, 0.95) == []


def test_a_folder_of_another_kind_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnknownFile, match="odd cannot be used"):
        Detectors(folders=(tmp_path,)).chosen("odd")


def test_a_detector_that_is_not_here_says_what_goes_where() -> None:
    with pytest.raises(NotFound, match="'hand_yolov8n.pt'.*huggingface.co.*models/adetailer"):
        Detectors().check("hand_yolov8n.pt")
