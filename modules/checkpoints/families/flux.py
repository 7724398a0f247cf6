"""FLUX.1: dev and schnell, and what was trained from them: Kontext (sees another picture), fill (inpaints).

Source: https://github.com/black-forest-labs/flux (the layout of files), diffusers' FluxTransformer2DModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule, TextPart, TextPlan, Variant, Wanted
from modules.checkpoints.clip_parts import clip_part, clip_prefix, clip_wanted
from modules.checkpoints.components import Component
from modules.checkpoints.family import AnyOf, Family
from modules.checkpoints.files import Header
from modules.checkpoints.hints import said_variant
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import FLUX_LATENT
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.t5_text import T5Part, is_t5, t5_component, t5_prefix
from modules.conditioning.joining import Heard, Joined
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor, nn

ORIGINAL = "double_blocks.0.img_attn.qkv.weight"
ORIGINAL_VECTOR = "vector_in.in_layer.weight"  # Chroma and FLUX.2 have none
DIFFUSERS = "single_transformer_blocks.0.proj_mlp.weight"
DIFFUSERS_VECTOR = "time_text_embed.text_embedder.linear_1.weight"
PREFIXES = ("model.diffusion_model.", "", "transformer.")
CLIP_PLACES = ("text_encoders.clip_l.transformer.", "text_encoder.")
T5_PLACES = ("text_encoders.t5xxl.transformer.", "text_encoder_2.")
PATCH = 2
MASK_SIDE = 8  # pixels of the mask per latent pixel, each a channel

# log shift by number of tokens. Source: black-forest-labs/flux, sampling.get_schedule.
BY_TOKENS = ((256, 0.5), (4096, 1.15))
DEV = Defaults(1024, 1024, 20, 1.0, "Euler", "Simple", 3.5)
SCHNELL = Defaults(1024, 1024, 4, 1.0, "Euler", "Simple", None)
KONTEXT = Defaults(1024, 1024, 20, 1.0, "Euler", "Simple", 2.5)
FILL = Defaults(1024, 1024, 28, 1.0, "Euler", "Simple", 30.0)


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing, or it takes pictures of a kind that is not known."""
    unet = transformer(header)
    config = unet.config
    guided = bool(config["guidance_embeds"])
    variant = variant_of(header, sidecar, config)
    vae = vae_component(header)
    parts: list[TextPlan] = []
    clip, t5 = clip_prefix(header, *CLIP_PLACES), t5_prefix(header, *T5_PLACES)
    if clip is not None:
        parts.append(draw_clip(header, clip))
    if t5 is not None:
        parts.append(draw_t5(header, t5))
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=tuple(parts),
        vae=vae,
        latent=FLUX_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(by_tokens=BY_TOKENS) if guided else FlowSchedule(shift=1.0),
        variant=variant,
        wanted=wanted(config),
        vae_hints=("ae.", "flux"),
        ask=ask,
        join=join,
        patch=PATCH,
        packed=True,
        beside=beside if variant == "inpaint" else None,
        guided=guided,
        one_prompt=True,
        wide_range=True,
        defaults={"inpaint": FILL, "reference": KONTEXT}.get(variant, DEV if guided else SCHNELL),
    )


def wanted(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The encoders that may lie in files of their own; their widths are what the network takes."""
    return (
        clip_wanted(
            "clip_l", "the text encoder CLIP-L (clip_l)", config["pooled_projection_dim"], draw_clip, ("clip_l",)
        ),
        Wanted(
            "t5",
            "the text encoder T5-XXL (t5xxl)",
            partial(is_t5, width=config["joint_attention_dim"]),
            partial(draw_t5, prefix=""),
            ("t5xxl", "t5"),
        ),
    )


def draw_clip(header: Header, prefix: str) -> TextPart:
    return clip_part(header, prefix, "clip_l", layer=1, final_norm=True, pooled="hidden")


def draw_t5(header: Header, prefix: str) -> T5Part:
    return T5Part(t5_component(header, prefix))


def variant_of(header: Header, sidecar: Sidecar, config: Mapping[str, Any]) -> Variant:
    """What is seen beside the latents. Kontext has the shapes of dev: only its name or its metadata tell.

    Raises: UnknownFile for control models, which are not supported.
    """
    channels = config["in_channels"] // PATCH**2
    if channels == FLUX_LATENT.channels:
        return said_variant(header, sidecar, {"kontext": "reference"})
    if channels == 2 * FLUX_LATENT.channels + MASK_SIDE**2:
        return "inpaint"
    raise UnknownFile(
        f"{header.path.name} is a FLUX.1 model that takes {channels - FLUX_LATENT.channels} extra channels (Depth or "
        "Canny, probably), which is not supported. Use FLUX.1 dev with a ControlNet instead."
    )


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile if it is incomplete."""
    prefix = prefix_of(header, ORIGINAL, PREFIXES)
    if prefix is None:
        return _diffusers(Respelling(header, prefix_of(header, DIFFUSERS, PREFIXES) or ""))
    names = Respelling(header, prefix)
    scale = "scale" if names.has("double_blocks.0.img_attn.norm.key_norm.scale") else "weight"
    inner, channels = names.shape("img_in.weight")
    head = names.shape(f"double_blocks.0.img_attn.norm.key_norm.{scale}")[0]
    config = _config(
        inner=inner,
        channels=channels,
        out=names.shape("final_layer.linear.weight")[0],
        layers=names.count("double_blocks."),
        single=names.count("single_blocks."),
        head=head,
        text=names.shape("txt_in.weight")[1],
        pooled=names.shape(ORIGINAL_VECTOR)[1],
        guided=names.has("guidance_in.in_layer.weight"),
    )
    for old, new in (("time_in", "timestep"), ("vector_in", "text"), ("guidance_in", "guidance")):
        if names.has(f"{old}.in_layer.weight"):
            names.module(f"{old}.in_layer", f"time_text_embed.{new}_embedder.linear_1")
            names.module(f"{old}.out_layer", f"time_text_embed.{new}_embedder.linear_2")
    names.module("txt_in", "context_embedder")
    names.module("img_in", "x_embedder")
    names.module("final_layer.linear", "proj_out")
    names.swapped("final_layer.adaLN_modulation.1", "norm_out.linear")
    for block in range(config["num_layers"]):
        double_block(names, f"double_blocks.{block}", f"transformer_blocks.{block}", scale)
    for block in range(config["num_single_layers"]):
        single_block(names, f"single_blocks.{block}", f"single_transformer_blocks.{block}", inner, scale)
    return Component("UNet", build, config, names.pieces, names.modules)


def double_block(names: Respelling, old: str, new: str, scale: str) -> None:
    for theirs, ours, queries in (
        ("img", ("norm1", "attn.to_out.0", "ff", "attn.norm_{}"), "attn.to_{}"),
        ("txt", ("norm1_context", "attn.to_add_out", "ff_context", "attn.norm_added_{}"), "attn.add_{}_proj"),
    ):
        norm, out, mlp, head_norm = ours
        names.module(f"{old}.{theirs}_mod.lin", f"{new}.{norm}.linear")
        names.cut(f"{old}.{theirs}_attn.qkv", [f"{new}.{queries.format(one)}" for one in "qkv"])
        names.tensor(f"{old}.{theirs}_attn.norm.query_norm.{scale}", f"{new}.{head_norm.format('q')}.weight")
        names.tensor(f"{old}.{theirs}_attn.norm.key_norm.{scale}", f"{new}.{head_norm.format('k')}.weight")
        names.module(f"{old}.{theirs}_attn.proj", f"{new}.{out}")
        names.module(f"{old}.{theirs}_mlp.0", f"{new}.{mlp}.net.0.proj")
        names.module(f"{old}.{theirs}_mlp.2", f"{new}.{mlp}.net.2")


def single_block(names: Respelling, old: str, new: str, inner: int, scale: str) -> None:
    names.module(f"{old}.modulation.lin", f"{new}.norm.linear")
    mlp = names.shape(f"{old}.linear1.weight")[0] - 3 * inner
    parts = [*(f"{new}.attn.to_{one}" for one in "qkv"), f"{new}.proj_mlp"]
    names.cut(f"{old}.linear1", parts, (inner, inner, inner, mlp))
    names.tensor(f"{old}.norm.query_norm.{scale}", f"{new}.attn.norm_q.weight")
    names.tensor(f"{old}.norm.key_norm.{scale}", f"{new}.attn.norm_k.weight")
    names.module(f"{old}.linear2", f"{new}.proj_out")


def _diffusers(names: Respelling) -> Component[nn.Module]:
    inner, channels = names.shape("x_embedder.weight")
    names.as_it_is()
    config = _config(
        inner=inner,
        channels=channels,
        out=names.shape("proj_out.weight")[0],
        layers=names.count("transformer_blocks."),
        single=names.count("single_transformer_blocks."),
        head=names.shape("single_transformer_blocks.0.attn.norm_k.weight")[0],
        text=names.shape("context_embedder.weight")[1],
        pooled=names.shape(DIFFUSERS_VECTOR)[1],
        guided=names.has("time_text_embed.guidance_embedder.linear_1.weight"),
    )
    return Component("UNet", build, config, names.pieces, names.modules)


def _config(
    *, inner: int, channels: int, out: int, layers: int, single: int, head: int, text: int, pooled: int, guided: bool
) -> dict[str, Any]:
    """Arguments of diffusers' FluxTransformer2DModel. Positions take an eighth of a head, rows and columns the rest."""
    side = (head - head // 8) // 2
    return {
        "patch_size": 1,
        "in_channels": channels,
        "out_channels": out,
        "num_layers": layers,
        "num_single_layers": single,
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": text,
        "pooled_projection_dim": pooled,
        "guidance_embeds": guided,
        "axes_dims_rope": (head // 8, side, side),
    }


def build(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    network: nn.Module = FluxTransformer2DModel(**config)
    return network


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. Extra channels are put beside x if the network takes them, else they are another picture, whose
    tokens come after x's."""
    import torch

    config: Any = network.config
    x, extra = question.x, question.extra
    height, width = x.shape[-2:]
    if extra is not None and config.in_channels // PATCH**2 > x.shape[1]:
        x, extra = torch.cat([x, extra], dim=1), None
    tokens, places = packed(x), positions(x, 0)
    count = tokens.shape[1]
    if extra is not None:
        tokens = torch.cat([tokens, packed(extra)], dim=1)
        places = torch.cat([places, positions(extra, 1)])
    (output,) = network(
        hidden_states=tokens,
        encoder_hidden_states=question.cross,
        pooled_projections=question.vector,
        timestep=question.timestep.to(x) / 1000,
        img_ids=places,
        txt_ids=x.new_zeros(question.cross.shape[1], 3),
        guidance=question.guidances if config.guidance_embeds else None,
        return_dict=False,
    )
    return unpacked(output[:, :count], height, width)


def packed(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h/2 * w/2, C * 4): two by two pixels become one token."""
    batch, channels, height, width = x.shape
    x = x.view(batch, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * PATCH**2)


def unpacked(tokens: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `packed`: (B, C, height, width)."""
    rows, columns = height // PATCH, width // PATCH
    x = tokens.view(len(tokens), rows, columns, -1, PATCH, PATCH)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), -1, height, width)


def positions(x: Tensor, picture: int) -> Tensor:
    """(number of the picture, row, column) of each token of x: (h/2 * w/2, 3)."""
    import torch

    rows, columns = x.shape[-2] // PATCH, x.shape[-1] // PATCH
    places = torch.zeros(rows, columns, 3, device=x.device)
    places[..., 0] = picture
    places[..., 1] += torch.arange(rows, device=x.device)[:, None]
    places[..., 2] += torch.arange(columns, device=x.device)[None, :]
    return places.view(-1, 3)


def beside(masked: Tensor, mask: Tensor) -> Tensor:
    """What the fill model sees: the masked picture's latents (B, 16, h, w) and each pixel of the mask (B, 64, h, w).

    mask: (B or 1, 1, 8 h, 8 w), 1 where it paints.
    """
    import torch

    height, width = masked.shape[-2:]
    mask = mask[..., : height * MASK_SIDE, : width * MASK_SIDE]  # of sizes that are no multiple of 8
    cells = mask[:, 0].reshape(-1, height, MASK_SIDE, width, MASK_SIDE).permute(0, 2, 4, 1, 3)
    cells = cells.reshape(-1, MASK_SIDE**2, height, width).to(masked)
    return torch.cat([masked, cells.expand(len(masked), -1, -1, -1)], dim=1)


def join(answers: Mapping[str, Heard]) -> Joined:
    """T5's answers token by token, and CLIP's pooled vector."""
    return Joined(answers["t5"].z, answers["clip_l"].pooled)


def recognise_original(header: Header) -> bool:
    prefix = prefix_of(header, ORIGINAL, PREFIXES)
    return prefix is not None and f"{prefix}{ORIGINAL_VECTOR}" in header


def recognise_diffusers(header: Header) -> bool:
    prefix = prefix_of(header, DIFFUSERS, PREFIXES)
    return prefix is not None and f"{prefix}{DIFFUSERS_VECTOR}" in header and f"{prefix}x_embedder.weight" in header


FAMILY = Family(
    name="FLUX.1",
    recognise=AnyOf(recognise_original, recognise_diffusers),
    draw=draw,
    latent=FLUX_LATENT,
    aliases=("FLUX", "flux"),
    native_size=1024,
)
