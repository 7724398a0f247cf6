"""Z-Image (base and Turbo): one stream of picture and text, read by Qwen 3.

Source: https://github.com/Tongyi-MAI/Z-Image (the layout of files), diffusers' ZImageTransformer2DModel and pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule
from modules.checkpoints.components import Component
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import FLUX_LATENT
from modules.checkpoints.llm_text import QWEN3, LanguagePart, language_component, language_prefix, language_wanted
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.tokenizers import QWEN_WORDS

if TYPE_CHECKING:
    from torch import Tensor, nn

PAD = "x_pad_token"  # Lumina 2, of the same layout, has none
ORIGINAL, DIFFUSERS = "layers.0.attention.qkv.weight", "layers.0.attention.to_q.weight"
TEXT_PLACES = ("text_encoders.qwen3_4b.transformer.", "text_encoder.")
PATCH = 2
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing."""
    unet = transformer(header)
    place = language_prefix(header, QWEN3, *TEXT_PLACES)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=() if place is None else (draw_text(header, place),),
        vae=vae_component(header),
        latent=FLUX_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(shift=3.0),
        wanted=(
            language_wanted(
                QWEN3, "qwen", "the text encoder Qwen 3 4B (qwen_3_4b)", unet.config["joint_attention_dim"],
                draw_text, ("qwen_3", "qwen3"),
            ),
        ),
        vae_hints=("ae.", "flux", "zimage", "z_image"),
        ask=ask,
        patch=PATCH,
        one_prompt=True,
        wide_range=True,
        defaults=Defaults(1024, 1024, 9, 1.0, "Euler", "Simple"),
    )  # fmt: skip


def draw_text(header: Header, prefix: str) -> LanguagePart:
    component = language_component(header, prefix, QWEN3)
    return LanguagePart(component, "qwen", QWEN_WORDS, before=BEFORE, after=AFTER, hidden=(1,))


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile if it is incomplete."""
    prefix = prefix_of(header, PAD) or ""
    names = Respelling(header, prefix)
    original = names.has(ORIGINAL)
    if original:
        _respell(names)
    else:
        names.as_it_is()
    norm = "q_norm" if original else "norm_q"
    inputs = names.shape("x_embedder.weight" if original else "all_x_embedder.2-1.weight")
    head, (inner, text) = names.shape(f"layers.0.attention.{norm}.weight")[0], names.shape("cap_embedder.1.weight")
    third = 3 * head // 8  # of each head a quarter tells the order of the text, the rest rows and columns
    config = {
        "in_channels": inputs[1] // PATCH**2,
        "dim": inner,
        "n_layers": names.count("layers."),
        "n_refiner_layers": names.count("noise_refiner."),
        "n_heads": inner // head,
        "n_kv_heads": inner // head,
        "cap_feat_dim": text,
        "axes_dims": [head - 2 * third, third, third],
        "joint_attention_dim": text,
    }
    return Component("UNet", build, config, names.pieces, names.modules)


def _respell(names: Respelling) -> None:
    for token in (PAD, "cap_pad_token"):
        names.tensor(token, token)
    names.module("x_embedder", "all_x_embedder.2-1")
    for layer in ("linear", "adaLN_modulation.1"):
        names.module(f"final_layer.{layer}", f"all_final_layer.2-1.{layer}")
    for layer in ("t_embedder.mlp.0", "t_embedder.mlp.2", "cap_embedder.0", "cap_embedder.1"):
        names.module(layer, layer)
    for blocks in ("layers", "noise_refiner", "context_refiner"):
        for number in range(names.count(f"{blocks}.")):
            block = f"{blocks}.{number}"
            names.cut(f"{block}.attention.qkv", [f"{block}.attention.to_{one}" for one in "qkv"])
            names.module(f"{block}.attention.out", f"{block}.attention.to_out.0")
            for one in "qk":
                names.module(f"{block}.attention.{one}_norm", f"{block}.attention.norm_{one}")
            same = ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2", "adaLN_modulation.0")
            for name in (*same, *(f"feed_forward.w{place}" for place in (1, 2, 3))):
                names.module(f"{block}.{name}", f"{block}.{name}")


def build(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel

    network: nn.Module = ZImageTransformer2DModel(**{k: v for k, v in config.items() if k != "joint_attention_dim"})
    return network


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. The network counts time from noise to picture and answers with the opposite direction."""
    import torch

    texts = [cross[cross.abs().sum(dim=-1) > 0] for cross in question.cross]
    (output,) = network(
        list(question.x.unsqueeze(2).unbind()), 1 - question.timestep.to(question.x) / 1000, texts, return_dict=False
    )
    return -torch.stack(list(output)).squeeze(2)


def recognise(header: Header) -> bool:
    prefix = prefix_of(header, PAD)
    return prefix is not None and (f"{prefix}{ORIGINAL}" in header or f"{prefix}{DIFFUSERS}" in header)


FAMILY = Family(
    name="Z-Image",
    recognise=recognise,
    draw=draw,
    latent=FLUX_LATENT,
    aliases=("zimage", "z-image"),
    native_size=1024,
)
