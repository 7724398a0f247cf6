"""File names say what their pattern asks for, and never lead out of their folder."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.names import FORBIDDEN, TOKENS, Spelling, Subject, expand, file_name, folder_names, next_number

MOMENT = datetime(2024, 3, 5, 21, 30, 15, tzinfo=timezone.utc)
CAT = Subject(
    prompt="A cat, sitting: on/a (mat)",
    negative_prompt="dog",
    seed=43,
    seeds=(42, 43, 44, 45),
    number=3,
    batch_size=2,
    n_iter=2,
    steps=20,
    cfg_scale=7.0,
    width=64,
    height=96,
    styles=("photo", "night"),
    style_texts=("{prompt}, sitting", "(mat)"),
    sampler="DPM++ 2M",
    scheduler="karras",
    model_name="mini",
    model_hash="0123456789",
    started=MOMENT,
    now=MOMENT,
    image=Image.new("RGB", (2, 2)),
)
ONE = Subject(prompt="x", seed=7, seeds=(7,), started=MOMENT, now=MOMENT)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[seed]-[prompt_spaces]", "43-A cat, sitting_ on_a (mat)"),
        ("[prompt]", "A_cat,_sitting__on_a_(mat)"),
        ("[PROMPT_words]", "A cat sitting on a mat"),
        ("[prompt_no_styles]", "A cat_ on_a"),
        ("[seed_first]..[seed_last]", "42..45"),
        ("[steps]_[cfg]_[width]x[height]", "20_7.0_64x96"),
        ("[styles]", "photo, night"),
        ("[sampler]|[scheduler]|[sampler_scheduler]", "DPM++ 2M|Karras|DPM++ 2M Karras"),
        ("[[model_name]] [model_hash]", "[mini] 0123456789"),
        ("[date] [job_timestamp]", "2024-03-05 20240305213015"),
        ("[datetime<%H.%M><Asia/Tokyo>]", "06.30"),
        ("[datetime<%Y><no/such>]", "2024"),
        ("[batch_number]/[batch_size]", "2/2"),
        ("[generation_number]", "4"),
        ("[hasprompt<CAT><dog|no dog>]", "catno_dog"),
        ("[clip_skip][denoising][user][none]", "1"),
        ("[vae_filename]", "NoneType"),
        ("[basename]", "img"),
        ("[prompt_hash]", hashlib.sha256(CAT.prompt.encode()).hexdigest()[:8]),
        ("[prompt_hash<12>]", hashlib.sha256(CAT.prompt.encode()).hexdigest()[:12]),
        ("[full_prompt_hash]", hashlib.sha256(f"{CAT.prompt} dog".encode()).hexdigest()[:8]),
        ("[image_hash]", hashlib.sha256(bytes(12)).hexdigest()),
        ("plain", "plain"),
        ("[unknown] [seed", "[unknown] [seed"),
        ("[unknown<x>]-[seed]", "[unknown<x>]-43"),
        ("", ""),
    ],
)
def test_patterns_are_expanded(pattern: str, name: str) -> None:
    assert expand(pattern, CAT) == name


def test_a_token_with_nothing_to_say_takes_the_text_before_it() -> None:
    assert expand("[seed] no. [batch_number]-[generation_number] to [seed_last]!", ONE) == "7!"
    assert expand("[seed] at [denoising]", CAT) == "43"


@pytest.mark.parametrize("token", sorted(TOKENS))
@pytest.mark.parametrize("arguments", ["", "<>", "<x><y>", "<-3>", "<%Q\ud800><Asia>"])
def test_no_token_fails(token: str, arguments: str) -> None:
    for subject in (Subject(), CAT, ONE):
        expand(f"[{token}{arguments}]", subject)


def test_parts_are_cleaned_and_cut() -> None:
    assert Spelling().part("  a<b>c ..") == "a_b_c"
    assert Spelling(length=3).part("abcdef") == "abc"
    assert Spelling(unix=True).part('a:b"c/d') == 'a:b"c_d'


@given(st.text(), st.text())
def test_what_people_write_never_forms_a_path(prompt: str, negative: str) -> None:
    subject = Subject(prompt=prompt, negative_prompt=negative, seed=1, model_name=prompt, user=negative)
    for token in TOKENS:
        assert not set(expand(f"[{token}]", subject)) & set(FORBIDDEN)


@given(st.text())
def test_folders_stay_inside(text: str) -> None:
    for name in folder_names(text):
        assert name not in ("", ".", "..")
        assert len(PurePosixPath(name).parts) == len(PureWindowsPath(name).parts) == 1
        assert not PureWindowsPath(name).drive


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("2024-03-05", ("2024-03-05",)),
        ("a/b\\c", ("a", "b", "c")),
        ("../../etc/passwd", ("etc", "passwd")),
        ("/absolute", ("absolute",)),
        ("C:\\Windows", ("Windows",)),
        (". /.. / x", ("x",)),
        ("nul/com1.txt", ("_nul", "_com1.txt")),
        ("", ()),
    ],
)
def test_directory_patterns_cannot_climb(text: str, folders: tuple[str, ...]) -> None:
    assert folder_names(text) == folders


@given(st.text(), st.integers(1, 255))
def test_names_fit_the_file_system(text: str, limit: int) -> None:
    name = file_name(text, limit)
    assert name
    assert len(name.encode("utf-8", "replace")) <= limit + 1
    assert "/" not in name


def test_numbers_go_on_after_the_highest() -> None:
    assert next_number([]) == 0
    assert next_number(["00003-5.png", "00010.png", "x.png", "grid-0044.png", "99-x.txt"]) == 100
    assert next_number(["grid-0044.png", "grid-0007-3.png", "00100.png"], "grid") == 45
    assert next_number([f"{'9' * 40}-1.png"]) == 0
