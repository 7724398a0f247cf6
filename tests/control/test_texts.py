"""Units in infotext: what is written is read again, and so is what versions of the extension have written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.control.preprocessors import PREPROCESSORS
from modules.generation.control_texts import described, units_in
from modules.generation.infotext import parse, write
from modules.generation.restore import restore
from modules.terms.control import CONTROL_FIRST, CONTROL_MODES, FILL, HIRES_OPTIONS, RESIZE_MODES, ControlUnit

SHARE = st.floats(0, 1).map(lambda share: round(share, 2))
UNITS = st.builds(
    ControlUnit,
    module=st.sampled_from([one.name for one in PREPROCESSORS]),
    model=st.sampled_from(["control_v11p_sd15_canny [d14c016b]", "a, b: c [12345678]", "None"]),
    weight=st.floats(0, 2).map(lambda weight: round(weight, 2)),
    resize_mode=st.sampled_from(RESIZE_MODES),
    guidance_start=SHARE.map(lambda share: share / 2),
    guidance_end=SHARE.map(lambda share: 0.5 + share / 2),
    pixel_perfect=st.booleans(),
    control_mode=st.sampled_from(CONTROL_MODES),
    hires_option=st.sampled_from(HIRES_OPTIONS),
)


@given(st.lists(UNITS, max_size=3))
def test_what_is_written_is_read_again(units: list[ControlUnit]) -> None:
    entries = {f"ControlNet {number}": described(one, PREPROCESSORS[one.module]) for number, one in enumerate(units)}
    text = write("a", "b", {"Steps": 20, "Sampler": "Euler", "Seed": 1, **entries})
    found = units_in(parse(text))
    assert list(found) == list(range(len(units)))
    for one, again in zip(units, found.values(), strict=True):
        wish = PREPROCESSORS[one.module].wish(again.processor_res, again.threshold_a, again.threshold_b)
        assert wish == PREPROCESSORS[one.module].wish(-1, -1, -1)
        assert replace(again, processor_res=-1, threshold_a=-1, threshold_b=-1) == one


@pytest.mark.parametrize(
    "text",
    [
        "Module: canny, Model: net [d14c016b], Weight: 0.8, Resize Mode: Resize and Fill, Low Vram: False, Processor "
        "Res: 768, Threshold A: 90, Threshold B: 210, Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: True, "
        "Control Mode: ControlNet is more important, Save Detected Map: True",
        "preprocessor: canny, model: net [d14c016b], weight: 0.8, starting/ending: (0.1, 0.9), resize mode: Resize and "
        "Fill, pixel perfect: True, control mode: ControlNet is more important, preprocessor params: (768, 90, 210)",
    ],
)
def test_every_version_of_the_extension_is_read(text: str) -> None:
    expected = ControlUnit(
        module="canny",
        model="net [d14c016b]",
        weight=0.8,
        resize_mode=FILL,
        processor_res=768,
        threshold_a=90,
        threshold_b=210,
        guidance_start=0.1,
        guidance_end=0.9,
        pixel_perfect=True,
        control_mode=CONTROL_FIRST,
    )
    assert units_in({"ControlNet 1": text, "ControlNet": "x", "Steps": "20"}) == {1: expected}


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    for unit in units_in({"ControlNet 0": f"Module: canny, {text}", "ControlNet 1": text}).values():
        unit.check()


def test_a_restored_picture_tells_of_its_units() -> None:
    text = 'x\nSteps: 20, Sampler: Euler, Seed: 5, ControlNet 0: "Module: canny, Model: net [d14c016b], Weight: 0.5"'
    found = restore(parse(text))
    assert [(one.module, one.model, one.weight) for one in found.request.controls] == [("canny", "net [d14c016b]", 0.5)]
    assert not any(key.startswith("ControlNet") for key in found.unknown)
    assert "ControlNet" in "".join(found.notes)
