"""FLUX.2 klein (4B and 9B): read by Qwen 3, in latents that hold sixteen by sixteen pixels each.

Source: https://github.com/black-forest-labs/flux2 (the layout of files), diffusers' Flux2Transformer2DModel and
Flux2KleinPipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule
from modules.checkpoints.components import Component
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header
from modules.checkpoints.hints import said_variant
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import FLUX2_LATENT
from modules.checkpoints.llm_text import QWEN3, LanguagePart, language_component, language_prefix, language_wanted
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.tokenizers import QWEN_WORDS
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor, nn

ORIGINAL, DIFFUSERS = "double_stream_modulation_img.lin.weight", "double_stream_modulation_img.linear.weight"
GUIDED = ("guidance_in.in_layer.weight", "time_guidance_embed.guidance_embedder.linear_1.weight")  # FLUX.2 dev
TEXT_PLACES = ("text_encoders.qwen3_4b.transformer.", "text_encoders.qwen3_8b.transformer.", "text_encoder.")
LISTENED = (9, 18, 27)  # the states that the network is given, side by side
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
# log shift by number of tokens, at the four steps that klein is made for; it falls a little with more steps.
# Source: compute_empirical_mu of black-forest-labs/flux2.
BY_TOKENS = ((0, 1.943860), (4096, 2.291180))
REFERENCE = 10  # how far a picture that is looked at lies from the one that is drawn


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing, or it is FLUX.2 dev."""
    unet = transformer(header)
    place = language_prefix(header, QWEN3, *TEXT_PLACES)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=() if place is None else (draw_text(header, place),),
        vae=vae_component(header),
        latent=FLUX2_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(by_tokens=BY_TOKENS),
        variant=said_variant(header, sidecar, {}),
        wanted=(
            language_wanted(
                QWEN3, "qwen", "the text encoder Qwen 3 (4B for klein 4B, 8B for klein 9B)",
                unet.config["joint_attention_dim"] // len(LISTENED), draw_text, ("qwen_3", "qwen3"),
            ),
        ),
        vae_hints=("flux2", "flux.2"),
        ask=ask,
        one_prompt=True,
        wide_range=True,
        defaults=Defaults(1024, 1024, 4, 1.0, "Euler", "Simple"),
    )  # fmt: skip


def draw_text(header: Header, prefix: str) -> LanguagePart:
    component = language_component(header, prefix, QWEN3)
    return LanguagePart(
        component, "qwen", QWEN_WORDS, before=BEFORE, after=AFTER, hidden=LISTENED, least=512, marks_end=False
    )


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile."""
    original = prefix_of(header, ORIGINAL)
    names = Respelling(header, (prefix_of(header, DIFFUSERS) if original is None else original) or "")
    if any(names.has(key) for key in GUIDED):
        raise UnknownFile(
            f"{header.path.name} is FLUX.2 dev, read by Mistral (24 billion numbers), which is not supported. "
            "Choose FLUX.2 klein."
        )
    if original is None:
        names.as_it_is()
        blocks, single, norm = "transformer_blocks.", "single_transformer_blocks.", "attn.norm_q.weight"
        picture, text, output = "x_embedder.weight", "context_embedder.weight", "attn.to_out.weight"
    else:
        _respell(names)
        blocks, single, norm = "double_blocks.", "single_blocks.", "norm.query_norm.scale"
        picture, text, output = "img_in.weight", "txt_in.weight", "linear2.weight"
    inner, channels = names.shape(picture)
    head = names.shape(f"{single}0.{norm}")[0]
    config = {
        "in_channels": channels,
        "num_layers": names.count(blocks),
        "num_single_layers": names.count(single),
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": names.shape(text)[1],
        "mlp_ratio": (names.shape(f"{single}0.{output}")[1] - inner) / inner,
        "axes_dims_rope": (head // 4,) * 4,
        "guidance_embeds": False,
    }
    return Component("UNet", build, config, names.pieces, names.modules)


def _respell(names: Respelling) -> None:
    names.module("img_in", "x_embedder")
    names.module("txt_in", "context_embedder")
    names.module("final_layer.linear", "proj_out")
    names.swapped("final_layer.adaLN_modulation.1", "norm_out.linear")
    for place, layer in ((1, "in_layer"), (2, "out_layer")):
        names.module(f"time_in.{layer}", f"time_guidance_embed.timestep_embedder.linear_{place}")
    for stream in ("double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation"):
        names.module(f"{stream}.lin", f"{stream}.linear")
    for number in range(names.count("double_blocks.")):
        old, new = f"double_blocks.{number}", f"transformer_blocks.{number}"
        for theirs, queries, out, mlp, norm in (
            ("img", "attn.to_{}", "attn.to_out.0", "ff", "attn.norm_"),
            ("txt", "attn.add_{}_proj", "attn.to_add_out", "ff_context", "attn.norm_added_"),
        ):
            names.cut(f"{old}.{theirs}_attn.qkv", [f"{new}.{queries.format(one)}" for one in "qkv"])
            names.module(f"{old}.{theirs}_attn.proj", f"{new}.{out}")
            names.module(f"{old}.{theirs}_mlp.0", f"{new}.{mlp}.linear_in")
            names.module(f"{old}.{theirs}_mlp.2", f"{new}.{mlp}.linear_out")
            for one, said in (("q", "query"), ("k", "key")):
                names.tensor(f"{old}.{theirs}_attn.norm.{said}_norm.scale", f"{new}.{norm}{one}.weight")
    for number in range(names.count("single_blocks.")):
        old, new = f"single_blocks.{number}", f"single_transformer_blocks.{number}"
        names.module(f"{old}.linear1", f"{new}.attn.to_qkv_mlp_proj")
        names.module(f"{old}.linear2", f"{new}.attn.to_out")
        for one, said in (("q", "query"), ("k", "key")):
            names.tensor(f"{old}.norm.{said}_norm.scale", f"{new}.attn.norm_{one}.weight")


def build(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel

    network: nn.Module = Flux2Transformer2DModel(**config)
    return network


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. Another picture's tokens come after x's."""
    import torch

    x, extra, cross = question.x, question.extra, question.cross
    tokens, places = x.flatten(2).transpose(1, 2), positions(x, 0)
    count = tokens.shape[1]
    if extra is not None:
        tokens = torch.cat([tokens, extra.flatten(2).transpose(1, 2)], dim=1)
        places = torch.cat([places, positions(extra, REFERENCE)])
    text = torch.zeros(cross.shape[1], 4, device=x.device)
    text[:, 3] = torch.arange(cross.shape[1], device=x.device)
    output: Tensor = network(
        hidden_states=tokens,
        encoder_hidden_states=cross,
        timestep=question.timestep.to(x) / 1000,
        img_ids=places.expand(len(x), -1, -1),
        txt_ids=text.expand(len(x), -1, -1),
        guidance=None,
        return_dict=False,
    )[0]
    return output[:, :count].transpose(1, 2).reshape(x.shape)


def positions(x: Tensor, picture: int) -> Tensor:
    """(number of the picture, row, column, 0) of each token of x: (h * w, 4)."""
    import torch

    rows, columns = (torch.arange(side, device=x.device) for side in x.shape[-2:])
    first, last = (torch.tensor([number], device=x.device) for number in (picture, 0))
    return torch.cartesian_prod(first, rows, columns, last).float()


def recognise(header: Header) -> bool:
    return prefix_of(header, ORIGINAL) is not None or prefix_of(header, DIFFUSERS) is not None


FAMILY = Family(
    name="FLUX.2",
    recognise=recognise,
    draw=draw,
    latent=FLUX2_LATENT,
    aliases=("flux2", "klein"),
    native_size=1024,
)
