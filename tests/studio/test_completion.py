"""What a prompt's last word may become."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.prompt.styles import Style, StyleBook
from modules.studio.completion import Completion, Suggestion
from modules.studio.flags import parse_flags
from modules.studio.studio import Studio
from tests.studio.lora_files import model_bytes

TAGS = 'long_hair,0,5000,longhair\nganyu_(genshin_impact),4,700,"甘雨"\n^_^,0,100\n'


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    for name in ("tags", "wildcards/deep", "models/Lora", "embeddings"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tags" / "one.csv").write_text(TAGS, encoding="utf-8")
    (tmp_path / "wildcards" / "deep" / "colour.txt").write_text("red\nblue\n", encoding="utf-8")
    (tmp_path / "models" / "Lora" / "woodcut-v2.safetensors").write_bytes(model_bytes())
    (tmp_path / "embeddings" / "easynegative.pt").write_bytes(b"not read here")
    made = Studio(parse_flags(["--data-dir", str(tmp_path)], environ={}))
    yield made
    made.close()


@pytest.fixture
def completion(studio: Studio) -> Completion:
    return Completion(studio)


def texts(completion: Completion, before: str) -> list[str]:
    return [item.text for item in completion.suggest(before).items]


def test_a_tag_is_written_as_prompts_want_it(completion: Completion, studio: Studio) -> None:
    assert texts(completion, "a house, lon") == ["long hair"]
    assert texts(completion, "gany") == [r"ganyu \(genshin impact\)"]
    assert texts(completion, r"ganyu \(gen") == [r"ganyu \(genshin impact\)"]
    assert texts(completion, "^_") == ["^_^"]
    studio.set_options({"prompt_completion_spaces": False, "prompt_completion_escape": False})
    assert texts(completion, "gany") == ["ganyu_(genshin_impact)"]


@pytest.mark.parametrize(
    ("before", "length"),
    [
        ("lon", 3),
        ("a house, long ha", 7),
        ("a girl with long ha", 7),
        ("(lon", 3),
        ("(red:1.2), lon", 3),
        ("[a|lon", 3),
    ],
)
def test_only_the_words_that_mean_something_are_replaced(completion: Completion, before: str, length: int) -> None:
    assert completion.suggest(before).length == length


def test_networks_come_after_their_bracket(completion: Completion) -> None:
    for before in ("a <lora:wood", "a <wood", "a <"):
        found = completion.suggest(before)
        assert [item.text for item in found.items] == ["<lora:woodcut-v2:1>"]
        assert found.length == len(before) - 2
    assert texts(completion, "<hypernet:wood") == []
    assert texts(completion, "<lora:wood>, lon") == ["long hair"]


def test_wildcards_come_after_two_underscores(completion: Completion) -> None:
    assert completion.suggest("a __col").items == (Suggestion("wildcard", "deep/colour", "__deep/colour__"),)
    assert completion.suggest("a __deep/colour__ lon").items[0].label == "long_hair"


def test_embeddings_and_styles_stand_before_tags(completion: Completion, studio: Studio) -> None:
    studio.styles = StyleBook((Style("Easy style", "calm, {prompt}, soft light"),))
    assert texts(completion, "a, eas") == ["calm, soft light", "easynegative"]


@pytest.mark.parametrize("before", ["", "  ", "x", "a, ", "lon,"])
def test_nothing_is_said_where_nothing_was_typed(completion: Completion, before: str) -> None:
    assert completion.suggest(before).items == ()


def test_a_list_that_is_dropped_in_counts_at_once(completion: Completion, studio: Studio) -> None:
    assert texts(completion, "brand n") == []
    (studio.flags.data_dir / "tags" / "two.csv").write_text("brand_new,0,1\n", encoding="utf-8")
    assert texts(completion, "brand n") == ["brand new"]


def test_a_list_that_cannot_be_read_leaves_the_others(completion: Completion, studio: Studio) -> None:
    (studio.flags.data_dir / "tags" / "bad.csv").write_bytes("größe,0,1\n".encode("latin-1"))
    assert texts(completion, "lon") == ["long hair"]
