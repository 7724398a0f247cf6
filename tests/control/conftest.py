"""A small random checkpoint with everything that steers it: files in every layout, and a picture to steer by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from diffusers import ControlNetModel, T2IAdapter
from PIL import Image, ImageDraw

from modules.checkpoints.bundle import ModelBundle
from modules.control.library import ControlLibrary
from modules.generation import Tools, open_tools
from tests.checkpoints.original_layout import Tiny, tiny_sd1, write_sd1
from tests.control.written import (
    control_lora,
    original_adapter_tensors,
    original_tensors,
    tiny_adapter,
    tiny_controlnet,
    write,
)
from tests.generation.conftest import TEXT, VAE

# As in SD 1.x, the coarsest level has no attention and comes after three halvings.
UNET = {
    "block_out_channels": (32, 32, 64, 64),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "layers_per_block": 1,
}


@dataclass(frozen=True)
class Steered:
    """A checkpoint, the networks that files were written of, and the folders these lie in."""

    tiny: Tiny
    controlnet: ControlNetModel
    adapter: T2IAdapter
    checkpoints: Path
    controls: Path

    @property
    def library(self) -> ControlLibrary:
        return ControlLibrary([self.controls])


@pytest.fixture(scope="session")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Steered:
    root = tmp_path_factory.mktemp("models")
    checkpoints, controls = root / "Stable-diffusion", root / "ControlNet"
    tiny = tiny_sd1(unet=UNET, text=TEXT, vae=VAE)
    checkpoints.mkdir()
    write_sd1(checkpoints / "tiny.safetensors", tiny)
    network, adapter = tiny_controlnet(tiny.unet), tiny_adapter("full_adapter", UNET["block_out_channels"])
    original = original_tensors(network, tiny.unet)
    write(controls / "tiny_canny.safetensors", {f"control_model.{key}": value for key, value in original.items()})
    write(controls / "below" / "tiny_bare.safetensors", original)
    write(controls / "tiny_diffusers.safetensors", network.state_dict())
    write(controls / "tiny_lora.safetensors", control_lora(network, tiny.unet))
    write(controls / "tiny_shuffle.safetensors", original)
    zero = tiny_controlnet(tiny.unet, zero=True)
    write(controls / "tiny_zero.safetensors", original_tensors(zero, tiny.unet))
    write(controls / "t2iadapter_tiny.safetensors", original_adapter_tensors(adapter))
    write(controls / "t2iadapter_diffusers.safetensors", adapter.state_dict())
    return Steered(tiny, network, adapter, checkpoints, controls)


@pytest.fixture(scope="session")
def tools(steered: Steered) -> Tools:
    return open_tools(steered.checkpoints, controls=steered.controls, settings={"randn_source": "CPU"}, device="cpu")


@pytest.fixture(scope="session")
def bundle(tools: Tools) -> ModelBundle:
    with tools.models.borrow("tiny") as bundle:
        return bundle


@pytest.fixture(scope="session")
def drawing() -> Image.Image:
    """Shapes with clear edges, 96x64."""
    image = Image.new("RGB", (96, 64), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((10, 10, 40, 50), fill="black")
    pen.ellipse((50, 15, 85, 50), fill="red", outline="blue")
    return image
