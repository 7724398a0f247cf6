"""Notes beside a model: in A1111's words, and nothing that another program wrote is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modules.checkpoints.notes import companions_of, description_of, preview_of, read_notes, write_notes
from modules.terms.errors import BadRequest, Refused


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "style [v1]*.safetensors"
    path.touch()
    return path


def test_notes_are_written_as_a1111_does_and_unknown_keys_stay(model: Path) -> None:
    beside = model.with_suffix(".json")
    beside.write_text(json.dumps({"modelId": 5, "activation text": "old", "sd version": "SDXL"}))
    write_notes(model, {"activation text": "läuft", "preferred weight": 0.7})
    wanted = {"modelId": 5, "activation text": "läuft", "sd version": "SDXL", "preferred weight": 0.7}
    assert json.loads(beside.read_text(encoding="utf-8")) == wanted == read_notes(model)
    assert '    "activation text": "läuft"' in beside.read_text(encoding="utf-8")
    assert list(model.parent.glob(".*")) == []


def test_what_a_person_noted_may_be_kept(model: Path) -> None:
    write_notes(model, {"activation text": "mine", "notes": ""})
    assert write_notes(model, {"activation text": "theirs", "notes": "new"}, keep=True) == {
        "activation text": "mine",
        "notes": "new",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"notes": 5},
        {"preferred weight": True},
        {"preferred weight": float("nan")},
        {"zero terminal snr": "x"},
    ],
)
def test_odd_notes_are_refused_and_change_nothing(model: Path, changes: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        write_notes(model, {"notes": "good", **changes})
    assert read_notes(model) == {}


def test_a_file_that_is_no_json_is_not_overwritten(model: Path) -> None:
    model.with_suffix(".json").write_text("[1, 2]")
    with pytest.raises(Refused, match="left as it is"):
        write_notes(model, {"notes": "x"})
    assert model.with_suffix(".json").read_text() == "[1, 2]"


def test_pictures_and_texts_beside_are_found_in_a1111s_order(model: Path) -> None:
    assert (preview_of(model), description_of(model)) == (None, "")
    for ending in (".preview.png", ".jpg", ".txt", ".civitai.info", ".json"):
        model.with_name(model.stem + ending).write_text("what it is")
    assert preview_of(model) == model.with_name(f"{model.stem}.preview.png")
    model.with_name(f"{model.stem}.png").touch()
    assert preview_of(model) == model.with_name(f"{model.stem}.png")
    assert description_of(model) == "what it is"
    assert len(companions_of(model)) == 6
