"""What a job asked for fills the form so that the form asks for the same again, pixels included."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.gui.batch_mode import to_picture_batch
from modules.gui.img2img_request import to_img2img_request
from modules.gui.paste import OVERRIDES, overrides_of
from modules.gui.request import to_request
from modules.gui.restored import values_of
from modules.settings.store import Settings
from modules.terms.control import ControlUnit
from modules.terms.errors import BadRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source
from tests.gui.stand_in import StandIn, gradient


@pytest.fixture
def keep(tmp_path: Path):
    """Puts a picture into a file without loss; the value that a canvas holds for it."""

    def keep(picture: Image.Image) -> dict:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        picture.save(path)
        return {"path": str(path)}

    return keep


def alike(one: object, other: object) -> bool:
    """Equal, pictures by their pixels."""
    if isinstance(one, Image.Image) and isinstance(other, Image.Image):
        return one.size == other.size and np.array_equal(
            np.asarray(one.convert("RGBA")), np.asarray(other.convert("RGBA"))
        )
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        return all(alike(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


def again(asked: GenerationRequest, keep, settings: Settings | None = None) -> GenerationRequest:
    values = values_of(asked, settings or Settings(), keep)
    named = overrides_of(values, settings or Settings())
    return to_img2img_request(values, named) if asked.source else to_request(values, named)


PICTURE = gradient(96, 64, 5, 1.0)
GREY = Image.linear_gradient("L").resize((96, 64))
ASKED = {
    "plain": GenerationRequest(prompt="a mill", steps=7, seed=5, width=640, styles=("Woodcut",), cfg_scale=3.5),
    "parts": GenerationRequest(
        hires=Hires(scale=1.5, steps=3, prompt="finer", sampler="Euler a"),
        denoising_strength=0.4,
        refiner=Refiner("b.safetensors", 0.5),
        subseed=9,
        subseed_strength=0.25,
        settings={"CLIP_stop_at_last_layers": 2, "face_restoration_model": "GFPGAN"},
    ),
    "control": GenerationRequest(
        controls=(
            ControlUnit("canny", "control", 0.7, PICTURE, threshold_a=50.0, guidance_end=0.5),
            ControlUnit("inpaint_only", "other", 1.0, PICTURE, mask=GREY),
        )
    ),
    "img2img": GenerationRequest(
        source=Source((PICTURE,), resize_mode=2, image_cfg_scale=2.0), denoising_strength=0.6, width=96, height=64
    ),
    "inpaint": GenerationRequest(
        source=Source((PICTURE,), mask=Mask(GREY, 7, 7, invert=True, fill=2, only_masked=True, padding=16)),
        denoising_strength=1.0,
        scripts={"Soft Inpainting": (True, 2.0, 0.25, 8.0, 0.5, 1.0, 4.0)},
    ),
    "uploaded mask": GenerationRequest(
        source=Source((PICTURE,), mask=Mask(GREY.resize((30, 20)))), denoising_strength=0.5
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_form_asks_for_the_same_again(name: str, keep) -> None:
    asked = ASKED[name]
    got = again(asked, keep)
    different = [
        field.name
        for field in dataclasses.fields(asked)
        if not alike(getattr(asked, field.name), getattr(got, field.name))
    ]
    assert different == []


def test_a_batch_from_a_folder_comes_back(tmp_path: Path, keep) -> None:
    studio = StandIn(tmp_path / "studio")
    batch = PictureBatch(
        GenerationRequest(prompt="fog", denoising_strength=0.3),
        Source((), resize_mode=1),
        Mask(Image.new("L", (1, 1)), only_masked=True),
        folder="in",
        mask_folder="masks",
        scale_by=1.5,
        use_info=True,
        info_properties=("Prompt",),
    )
    values = values_of(batch, Settings(), keep)
    assert values["mode"] == "batch"
    assert alike(to_picture_batch(studio, values), batch)
    studio.jobs.close()


def test_the_model_of_a_job_is_named_among_the_settings(keep) -> None:
    values = values_of(GenerationRequest(checkpoint="b.safetensors"), Settings(), keep)
    assert values[OVERRIDES] == ["Model hash: b.safetensors"]
    assert overrides_of(values, Settings()) == {"sd_model_checkpoint": "b.safetensors"}


def test_where_files_go_cannot_be_named_in_a_form() -> None:
    with pytest.raises(BadRequest, match="outdir_samples"):
        overrides_of({OVERRIDES: ["outdir_samples: /tmp"]}, Settings())
