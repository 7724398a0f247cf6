"""All spellings of a module's name lead to that module, and to no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from modules.networks.keys import bundled, said_alphas, spelt
from modules.networks.names import ModuleNames, Part, Place
from modules.networks.network import Network
from modules.networks.patch import Patches, Wanted
from tests.networks.toy_model import same_bits, weights


def only(places: tuple[Place, ...]) -> tuple[int, str]:
    (place,) = places
    return place.part, place.path


UNET = [
    "lora_unet_down_blocks_0_attn_to_q",  # kohya, diffusers' names
    "lora_unet_input_blocks_1_attn_to_q",  # kohya, original names
    "lycoris_down_blocks_0_attn_to_q",
    "unet.down_blocks.0.attn.to_q",
    "base_model.model.down_blocks.0.attn.to_q",
    "model.diffusion_model.input_blocks.1.attn.to_q",
    "diffusion_model.input_blocks.1.attn.to_q",
    "down_blocks.0.attn.to_q",
]
TEXT = {
    1: [
        "lora_te_text_model_layers_0_to_q",
        "lora_te1_text_model_layers_0_to_q",
        "text_encoder.text_model.layers.0.to_q",
    ],
    2: ["lora_te2_text_model_layers_0_to_q", "text_encoder_2.text_model.layers.0.to_q"],
}


@pytest.mark.parametrize("name", UNET)
def test_spellings_of_a_unet_module(parts: tuple[Part, ...], name: str) -> None:
    assert only(ModuleNames(parts).find(name)) == (0, "down_blocks.0.attn.to_q")


@pytest.mark.parametrize(("part", "name"), [(part, name) for part, names in TEXT.items() for name in names])
def test_spellings_of_a_text_module(parts: tuple[Part, ...], part: int, name: str) -> None:
    assert only(ModuleNames(parts).find(name)) == (part, "layers.0.to_q")


@pytest.mark.parametrize("name", ["lora_unet_attn_to_q", "lora_te3_text_model_layers_0_to_q", "lora_unet_", ""])
def test_other_names_lead_nowhere(parts: tuple[Part, ...], name: str) -> None:
    assert ModuleNames(parts).find(name) == ()


def test_every_module_with_a_weight_is_found_by_kohyas_name_for_it(parts: tuple[Part, ...]) -> None:
    names = ModuleNames(parts)
    for prefix, part in (("lora_unet_", parts[0]), ("lora_te1_text_model_", parts[1]), ("lora_te2_", parts[2])):
        for path, module in part.module.named_modules():
            if "weight" in module._parameters:
                assert only(names.find(prefix + path.replace(".", "_"))) == (part.number, path)


@pytest.mark.parametrize(
    ("key", "group", "end"),
    [
        ("lora_unet_conv_in.lora_up.weight", "lora_unet_conv_in", "lora_up.weight"),
        ("unet.conv_in.lora_A.weight", "unet.conv_in", "lora_down.weight"),
        ("unet.conv_in.lora_B.default.weight", "unet.conv_in", "lora_up.weight"),
        ("unet.conv_in.lora.down.weight", "unet.conv_in", "lora_down.weight"),
        ("text_encoder.layers.0.to_q.lora_linear_layer.up.weight", "text_encoder.layers.0.to_q", "lora_up.weight"),
        ("unet.mid_block.attn.processor.to_out_lora.up.weight", "unet.mid_block.attn.to_out", "lora_up.weight"),
        ("double_blocks.3.processor.qkv_lora2.down.weight", "double_blocks.3.txt_attn.qkv", "lora_down.weight"),
        ("single_blocks.3.processor.proj_lora.up.weight", "single_blocks.3.linear2.attention", "lora_up.weight"),
        ("unet.conv_in.lora_magnitude_vector.weight", "unet.conv_in", "dora_scale"),
        ("lora_unet_a_b.oft_blocks", "lora_unet_a_b", "oft_blocks"),
        ("lora_unet_a_b.weight", "lora_unet_a_b", "weight"),
        ("lora_unet_a_b.a1.weight", "lora_unet_a_b", "a1.weight"),
    ],
)
def test_keys_are_taken_apart(key: str, group: str, end: str) -> None:
    assert spelt(key) == (group, end)


@pytest.mark.parametrize("key", ["conv_in", "emb_params", "x.running_mean", ""])
def test_keys_of_other_things_are_not(key: str) -> None:
    assert spelt(key) is None


def test_the_list_around_an_output_layer_may_be_left_out(parts: tuple[Part, ...]) -> None:
    assert only(ModuleNames(parts).find("unet.mid_block.attn.to_out")) == (0, "mid_block.attn.to_out.0")


def test_bundled_inversions_are_told_apart() -> None:
    assert bundled("bundle_emb.my word.string_to_param.*") == ("my word", "")
    assert bundled("bundle_emb.word.clip_g") == ("word", "clip_g")
    assert bundled("lora_unet_x.alpha") is None


def test_alphas_are_read_from_pefts_configuration() -> None:
    said = said_alphas(
        {"lora_adapter_metadata": '{"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 2}, "te.r": 4}'}
    )
    assert (said("unet.conv_in"), said("unet.mid_block.attn.to_q"), said("te.layers.0.to_q")) == (8, 2, None)
    assert said_alphas({"lora_adapter_metadata": "{"})("unet.conv_in") is None


class Fused(nn.Module):
    """A transformer's block as diffusers has it: where the original keeps one matrix, here are several."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.mlp = (nn.Linear(4, rows, bias=False) for rows in (4, 4, 4, 6))
        self.out = nn.Linear(10, 4, bias=False)


@pytest.fixture
def fused() -> tuple[Part, ...]:
    originals = {"single_blocks.0.linear1": ("to_q", "to_k", "to_v", "mlp"), "single_blocks.0.linear2": "out"}
    return (Part(0, Fused().requires_grad_(False), originals),)


def test_a_joined_matrix_is_shared_out_by_rows(fused: tuple[Part, ...], write: Callable[..., Network]) -> None:
    up, down = torch.randn(18, 2), torch.randn(2, 4)
    name = "lora_unet_single_blocks_0_linear1"
    network = write({f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down})
    before = weights(fused)
    with Patches().patched(fused, [Wanted(network)]) as applied:
        joined = torch.cat([weights(fused)[f"0.{path}.weight"] for path in ("to_q", "to_k", "to_v", "mlp")])
    plain = torch.cat([before[f"0.{path}.weight"] for path in ("to_q", "to_k", "to_v", "mlp")])
    assert applied.unused == ((),)
    torch.testing.assert_close(joined, plain + up @ down)
    assert same_bits(weights(fused), before)


def test_xlabs_changes_the_attentions_part_of_joined_layers(
    fused: tuple[Part, ...], write: Callable[..., Network]
) -> None:
    tensors = {
        "qkv_lora.up": torch.randn(12, 2), "qkv_lora.down": torch.randn(2, 4),
        "proj_lora.up": torch.randn(4, 2), "proj_lora.down": torch.randn(2, 4),
    }  # fmt: skip
    network = write({f"single_blocks.0.processor.{key}.weight": value for key, value in tensors.items()})
    before = weights(fused)
    with Patches().patched(fused, [Wanted(network)]) as applied:
        after = weights(fused)
    assert applied.unused == ((),)
    change = {key: after[key] - before[key] for key in before}
    attention = torch.cat([change[f"0.{path}.weight"] for path in ("to_q", "to_k", "to_v")])
    torch.testing.assert_close(attention, tensors["qkv_lora.up"] @ tensors["qkv_lora.down"])
    torch.testing.assert_close(change["0.out.weight"][:, :4], tensors["proj_lora.up"] @ tensors["proj_lora.down"])
    assert not change["0.out.weight"][:, 4:].any()
    assert not change["0.mlp.weight"].any()
