"""The detail pass redraws what a detector finds, and nothing else; prompts, seeds and progress follow the findings."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.enhance.detection.detect import Detectors
from modules.enhance.detection.found import Detection
from modules.generation import Tools, generate
from modules.generation.details import masks_for
from modules.generation.infotext import parse
from modules.generation.restore import restore
from modules.imaging.found import box_mask, shaped
from modules.imaging.masks import prepared_mask
from modules.terms.detail import DetailPass, DetailUnit
from modules.terms.errors import BadRequest, Interrupted, NotFound
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest, Hires, Mask, Source
from modules.terms.result import GenerationResult
from tests.enhance.drawn_face import with_face

LEFT, RIGHT = (8, 8, 24, 24), (40, 32, 60, 56)
QUICK = GenerationRequest(prompt="a cat", steps=2, width=64, height=64, seed=3)


def detectors(*boxes: tuple[int, int, int, int], confidences: Sequence[float] = ()) -> Detectors:
    """A detector of faces that finds `boxes` in every picture."""
    sure = list(confidences) or [1.0] * len(boxes)

    def find(picture: Image.Image, confidence: float) -> list[Detection]:
        return [Detection(box, one) for box, one in zip(boxes, sure, strict=True) if one >= confidence]

    return Detectors(own={"face": find})


def drawn(tools: Tools, *units: DetailUnit, boxes: Sequence[Any] = (LEFT, RIGHT), **changes: Any) -> GenerationResult:
    watch = changes.pop("watch", None)
    request = QUICK.with_(detail=DetailPass(units), **changes)
    seeing = tools.with_(detectors=detectors(*boxes))
    return generate(request, seeing, watch) if watch else generate(request, seeing)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB")).astype(int)


def reach(unit: DetailUnit, *boxes: tuple[int, int, int, int]) -> np.ndarray[Any, Any]:
    """Where the blurred masks of `boxes` are not black."""
    masks = [shaped(box_mask((64, 64), box), grow=unit.dilate) for box in boxes]
    blurred = [prepared_mask(mask, blur_x=unit.mask_blur, blur_y=unit.mask_blur) for mask in masks]
    return np.any([np.asarray(mask) > 0 for mask in blurred], axis=0)


@pytest.fixture(scope="module")
def plain(tools: Tools) -> Image.Image:
    return generate(QUICK, tools).images[0].image


@pytest.mark.parametrize("only_masked", [True, False])
def test_only_what_was_found_changes(tools: Tools, plain: Image.Image, only_masked: bool) -> None:
    unit = DetailUnit(mask_blur=2, padding=8, only_masked=only_masked)
    result = drawn(tools, unit)
    (image,) = result.images
    inside = reach(unit, LEFT, RIGHT)
    assert 0.1 < inside.mean() < 0.6
    assert np.array_equal(pixels(image.image)[~inside], pixels(plain)[~inside])
    for box in (LEFT, RIGHT):
        left, top, right, bottom = box
        changed = np.abs(pixels(image.image) - pixels(plain))[top:bottom, left:right]
        assert changed.max() > 0
    assert image.complete


def test_nothing_found_nothing_changed(tools: Tools, plain: Image.Image) -> None:
    result = drawn(tools, DetailUnit(), boxes=())
    assert result.images[0].image.tobytes() == plain.tobytes()


def test_each_face_has_its_prompt_and_skips_are_left_alone(tools: Tools, plain: Image.Image) -> None:
    both = drawn(tools, DetailUnit(mask_blur=0)).images[0].image
    second_alone = drawn(tools, DetailUnit(mask_blur=0, prompt="[SKIP][SEP][PROMPT]")).images[0].image
    inside = reach(DetailUnit(mask_blur=0), LEFT)
    assert np.array_equal(pixels(second_alone)[inside], pixels(plain)[inside])
    assert not np.array_equal(pixels(both)[inside], pixels(plain)[inside])
    other = drawn(tools, DetailUnit(mask_blur=0, prompt="[PROMPT] [SEP] a red dog", cfg_scale=9)).images[0].image
    assert not np.array_equal(pixels(other)[40:50, 45:55], pixels(both)[40:50, 45:55])


def test_a_strength_of_nothing_goes_through_the_vae_alone_and_a_higher_one_changes_more(
    tools: Tools, plain: Image.Image
) -> None:
    def change(strength: float) -> float:
        unit = DetailUnit(denoising_strength=strength, mask_blur=0)
        image = drawn(tools, unit, steps=10, settings={"img2img_fix_steps": True}).images[0].image
        base = generate(QUICK.with_(steps=10, settings={"img2img_fix_steps": True}), tools).images[0].image
        return float(np.abs(pixels(image) - pixels(base)).mean())

    assert change(0.0) < change(0.9)


def test_findings_are_chosen_by_share_confidence_and_number(tools: Tools, plain: Image.Image) -> None:
    notes: list[str] = []
    found = detectors(RIGHT, LEFT, (0, 60, 3, 64), confidences=(0.9, 0.5, 0.35))
    asking: Any = SimpleNamespace(
        request=QUICK, settings=tools.settings, tools=tools.with_(detectors=found), note=notes.append
    )

    def boxes(**changes: Any) -> list[Any]:
        return [mask.getbbox() for mask in masks_for(DetailUnit(dilate=0, **changes), plain, asking)]

    assert boxes() == [(0, 60, 3, 64), LEFT, RIGHT]  # from left to right
    assert boxes(confidence=0.4) == [LEFT, RIGHT]
    assert boxes(min_ratio=0.05) == [LEFT, RIGHT]
    assert boxes(max_ratio=0.1) == [(0, 60, 3, 64), LEFT]
    assert boxes(most=1) == [RIGHT]
    assert boxes(most=1, ranked_by="Confidence", max_ratio=0.1) == [LEFT]
    assert boxes(x_offset=2, y_offset=8)[1] == (10, 0, 26, 16)
    assert len(boxes(merge="Merge")) == 1
    (inverted,) = masks_for(DetailUnit(dilate=0, merge="Merge and Invert"), plain, asking)
    assert inverted.getpixel((10, 10)) == 0
    assert inverted.getpixel((30, 30)) == 255
    assert not any(notes)
    boxes(model="face_yolov8n.pt")
    assert "face_yolov8n.pt" in notes[-1]
    assert "models/GFPGAN" in notes[-1]


@pytest.mark.parametrize(("grow", "box"), [(5, (6, 6, 26, 26)), (-5, (10, 10, 22, 22)), (-64, None)])
def test_masks_grow_and_shrink(grow: int, box: Any) -> None:
    assert shaped(box_mask((64, 64), LEFT), grow=grow).getbbox() == box


def test_a_detector_that_is_not_here_is_told_of_before_anything_is_drawn(tools: Tools) -> None:
    steps = []
    with pytest.raises(NotFound, match=r"hand_yolov8n.pt.*'face' and 'person'"):
        drawn(tools, DetailUnit(model="hand_yolov8n.pt"), watch=lambda progress, preview=None: steps.append(progress))
    assert steps == []


def test_the_text_tells_of_the_units_and_is_read_back(tools: Tools) -> None:
    units = (
        DetailUnit(prompt="a face, [SEP] other", steps=3, sampler="Euler", most=2, denoising_strength=0.25),
        DetailUnit(model="person", width=128, height=64, only_masked=False, clip_skip=2, mask_blur=0),
    )
    result = drawn(tools, *units, boxes=())
    text = result.images[0].infotext
    assert "ADetailer use separate steps: True, ADetailer steps: 3" in text
    assert "ADetailer model 2nd: person" in text
    restored = restore(parse(text))
    assert restored.request.detail == DetailPass(units)
    assert not [key for key in restored.unknown if key.startswith("ADetailer")]
    assert restore(parse(generate(QUICK, tools).images[0].infotext)).request.detail is None


def test_progress_counts_the_details_as_one_more_pass(tools: Tools) -> None:
    seen: list[float] = []

    def watch(progress: Progress, preview: Any = None) -> None:
        if progress.phase == "sampling":
            seen.append(progress.fraction)

    drawn(tools, DetailUnit(), DetailUnit(denoising_strength=0.8), batch_size=2, n_iter=2, watch=watch)
    assert seen == sorted(seen)
    assert max(one for one in seen if one <= 0.25) == 0.25  # the first batch's first pass is a quarter
    assert len([one for one in seen if 0.25 < one <= 0.5]) >= 8
    assert seen[-1] == 1


def test_an_interrupt_keeps_the_faces_that_are_done(tools: Tools, plain: Image.Image) -> None:
    def watch(progress: Progress, preview: Any = None) -> None:
        # The first pass is a half; with two faces, the second begins at three quarters.
        if progress.phase == "sampling" and progress.fraction > 0.75:
            raise Interrupted

    result = drawn(tools, DetailUnit(mask_blur=0), watch=watch)
    (image,) = result.images
    assert result.interrupted
    assert not image.complete
    whole = drawn(tools, DetailUnit(mask_blur=0)).images[0].image
    first, second = reach(DetailUnit(mask_blur=0), LEFT), reach(DetailUnit(mask_blur=0), RIGHT)
    assert np.array_equal(pixels(image.image)[first], pixels(whole)[first])
    assert np.array_equal(pixels(image.image)[second], pixels(plain)[second])


def test_it_comes_after_hires_and_the_copy_before_it_can_be_kept(tools: Tools) -> None:
    hires = {"hires": Hires(scale=1.5, upscaler="Lanczos"), "denoising_strength": 0.5}
    result = drawn(tools, DetailUnit(mask_blur=0), settings={"ad_save_images_before": True}, **hires)
    before, after = result.images
    assert (before.kind, before.suffix) == ("before", "-ad-before")
    assert after.image.size == (96, 96)
    assert before.image.tobytes() == generate(QUICK.with_(**hires), tools).images[0].image.tobytes()


def test_a_mask_of_inpainting_holds_for_details_too(tools: Tools) -> None:
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    source = Source((picture,), mask=Mask(mask, blur_x=0, blur_y=0))
    box = (20, 20, 50, 50)
    image = drawn(tools, DetailUnit(), boxes=[box, RIGHT], source=source, denoising_strength=0.5).images[0].image
    assert np.array_equal(pixels(image)[:, 32:], pixels(picture)[:, 32:])
    bare = generate(QUICK.with_(source=source, denoising_strength=0.5), tools).images[0].image
    assert not np.array_equal(pixels(image)[22:48, 22:32], pixels(bare)[22:48, 22:32])


def test_img2img_can_be_left_out(tools: Tools) -> None:
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 256, (80, 96, 3), np.uint8))
    request = QUICK.with_(
        source=Source((picture,)),
        denoising_strength=0.5,
        detail=DetailPass((DetailUnit(mask_blur=0, padding=0),), skip_img2img=True),
    )
    image = generate(request, tools.with_(detectors=detectors(LEFT))).images[0].image
    assert image.size == picture.size
    outside = np.ones((80, 96), bool)
    outside[5:27, 5:27] = False
    assert np.array_equal(pixels(image)[outside], pixels(picture)[outside])
    assert not np.array_equal(pixels(image)[~outside], pixels(picture)[~outside])
    with pytest.raises(BadRequest, match="use img2img"):
        generate(request.with_(source=None), tools)


def test_the_shipped_detector_finds_a_drawn_face(tools: Tools) -> None:
    sheet = Image.new("RGB", (256, 256), (120, 140, 160))
    (left_eye, _), (right_eye, height) = with_face(sheet, 70, 50, 110)
    source = Source((sheet,))
    detail = DetailPass((DetailUnit(mask_blur=0),), skip_img2img=True)
    image = generate(QUICK.with_(source=source, detail=detail), tools).images[0].image
    changed = (pixels(image) != pixels(sheet)).any(axis=-1)
    assert changed[int(height) - 5 : int(height) + 5, int(left_eye) : int(right_eye)].all()
    assert not changed[:30].any()
    assert changed.mean() < 0.4


def test_the_detector_of_people_finds_none_in_noise_or_in_a_stamp() -> None:
    find, note = Detectors().chosen("person_yolov8n-seg.pt")
    assert "person_yolov8n-seg.pt" in note
    assert find(Image.new("RGB", (40, 40)), 0.3) == []
    assert find(Image.new("RGB", (320, 320), "grey"), 0.3) == []
