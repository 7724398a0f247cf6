"""Texts of A1111 and others are taken apart as A1111 does it, and nothing can make that fail or take long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.generation.infotext import UNKNOWN, first_pass_size, parse, take_apart, version_of, write
from modules.prompt.styles import Style, StyleBook
from modules.settings.store import Settings

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"


def test_every_golden_text_gives_what_a1111_gives(parity: Path) -> None:
    cases = json.loads((parity / "texts" / "infotext.json").read_text(encoding="utf-8"))
    assert len(cases) >= 30
    for case in cases:
        assert repr_of(parse(case["infotext"], json_values=False)) == repr_of(case["parsed"])


def repr_of(parsed: dict[str, Any]) -> dict[str, str]:
    """Values with their types told apart: 0, "0" and False."""
    return {key: repr(value) for key, value in parsed.items()}


def test_json_values_end_with_their_brackets() -> None:
    resources = '[{"type":"checkpoint","modelVersionId":293564},{"type":"lora","weight":0.8}]'
    parsed = parse(f'p\n{LINE}, Civitai resources: {resources}, Hashes: {{"model": "abc", "lora:a": "1"}}, User: me')
    assert json.loads(parsed["Civitai resources"])[1]["weight"] == 0.8
    assert json.loads(parsed["Hashes"]) == {"model": "abc", "lora:a": "1"}
    assert parsed["User"] == "me"
    assert "lora" not in parsed


def test_broken_json_is_read_as_a1111_does() -> None:
    text = f'p\n{LINE}, Hashes: {{"model": "abc", "x'
    assert parse(text) == parse(text, json_values=False)


def test_fewer_than_three_entries_belong_to_the_prompt() -> None:
    assert take_apart("a cat\nSteps: 20, Seed: 1").prompt == "a cat\nSteps: 20, Seed: 1"
    assert take_apart("a cat\nSteps: 20, Seed: 1, Size: 8x8").prompt == "a cat"


def test_a_prompt_that_looks_like_a_negative_one_survives() -> None:
    prompt = "a sign that says\nNegative prompt: no parking"
    negative = "bad\nNegative prompt: nested"
    text = write(prompt, negative, {"Steps": 1, "Sampler": "Euler", "Seed": 1})
    parts = take_apart(text)
    assert (parts.prompt, parts.negative_prompt) == (prompt, negative)
    assert "Exact" not in "".join(parts.entries)


prompts = st.text(st.characters(codec="utf-8")).map(
    # As in A1111, blanks at the ends of lines do not survive, nor do empty lines at the beginning.
    lambda text: "\n".join(line.strip() for line in text.split("\n")).strip()
)
keys = st.from_regex(r"[A-Za-z][A-Za-z0-9 /_-]*[A-Za-z0-9]", fullmatch=True)
# An empty value is not written down by anybody; a value that equals its key is written as the bare key.
values = st.one_of(st.text(st.characters(codec="utf-8"), min_size=1), st.integers().map(str), st.floats().map(str))
entries = st.dictionaries(keys, values, min_size=3).filter(lambda found: all(k != v for k, v in found.items()))


@given(prompts, prompts, entries)
def test_what_is_written_is_what_is_read(prompt: str, negative: str, found: dict[str, str]) -> None:
    parts = take_apart(write(prompt, negative, found))
    assert (parts.prompt, parts.negative_prompt, parts.entries) == (prompt, negative, found)


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    parse(text)
    parse(f"{text}\n{LINE}, {text}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["a" * 10**6, "aa:b," * 10**5, "aa: " * 10**5, f"{LINE}, Ab: {'[' * 10**5}", '\\"' * 10**5, " " * 10**6 + ":"],
)
def test_no_text_makes_reading_slow(text: str) -> None:
    # Each takes a fraction of a second; with a regular expression for keys the first takes hours.
    parse(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.10.1", (1, 10, 1, 0)),
        ("1.6", (1, 6, 0, 0)),
        ("v1.7.0-225-gabcdef0", (1, 7, 0, 225)),
        ("v1.8.0-RC", (1, 8, 0, -1)),
        ("f2.0.1v1.10.1-previous-1-gabc", UNKNOWN),
        ("Fooocus v2.5.0", UNKNOWN),
        ("atelier-0.1.0", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_versions_are_compared_by_number(text: str | None, version: tuple[float, ...]) -> None:
    assert version_of(text) == version


def test_old_versions_bring_back_what_they_did() -> None:
    old = parse(f"[a:b:0.5]\n{LINE}, Version: v1.5.2".replace("Euler a", "DDIM"))
    assert old["Old prompt editing timelines"] is True
    assert old["Pad conds v0"] is True
    assert old["Downcast alphas_cumprod"] is True
    refined = parse(f"a\n{LINE}, Refiner: x, Version: v1.7.0")
    assert refined["Refiner switch by sampling steps"] is True
    for text in (f"[a:b:0.5]\n{LINE}, Version: v1.9.0", f"[a:b:0.5]\n{LINE}, Version: atelier-0.1.0"):
        assert "Old prompt editing timelines" not in parse(text)
    unwanted = Settings().with_flat({"auto_backcompat": False})
    assert "Downcast alphas_cumprod" not in parse(f"a\n{LINE}, Version: v1.5.2", settings=unwanted)


def test_hires_of_before_1_0_is_turned_around() -> None:
    parsed = parse(f"a\n{LINE}, First pass size: 0x0".replace("512x768", "1024x1024"))
    assert (parsed["Size-1"], parsed["Size-2"]) == (512, 512)
    assert (parsed["Hires resize-1"], parsed["Hires resize-2"]) == (1024, 1024)
    assert first_pass_size(1920, 1080) == (704, 384)
    backwards = Settings().with_flat({"use_old_hires_fix_width_height": True})
    parsed = parse(f"a\n{LINE}, Hires resize: 1024x1536", settings=backwards)
    assert (parsed["Size-1"], parsed["Size-2"]) == (1024, 1536)


def test_a_hypernetwork_moves_into_the_prompt() -> None:
    assert parse(f"a cat\n{LINE}, Hypernet: style, Hypernet strength: 0.5")["Prompt"] == "a cat<hypernet:style:0.5>"


def test_skipped_fields_are_not_pasted() -> None:
    parsed = parse(f"a\n{LINE}", settings=Settings().with_flat({"infotext_skip_pasting": ["Seed", "Clip skip"]}))
    assert not {"Seed", "Clip skip"} & set(parsed)


BOOK = StyleBook((Style("photo", "{prompt}, sharp", "blurry"), Style("night", "at night")))


@pytest.mark.parametrize(
    ("mode", "prompt", "styles"),
    [
        ("Ignore", "cat, sharp, at night", None),
        ("Apply", "cat", ["photo", "night"]),
        ("Apply if any", "cat", ["photo", "night"]),
        ("Discard", "cat", None),
    ],
)
def test_styles_are_found_in_the_prompts(mode: str, prompt: str, styles: list[str] | None) -> None:
    settings = Settings().with_flat({"infotext_styles": mode})
    parsed = parse(f"cat, sharp, at night\nNegative prompt: blurry\n{LINE}", settings=settings, styles=BOOK)
    assert parsed["Prompt"] == prompt
    assert parsed.get("Styles array") == styles


def test_no_styles_are_an_empty_choice_only_if_so_asked() -> None:
    for mode, styles in (("Apply", []), ("Apply if any", None)):
        settings = Settings().with_flat({"infotext_styles": mode})
        assert parse(f"dog\n{LINE}", settings=settings, styles=BOOK).get("Styles array") == styles


@pytest.mark.parametrize(("hires", "styles"), [("dog, at night", ["night"]), ("dog", None)])
def test_styles_must_be_in_the_hires_prompt_as_well(hires: str, styles: list[str] | None) -> None:
    text = f'cat, at night\n{LINE}, Hires prompt: "{hires}", Version: v1.10.1'
    parsed = parse(text, styles=BOOK)
    assert parsed.get("Styles array") == styles
    assert parsed["Prompt"] == ("cat" if styles else "cat, at night")
    assert parsed["Hires prompt"] == "dog"
