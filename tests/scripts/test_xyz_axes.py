"""Every axis of the specification is there, and another value of it draws another picture."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from modules.terms.request import Hires, Mask, Refiner, Source
from tests.checkpoints.original_layout import tiny_sd1, write_sd1
from tests.generation.conftest import TEXT, VAE
from tests.scripts.conftest import _hosted_studios
from tests.scripts.test_xyz_grid import plot

HIRES = {"hires": Hires(scale=2, upscaler="Latent"), "denoising_strength": 0.7}
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
SOURCE = {"source": Source((PICTURE,)), "denoising_strength": 0.6}
MASK = Image.new("L", (64, 64))
MASK.paste(255, (0, 0, 32, 64))
MASKED = {"source": Source((PICTURE,), mask=Mask(MASK)), "denoising_strength": 0.6}
CHURN = {"settings": {"s_churn": 8.0}}
LARGE = {"width": 256, "height": 256, "steps": 2}


def tiled(**more: Any) -> dict[str, Any]:
    return {**LARGE, "settings": {"hypertile_max_tile_unet": 128, "hypertile_enable_unet": True, **more}}


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "Seed": ("5,6", {}),
    "Var. seed": ("1,2", {"subseed_strength": 0.5}),
    "Var. strength": ("0,0.5", {}),
    "Steps": ("2,3", {}),
    "Hires steps": ("1,3", HIRES),
    "CFG Scale": ("1,7", {}),
    "Image CFG Scale": ("1,5", {**SOURCE, "checkpoint": "edit"}),
    "Prompt S/R": ("red,blue", {}),
    "Prompt order": ("red,circle", {}),
    "Sampler": ("Euler,DPM++ 2M", {}),
    "Hires sampler": ("Euler,DPM++ 2M", HIRES),
    "Checkpoint name": ("atelier-mini,other", {}),
    "Negative Guidance minimum sigma": ("0,8", {"negative_prompt": "blue"}),
    "Sigma Churn": ("0,8", {}),
    "Sigma min": ("0,3", CHURN),
    "Sigma max": ("1,20", CHURN),
    "Sigma noise": ("0.8,1.2", CHURN),
    "Schedule type": ("Karras,Exponential", {}),
    "Schedule min sigma": ("0.1,0.9", {"scheduler": "Karras"}),
    "Schedule max sigma": ("8,14", {"scheduler": "Karras"}),
    "Schedule rho": ("2,9", {"scheduler": "Karras"}),
    "Beta schedule alpha": ("0.4,0.9", {"scheduler": "Beta"}),
    "Beta schedule beta": ("0.4,0.9", {"scheduler": "Beta"}),
    "Eta": ("0,1", {"sampler": "Euler a"}),
    "Clip skip": ("1,2", {}),
    "Denoising": ("0.3,0.9", SOURCE),
    "Initial noise multiplier": ("0.6,1", SOURCE),
    "Extra noise": ("0,0.3", SOURCE),
    "Hires upscaler": ("Latent,Lanczos", HIRES),
    "Cond. Image Mask Weight": ("0,1", {**MASKED, "checkpoint": "inpaint"}),
    "VAE": ("None,other", {}),
    "Styles": ("bold,fine", {}),
    "UniPC Order": ("1,3", {"sampler": "UniPC", "steps": 5}),
    "Token merging ratio": ("0,0.5", {}),
    "Token merging ratio high-res": ("0,0.5", HIRES),
    "Always discard next-to-last sigma": ("False,True", {}),
    "SGM noise multiplier": ("False,True", {}),
    "Refiner checkpoint": ("None,other", {"refiner": Refiner("None", 0.3)}),
    "Refiner switch at": ("0.3,0.9", {"refiner": Refiner("other", 0.5), "steps": 4}),
    "RNG source": ("CPU,NV", {}),
    "FP8 mode": ("Disable,Enable", {}),
    "Size": ("64x64,128x64", {}),
    "[Hypertile] Unet First pass Enabled": ("False,True", tiled(hypertile_enable_unet=False)),
    "[Hypertile] Unet Second pass Enabled": (
        "False,True",
        {**HIRES, "hires": Hires(scale=4, upscaler="Latent"), "settings": {"hypertile_max_tile_unet": 128}},
    ),
    "[Hypertile] Unet Max Depth": ("0,3", tiled()),
    "[Hypertile] Unet Max Tile Size": ("128,256", tiled()),
    "[Hypertile] Unet Swap Size": ("1,5", tiled()),
    "[Hypertile] VAE Enabled": ("False,True", LARGE),
    "[Hypertile] VAE Max Tile Size": (
        "128,256",
        {**LARGE, "settings": {"hypertile_enable_vae": True, "hypertile_swap_size_vae": 1}},
    ),
    "[Hypertile] VAE Swap Size": ("1,5", {**LARGE, "settings": {"hypertile_enable_vae": True}}),
}
# What has nothing to vary: no axis; a restorer whose weights nobody has here; a depth of the decoder, which has one.
UNSEEN = {"Nothing", "Face restore", "[Hypertile] VAE Max Depth"}


def in_time(axis: str) -> Any:
    """Those that need large pictures are slow."""
    _, changes = CASES[axis]
    return pytest.param(axis, marks=pytest.mark.slow if {"hires", "width"} & set(changes) else ())


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """With the built-in model, one like it, a VAE, and tiny models that see pictures."""
    data = tmp_path_factory.mktemp("axes")
    checkpoints, vaes = data / "models" / "Stable-diffusion", data / "models" / "VAE"
    checkpoints.mkdir(parents=True)
    vaes.mkdir()
    built_in = _hosted_studios.ROOT / "models" / "Stable-diffusion" / "atelier-mini.safetensors"
    shutil.copy(built_in, checkpoints)
    tensors = load_file(built_in)
    decoder = "first_stage_model.decoder.conv_out.weight"
    unet = "model.diffusion_model.out.2.weight"
    save_file({**tensors, unet: tensors[unet] * 1.5}, checkpoints / "other.safetensors")
    vae = {name.removeprefix("first_stage_model."): one for name, one in tensors.items() if "first_stage" in name}
    save_file({**vae, decoder.removeprefix("first_stage_model."): tensors[decoder] * 0.5}, vaes / "other.safetensors")
    for kind, channels in (("inpaint", 9), ("edit", 8)):
        write_sd1(checkpoints / f"{kind}.safetensors", tiny_sd1(unet={"in_channels": channels}, vae=VAE, text=TEXT))
    (data / "styles.csv").write_text("name,prompt,negative_prompt\nbold,red and bold,\nfine,blue and fine,\n")
    parsed = _hosted_studios.parse_flags(["--data-dir", str(data), "--vae-dir", str(vaes), "--ui-debug-mode"])
    one = _hosted_studios.Hosted(_hosted_studios.Studio(parsed))
    one.studio.start()
    yield one
    one.studio.close()
    _hosted_studios.forget_facades()


def test_the_axes_are_those_of_the_specification(studio) -> None:
    assert {one.label for one in sys.modules["xyz_grid.py"].axis_options} == UNSEEN | set(CASES)


@pytest.mark.parametrize("axis", [in_time(axis) for axis in CASES])
def test_another_value_draws_another_picture(studio, pixels, axis: str) -> None:
    values, changes = CASES[axis]
    asked = {"checkpoint": "atelier-mini", "steps": 4, **changes}
    job = studio.draw(script=plot(x_type=axis, x_values=values), **asked)
    assert job.state == "done", job.error
    kinds = [image["kind"] for image in job.result["images"]]
    assert kinds == ["grid", "sample", "sample"], job.result["notes"]
    first, second = pixels(job, 1), pixels(job, 2)
    assert first.shape != second.shape or not np.array_equal(first, second)
