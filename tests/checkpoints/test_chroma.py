"""Chroma, written in its maker's layout and read back, is held against diffusers' own pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from modules.checkpoints.load import load_checkpoint
from modules.conditioning.conditioning import Conditioning
from modules.conditioning.encode import PromptEncoder, Timing
from modules.terms.errors import UnknownFile
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, T5, VAE, own_tensors, prefixed, save
from tests.checkpoints.more_flow_layouts import fused, random_network, respelt
from tests.checkpoints.original_layout import vae_tensors
from tests.checkpoints.test_flow_families import STEPS, difference, drawn, packed

CHROMA = {
    "in_channels": 64, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 32, "num_attention_heads": 2,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 14, 14), "approximator_num_channels": 16,
    "approximator_hidden_dim": 24, "approximator_layers": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def chroma() -> nn.Module:
    return random_network(ChromaTransformer2DModel, **CHROMA)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def vae() -> nn.Module:
    return random_network(AutoencoderKL, **VAE, **FLUX_VAE_SCALE)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def t5() -> nn.Module:
    return random_network(lambda: T5EncoderModel(T5Config(**T5)))  # type: ignore[no-any-return]


def chroma_tensors(network: nn.Module) -> dict[str, Tensor]:
    state = dict(network.state_dict())
    for block in range(CHROMA["num_layers"]):  # type: ignore[call-overload]
        attention = f"transformer_blocks.{block}.attn."
        fused(state, attention, ("to_q", "to_k", "to_v"), "img.qkv")
        fused(state, attention, ("add_q_proj", "add_k_proj", "add_v_proj"), "txt.qkv")
    for block in range(CHROMA["num_single_layers"]):  # type: ignore[call-overload]
        fused(
            state, f"single_transformer_blocks.{block}.", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), "linear1"
        )
    return respelt(
        state, ("attn.img.qkv", "img_attn.qkv"), ("attn.txt.qkv", "txt_attn.qkv"), ("attn.to_out.0", "img_attn.proj"),
        ("attn.to_add_out", "txt_attn.proj"), ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
        ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"), ("ff_context.net.0.proj", "txt_mlp.0"),
        ("ff_context.net.2", "txt_mlp.2"), ("ff.net.0.proj", "img_mlp.0"), ("ff.net.2", "img_mlp.2"),
        (".proj_out.", ".linear2."), ("single_transformer_blocks", "single_blocks"),
        ("transformer_blocks", "double_blocks"), ("x_embedder", "img_in"), ("context_embedder", "txt_in"),
        ("proj_out.", "final_layer.linear."), ("linear_1.", "in_layer."), ("linear_2.", "out_layer."),
    )  # fmt: skip


def original(network: nn.Module) -> dict[str, Tensor]:
    named = {}
    for key, value in chroma_tensors(network).items():
        if ".attn.norm_" in key:
            which = "query_norm" if "norm_q" in key else "key_norm"
            home = key.split(".attn.")[0] + (".norm." if key.startswith("single") else ".img_attn.norm.")
            key = f"{home}{which}.scale"
        elif key.startswith("distilled_guidance_layer.norms."):
            key = key.replace(".weight", ".scale")
        named[key] = value
    return named


def write(path: Path, network: nn.Module, vae: nn.Module, t5: nn.Module, spelling: str = "original") -> Path:
    tensors = original(network) if spelling == "original" else dict(network.state_dict())
    texts = prefixed("text_encoders.t5xxl.transformer.", own_tensors(t5))
    return save(path, prefixed("model.diffusion_model.", tensors) | vae_tensors(vae, "vae.") | texts)


@pytest.mark.parametrize("spelling", ["original", "diffusers"])
@torch.no_grad()
def test_chroma_draws_as_diffusers_does(
    tmp_path: Path, chroma: nn.Module, vae: nn.Module, t5: nn.Module, spelling: str
) -> None:
    bundle = load_checkpoint(write(tmp_path / "chroma.safetensors", chroma, vae, t5, spelling))
    assert (bundle.family.name, bundle.prediction) == ("Chroma", "flow")
    assert {key: bundle.blueprint.unet.config[key] for key in CHROMA} == CHROMA
    pipeline = ChromaPipeline(FlowMatchEulerDiscreteScheduler(shift=3.0), vae, None, None, chroma)
    pipeline.set_progress_bar_config(disable=True)
    noise, texts = torch.randn(1, 16, 12, 8), [torch.randn(1, length, 32) for length in (9, 4)]
    masks = [torch.ones(1, text.shape[1]) for text in texts]
    theirs = pipeline(
        prompt_embeds=texts[0], prompt_attention_mask=masks[0], negative_prompt_embeds=texts[1],
        negative_prompt_attention_mask=masks[1], latents=packed(noise), width=64, height=96, num_inference_steps=STEPS,
        sigmas=[1 - step / STEPS for step in range(STEPS)], guidance_scale=2.5, output_type="latent",
    ).images  # fmt: skip
    given = [Conditioning(torch.cat([text[0], torch.zeros(1, 32)])) for text in texts]
    assert difference(packed(drawn(bundle.for_size(64, 96), noise, *given, cfg_scale=2.5)), theirs) <= 1e-4


@torch.no_grad()
def test_text_is_heard_with_one_token_of_filling(
    tmp_path: Path, chroma: nn.Module, vae: nn.Module, t5: nn.Module
) -> None:
    bundle = load_checkpoint(write(tmp_path / "chroma.safetensors", chroma, vae, t5))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("a red circle", Timing(1)).at(0).cross
    tokens = list(bundle.clips[0].read("a red circle").tokens)  # type: ignore[union-attr]
    assert tokens[-2:] == [1, 0]
    # As the pipeline reads it: filled up, and only the text is listened to.
    filled = torch.tensor([tokens + [0] * 10])
    want = t5(input_ids=filled, attention_mask=(filled > 0).long()).last_hidden_state[0, : len(tokens)]
    assert difference(said[:-1], want) <= 1e-4
    assert not said[-1].any()


def test_radiance_is_known_and_refused(tmp_path: Path, chroma: nn.Module) -> None:
    tensors = original(chroma) | {"nerf_image_embedder.embedder.0.weight": torch.zeros(2, 2)}
    with pytest.raises(UnknownFile, match="Chroma Radiance"):
        load_checkpoint(save(tmp_path / "radiance.safetensors", tensors))
