"""Files that steer: whatever their layout, their dimensions are recovered and their weights are where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.files import read_header
from modules.control.adapter_file import adapter_component
from modules.control.controlnet_file import controlnet_component
from modules.control.library import ControlInfo, ControlLibrary
from modules.control.load import load_control
from modules.control.network import Adapter, ControlNet
from modules.terms.errors import BadRequest, NotFound, UnknownFile
from tests.checkpoints.original_layout import tiny_sd1
from tests.control.conftest import Steered
from tests.control.written import (
    normal,
    original_adapter_tensors,
    original_tensors,
    tiny_adapter,
    tiny_controlnet,
    uniform,
    write,
)

SAME_CONTROLNET = ("tiny_canny", "tiny_bare", "tiny_diffusers", "tiny_lora")
XL = {
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 3),
    "use_linear_projection": True,
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 48,
}


def info_of(path: Path) -> ControlInfo:
    return ControlInfo(path, path.stem, "")


def dimensions(config: dict) -> dict:
    names = (
        *("in_channels", "conditioning_channels", "block_out_channels", "layers_per_block", "cross_attention_dim"),
        *("down_block_types", "mid_block_type", "use_linear_projection", "conditioning_embedding_out_channels"),
    )
    return {name: list(value) if isinstance(value := config[name], tuple) else value for name in names}


@pytest.mark.parametrize("name", SAME_CONTROLNET)
def test_a_controlnet_says_the_same_in_every_layout(steered: Steered, bundle: ModelBundle, name: str) -> None:
    network = load_control(steered.library.find(name), bundle)
    assert isinstance(network, ControlNet)
    assert network.pixels_per_latent == 8
    hint, x = uniform(1, 3, 128, 128), normal(2, 4, 16, 16)
    timestep, cross = torch.tensor([500.0, 10.0]), normal(2, 77, 32)
    found = network.maps(network.encode(hint), x, timestep, cross, None)
    down, middle = steered.controlnet(x, timestep, cross, hint, return_dict=False)
    for ours, theirs in zip(found, (*down, middle), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny_canny", "tiny_bare", "tiny_diffusers"])
def test_dimensions_are_read_off_the_tensors(steered: Steered, name: str) -> None:
    found = controlnet_component(read_header(steered.library.find(name).path), lambda channels: 8)
    assert dimensions(dict(found.config)) == dimensions(dict(steered.controlnet.config))


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_the_layout_of_sdxl_is_read_too(tmp_path: Path, layout: str) -> None:
    unet = tiny_sd1(unet=XL).unet
    network = tiny_controlnet(unet)
    if layout == "original":
        tensors = original_tensors(network, unet)
    else:  # diffusers calls the second conditioning of SDXL otherwise
        tensors = {k.replace("class_embedding.", "add_embedding."): v for k, v in network.state_dict().items()}
    found = controlnet_component(read_header(write(tmp_path / "xl.safetensors", tensors)), lambda channels: 8)
    assert dimensions(dict(found.config)) == dimensions(dict(network.config))
    assert found.config["projection_class_embeddings_input_dim"] == 48
    assert found.config["transformer_layers_per_block"][1:] == [2, 3]
    assert set(found.build(found.config).state_dict()) <= set(found.pieces)


@pytest.mark.parametrize(
    ("kind", "channels", "picture"),
    [
        ("full_adapter", (32, 64, 64, 64), 3),
        ("full_adapter", (32, 32, 32, 32), 1),
        ("full_adapter_xl", (32, 64, 96, 96), 3),
        ("light_adapter", (32, 64, 96), 3),
    ],
)
@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_adapters_are_read_in_both_layouts(
    tmp_path: Path, kind: str, channels: tuple[int, ...], picture: int, layout: str
) -> None:
    adapter = tiny_adapter(kind, channels, picture=picture)
    tensors = original_adapter_tensors(adapter) if layout == "original" else adapter.state_dict()
    found = adapter_component(read_header(write(tmp_path / "a.safetensors", tensors)))
    wanted = dict(adapter.config)
    assert {name: found.config[name] for name in found.config} == {name: wanted[name] for name in found.config}
    assert set(adapter.state_dict()) == set(found.pieces)
    assert all(torch.equal(tensors[piece.key], adapter.state_dict()[new]) for new, piece in found.pieces.items())


@pytest.mark.parametrize("name", ["t2iadapter_tiny", "t2iadapter_diffusers"])
def test_an_adapter_says_the_same_in_every_layout(steered: Steered, bundle: ModelBundle, name: str) -> None:
    network = load_control(steered.library.find(name), bundle)
    assert isinstance(network, Adapter)
    hint = uniform(1, 3, 64, 128)
    for ours, theirs in zip(network.encode(hint), steered.adapter(hint), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_difference_is_added_to_the_checkpoint(steered: Steered, bundle: ModelBundle, tmp_path: Path) -> None:
    whole = original_tensors(steered.controlnet, steered.tiny.unet)
    own = original_tensors(
        tiny_controlnet(steered.tiny.unet).from_unet(
            steered.tiny.unet, conditioning_embedding_out_channels=(8, 8, 16, 16)
        ),
        steered.tiny.unet,
    )
    shared = ("input_blocks.", "middle_block.", "time_embed.")
    less = {key: value - own[key] if key.startswith(shared) else value for key, value in whole.items()}
    path = write(tmp_path / "difference.safetensors", {**less, "difference": torch.tensor([])})
    network = load_control(info_of(path), bundle)
    hint, x, cross = uniform(1, 3, 128, 128), normal(1, 4, 16, 16), normal(1, 77, 32)
    found = network.maps(network.encode(hint), x, torch.tensor([100.0]), cross, None)
    down, middle = steered.controlnet(x, torch.tensor([100.0]), cross, hint, return_dict=False)
    torch.testing.assert_close(found[-1], middle, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(found[0], down[0], atol=2e-5, rtol=1e-4)


def test_a_control_lora_is_completed_with_the_checkpoint_not_with_what_is_patched_into_it(
    steered: Steered, bundle: ModelBundle
) -> None:
    info, weight = steered.library.find("tiny_lora"), bundle.unet.conv_in.weight
    hint, x, cross = uniform(1, 3, 128, 128), normal(1, 4, 16, 16), normal(1, 77, 32)

    def maps():
        network = load_control(info, bundle)
        return network.maps(network.encode(hint), x, torch.tensor([100.0]), cross, None)

    before, kept = maps(), weight.data.clone()
    weight.data.mul_(3)
    patched = maps()
    weight.data.copy_(kept)
    assert all(torch.equal(one, other) for one, other in zip(before, patched, strict=True))


def test_what_does_not_steer_is_named(steered: Steered, bundle: ModelBundle, tmp_path: Path) -> None:
    with pytest.raises(UnknownFile, match="models/Stable-diffusion"):
        load_control(info_of(steered.checkpoints / "tiny.safetensors"), bundle)
    tensors = {**original_tensors(steered.controlnet, steered.tiny.unet), "task_embedding": torch.zeros(6, 8)}
    with pytest.raises(UnknownFile, match="union"):
        load_control(info_of(write(tmp_path / "union.safetensors", tensors)), bundle)


def test_a_network_for_another_checkpoint_is_refused(bundle: ModelBundle, tmp_path: Path) -> None:
    unet = tiny_sd1(unet={"cross_attention_dim": 48, "layers_per_block": 1}).unet
    path = write(tmp_path / "other.safetensors", original_tensors(tiny_controlnet(unet), unet))
    with pytest.raises(BadRequest, match=r"48 numbers per word.*SD 1.x"):
        load_control(info_of(path), bundle)


def test_an_incomplete_file_is_refused(steered: Steered, bundle: ModelBundle, tmp_path: Path) -> None:
    tensors = original_tensors(steered.controlnet, steered.tiny.unet)
    del tensors["middle_block_out.0.weight"]
    with pytest.raises(UnknownFile, match="incomplete"):
        load_control(info_of(write(tmp_path / "half.safetensors", tensors)), bundle)


def test_files_are_found_by_title_name_and_part(steered: Steered) -> None:
    library = ControlLibrary([steered.controls])
    canny = library.find("tiny_canny")
    assert library.find(canny.title) == library.find("TINY_Canny [00000000]") == library.find("canny") == canny
    assert library.find("tiny").name == "tiny_bare" or len(library.find("tiny").name) == len("tiny_lora")
    with pytest.raises(NotFound, match="Did you mean 'tiny_canny'"):
        library.find("tiny_cany_v2")
