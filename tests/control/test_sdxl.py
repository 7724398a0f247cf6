"""SDXL's layout: the second conditioning reaches the ControlNet, adapters begin a level deeper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from torch import nn

from modules.checkpoints.load import load_checkpoint
from modules.checkpoints.sizes import PictureFacts
from modules.conditioning.conditioning import Conditioning, Scheduled
from modules.control.library import ControlInfo
from modules.control.load import load_control
from modules.control.steering import SteeredNetwork, Steerer
from modules.diffusion.guidance import Rows, Texts
from tests.checkpoints.original_layout import tiny_sd1, write_sd1
from tests.checkpoints.test_open_clip_families import POOLED, networks
from tests.checkpoints.test_open_clip_families import write as write_sdxl
from tests.control.written import normal, original_tensors, tiny_adapter, uniform, write

# Levels as in SDXL: no attention in the finest, none missing in the coarsest.
LEVELS = {
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
}


def steerer(path: Path, bundle, hint: torch.Tensor) -> Steerer:
    network = load_control(ControlInfo(path, path.stem, ""), bundle)
    return Steerer(network, network.encode(hint))


def rows_of(cross: torch.Tensor, vector: torch.Tensor | None = None) -> Rows:
    return Rows(tuple(range(len(cross))), (True,) * len(cross), Texts(cross, vector), None)


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_a_steered_call_is_that_of_diffusers(tmp_path: Path, layout: str) -> None:
    made = networks(6)
    bundle = load_checkpoint(write_sdxl(tmp_path / "xl.safetensors", made))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        control = ControlNetModel.from_unet(made.unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
        for one in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            nn.init.normal_(one.weight, std=0.2)
    control.eval().requires_grad_(False)
    tensors = control.state_dict() if layout == "diffusers" else original_tensors(control, made.unet)
    path = write(tmp_path / "control-xl.safetensors", tensors)

    x, timestep, hint = normal(2, 4, 16, 16), torch.tensor([3.0, 741.0]), uniform(1, 3, 128, 128)
    cross, pooled = normal(2, 9, bundle.context_width, seed=3), normal(2, POOLED, seed=4)
    facts = PictureFacts(128, 128)
    said = [bundle.completed(Scheduled(((9, Conditioning(cross[i], pooled[i])),)), facts).at(0) for i in range(2)]
    vector = torch.stack([one.vector for one in said if one.vector is not None])
    added = {"text_embeds": pooled, "time_ids": torch.tensor([[128.0, 128, 0, 0, 128, 128]] * 2)}
    down, middle = control(x, timestep, cross, hint, added_cond_kwargs=added, return_dict=False)
    (expected,) = made.unet(
        x,
        timestep,
        cross,
        added_cond_kwargs=added,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        return_dict=False,
    )
    network = SteeredNetwork(bundle, [steerer(path, bundle, hint)], rows_of(cross, vector))
    assert (expected - bundle.predict(x, timestep, cross, vector)).abs().max() > 1e-2
    torch.testing.assert_close(network(x, timestep, cross, vector), expected, atol=1e-4, rtol=1e-4)


def test_an_adapter_for_sdxl_reaches_every_level_and_the_middle(tmp_path: Path) -> None:
    tiny = tiny_sd1(unet=LEVELS)
    bundle = load_checkpoint(write_sd1(tmp_path / "levels.safetensors", tiny))
    adapter = tiny_adapter("full_adapter_xl", (32, 64, 64, 64))
    path = write(tmp_path / "t2i-xl.safetensors", adapter.state_dict())
    x, timestep, cross = normal(2, 4, 16, 16), torch.tensor([3.0, 741.0]), normal(2, 9, bundle.context_width)
    hint = uniform(1, 3, 128, 128)
    (expected,) = tiny.unet(
        x, timestep, cross, down_intrablock_additional_residuals=list(adapter(hint)), return_dict=False
    )
    found = SteeredNetwork(bundle, [steerer(path, bundle, hint)], rows_of(cross))(x, timestep, cross)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert [tuple(one.shape[-2:]) for one in adapter(hint)] == [(8, 8), (8, 8), (4, 4), (4, 4)]
