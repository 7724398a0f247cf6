"""Cards: found by every word, page by page, with what stands beside the files."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.settings.store import Settings
from modules.studio.cards import Cards
from modules.studio.flag_table import Flags
from modules.studio.network_lists import hypernetworks_of, loras_of
from modules.terms.errors import BadRequest, NotFound
from tests.gui.stand_in import png


def save(path: Path, **metadata: str) -> Path:
    header = json.dumps({"__metadata__": metadata} if metadata else {}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


@pytest.fixture
def studio(tmp_path: Path) -> Any:
    flags = Flags(data_dir=tmp_path)
    return SimpleNamespace(
        flags=flags,
        settings=Settings.load(tmp_path / "none.json"),
        library=Library(flags.ckpt_folders),
        loras=loras_of(flags, HashCache()),
        hypernetworks=hypernetworks_of(flags),
    )


@pytest.fixture
def lora(studio: Any) -> Path:
    folder: Path = studio.flags.lora_dir
    save(folder / "people" / "Ada 10.safetensors", ss_output_name="ada", ss_base_model_version="sdxl_base_v1-0")
    save(folder / "people" / "Ada 2.safetensors")
    save(folder / "Sky.safetensors", ss_output_name="sky")
    return folder


def names(cards: Cards, text: str = "", **how: Any) -> list[str]:
    return [card.model.name for card in cards.search("loras", text, **how).cards]


def test_every_word_must_be_in_the_path_alias_or_base(studio: Any, lora: Path) -> None:
    cards = Cards(studio)
    assert names(cards) == ["Ada 2", "Ada 10", "Sky"], "in natural order of the paths"
    assert names(cards, "PEOPLE 10") == ["Ada 10"]
    assert names(cards, "nothing") == []
    studio.loras.read_headers()
    assert names(cards, "sdxl") == ["Ada 10"], "what headers say is found once they are read"


def test_pages_and_orders(studio: Any, lora: Path) -> None:
    cards = Cards(studio)
    page = cards.search("loras", offset=1, limit=1)
    assert (page.total, [card.model.name for card in page.cards]) == (3, ["Ada 10"])
    assert names(cards, order="name", descending=True) == ["Sky", "Ada 10", "Ada 2"]
    for wrong in ({"order": "colour"}, {"offset": -1}, {"limit": 5000}):
        with pytest.raises(BadRequest):
            cards.search("loras", **wrong)
    with pytest.raises(NotFound, match="loras"):
        cards.search("cars")


def test_a_card_shows_what_stands_beside_and_what_a_click_inserts(studio: Any, lora: Path) -> None:
    (lora / "people" / "Ada 10.json").write_text(
        json.dumps({"activation text": "ada, portrait", "preferred weight": 0.5, "negative text": "hat"})
    )
    (lora / "people" / "Ada 10.preview.png").touch()
    (lora / "people" / "Ada 10.txt").write_text("A woman")
    cards = Cards(studio)
    card = cards.card("loras", "Ada 10")
    assert (card.preview, card.description) == (lora / "people" / "Ada 10.preview.png", "A woman")
    studio.loras.read_headers()
    assert cards.prompt("loras", cards.card("loras", "Ada 10")) == ("<lora:ada:0.5> ada, portrait", "hat")
    assert cards.prompt("loras", cards.card("loras", "Ada 2")) == ("<lora:Ada 2:1>", "")
    save(lora / "other.safetensors", ss_output_name="ada")
    studio.loras.refresh()
    studio.loras.read_headers()
    inserted = cards.prompt("loras", cards.card("loras", "Ada 10"))[0]
    assert inserted.startswith("<lora:Ada 10:"), "an alias that two files have means neither"


def test_notes_can_be_changed_by_name_only(studio: Any, lora: Path) -> None:
    cards = Cards(studio)
    assert cards.set_notes("loras", "Sky", {"notes": "wide"}).notes == {"notes": "wide"}
    assert json.loads((lora / "Sky.json").read_text()) == {"notes": "wide"}
    with pytest.raises(NotFound, match="Did you mean 'Sky'"):
        cards.set_notes("loras", "../Sky", {"notes": "wide"})


def test_every_kind_has_cards(studio: Any, lora: Path) -> None:
    flags = studio.flags
    save(flags.models_dir / "Stable-diffusion" / "deep" / "model.safetensors")
    save(flags.embeddings_dir / "word.safetensors")
    save(flags.hypernetwork_dir / "style.pt")
    cards = Cards(studio)
    found = {kind: [card.model.name for card in cards.search(kind).cards] for kind in cards.kinds}
    assert found["checkpoints"] == ["deep/model.safetensors"]
    assert (found["embeddings"], found["hypernetworks"]) == (["word"], ["style"])
    assert cards.prompt("embeddings", cards.card("embeddings", "word")) == ("word", "")
    assert cards.prompt("hypernetworks", cards.card("hypernetworks", "style")) == ("<hypernet:style:1>", "")


def test_folders_bases_and_what_is_in_them(studio: Any, lora: Path) -> None:
    save(lora / "people" / "old" / "Cy.safetensors", ss_base_model_version="sd_v1")
    studio.loras.read_headers()
    cards = Cards(studio)
    assert cards.folders("loras") == ("people", "people/old")
    assert cards.bases("loras") == {"sdxl_base_v1-0": 1, "sd_v1": 1}
    assert names(cards, folder="people/old") == ["Cy"]
    assert names(cards, folder="people") == ["Ada 2", "Ada 10", "Cy"]
    assert names(cards, base="sd_v1") == ["Cy"]


def test_hidden_folders_show_when_searched(studio: Any, lora: Path) -> None:
    save(lora / ".quiet" / "Secret.safetensors")
    cards = Cards(studio)
    assert "Secret" not in names(cards) + names(cards, "sec")
    assert names(cards, "secr") == ["Secret"]
    assert ".quiet" in cards.folders("loras")
    studio.settings = studio.settings.with_flat(
        {"extra_networks_hidden_models": "Never", "extra_networks_show_hidden_directories": False}
    )
    assert names(cards, "secr") == []
    assert cards.folders("loras") == ("people",)


def test_cards_are_sorted_by_size(studio: Any, lora: Path) -> None:
    found = [card.model.size for card in Cards(studio).search("loras", order="size", descending=True).cards]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 1


def test_a_preview_is_replaced_and_keeps_its_text(studio: Any, lora: Path) -> None:
    save_with_text = png(Image.new("RGB", (8, 8)), "a sky\nSteps: 3")
    (lora / "Sky.jpg").write_bytes(b"old")
    cards = Cards(studio)
    assert cards.set_preview("loras", "Sky", save_with_text).preview == lora / "Sky.png"
    assert (lora / "Sky.png").read_bytes() == save_with_text
    with pytest.raises(BadRequest, match="cannot be read"):
        cards.set_preview("loras", "Sky", b"no picture")
    assert (lora / "Sky.png").read_bytes() == save_with_text
