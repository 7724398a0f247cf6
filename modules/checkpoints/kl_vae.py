"""The KL autoencoder of the original code: dimensions read off the tensors, names turned into diffusers'.

Three spellings of the same network are read: inside a checkpoint (`first_stage_model.`), alone (`encoder.…`, or with
the prefix), and diffusers' own (`encoder.down_blocks.…`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece, as_matrix, need_shape, numbered, pieces_under
from modules.checkpoints.files import Header
from modules.checkpoints.other_vaes import frame_vae, patched_vae

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

PREFIX = "first_stage_model."
INNER_PREFIX = "vae."  # in files of ComfyUI, and in folders of diffusers
ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
RESIDUAL = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}


def find_prefix(header: Header) -> str | None:
    """Where an original-layout VAE lies in the file: "first_stage_model.", "vae." or "" (a VAE alone); None if it has
    none."""
    for prefix in (PREFIX, INNER_PREFIX, ""):
        if f"{prefix}decoder.up.0.block.0.conv1.weight" in header:
            return prefix
    return None


def vae_component(header: Header) -> Component[AutoencoderKL] | None:
    """The VAE in this file, whichever way it is spelt; None if it has none. Raises: UnknownFile if it is incomplete.

    Autoencoders of another kind (Qwen-Image, FLUX.2) come with the face of diffusers' AutoencoderKL.
    """
    framed = frame_vae(header)
    if framed is not None:
        return framed
    plain = _plain_vae(header)
    return None if plain is None else patched_vae(header, plain)


def _plain_vae(header: Header) -> Component[AutoencoderKL] | None:
    for home in ("", INNER_PREFIX):
        if f"{home}decoder.up_blocks.0.resnets.0.conv1.weight" in header:
            return _diffusers_vae(header, home)
    prefix = find_prefix(header)
    if prefix is None:
        return None
    levels = numbered(header, f"{prefix}encoder.down.")
    channels = [need_shape(header, f"{prefix}encoder.down.{level}.block.0.conv1.weight")[0] for level in range(levels)]
    config = _config(
        channels=channels,
        layers=numbered(header, f"{prefix}encoder.down.0.block."),
        latent=need_shape(header, f"{prefix}decoder.conv_in.weight")[1],
        attention=[f"{prefix}encoder.down.{level}.attn.0.q.weight" in header for level in range(levels)],
        middle_attention=f"{prefix}decoder.mid.attn_1.q.weight" in header,
        quantised=f"{prefix}quant_conv.weight" in header,
        pictures=need_shape(header, f"{prefix}encoder.conv_in.weight")[1],
    )
    modules = _module_names(header, prefix, levels)
    return Component("VAE", build_vae, config, _flattened(header, pieces_under(header, prefix, modules)), modules)


def _diffusers_vae(header: Header, prefix: str) -> Component[AutoencoderKL]:
    levels = numbered(header, f"{prefix}encoder.down_blocks.")
    config = _config(
        channels=[
            need_shape(header, f"{prefix}encoder.down_blocks.{level}.resnets.0.conv1.weight")[0]
            for level in range(levels)
        ],
        layers=numbered(header, f"{prefix}encoder.down_blocks.0.resnets."),
        latent=need_shape(header, f"{prefix}decoder.conv_in.weight")[1],
        attention=[header.has_prefix(f"{prefix}encoder.down_blocks.{level}.attentions.0.") for level in range(levels)],
        middle_attention=header.has_prefix(f"{prefix}decoder.mid_block.attentions.0."),
        quantised=f"{prefix}quant_conv.weight" in header,
        pictures=need_shape(header, f"{prefix}encoder.conv_in.weight")[1],
    )
    # diffusers < 0.17 wrote the attention as query/key/value/proj_attn.
    old = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    pieces = {}
    for key in header:
        if not key.startswith(prefix):
            continue
        parts = key[len(prefix) :].split(".")
        if len(parts) > 2 and parts[-2] in old:
            parts[-2] = old[parts[-2]]
        pieces[".".join(parts)] = Piece(key)
    return Component("VAE", build_vae, config, _flattened(header, pieces))


def _config(
    *,
    channels: list[int],
    layers: int,
    latent: int,
    attention: list[bool],
    middle_attention: bool,
    quantised: bool,
    pictures: int,
) -> dict[str, Any]:
    """Arguments of diffusers' AutoencoderKL."""
    return {
        "in_channels": pictures,
        "out_channels": pictures,
        "block_out_channels": channels,
        "layers_per_block": layers,
        "latent_channels": latent,
        "down_block_types": ["AttnDownEncoderBlock2D" if at else "DownEncoderBlock2D" for at in attention],
        "up_block_types": ["AttnUpDecoderBlock2D" if at else "UpDecoderBlock2D" for at in reversed(attention)],
        "mid_block_add_attention": middle_attention,
        "use_quant_conv": quantised,
        "use_post_quant_conv": quantised,
    }


def _module_names(header: Header, prefix: str, levels: int) -> dict[str, str]:
    """Original module name -> diffusers' name. The original counts decoder levels from fine to coarse."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half, down, theirs, resample in (
        ("encoder", "down", "down_blocks", ("downsample", "downsamplers")),
        ("decoder", "up", "up_blocks", ("upsample", "upsamplers")),
    ):
        names |= {
            f"{half}.conv_in": f"{half}.conv_in",
            f"{half}.norm_out": f"{half}.conv_norm_out",
            f"{half}.conv_out": f"{half}.conv_out",
        }
        names |= _renamed(RESIDUAL, f"{half}.mid.block_1", f"{half}.mid_block.resnets.0")
        names |= _renamed(RESIDUAL, f"{half}.mid.block_2", f"{half}.mid_block.resnets.1")
        names |= _renamed(ATTENTION, f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0")
        for level in range(levels):
            old = f"{half}.{down}.{level}"
            new = f"{half}.{theirs}.{level if half == 'encoder' else levels - 1 - level}"
            for index in range(numbered(header, f"{prefix}{old}.block.")):
                names |= _renamed(RESIDUAL, f"{old}.block.{index}", f"{new}.resnets.{index}")
                names |= _renamed(ATTENTION, f"{old}.attn.{index}", f"{new}.attentions.{index}")
            names[f"{old}.{resample[0]}.conv"] = f"{new}.{resample[1]}.0.conv"
    return names


def _renamed(table: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in table.items()}


def _flattened(header: Header, pieces: dict[str, Piece]) -> dict[str, Piece]:
    """Attention weights as matrices: the original keeps them as 1x1 convolutions."""
    return {
        new: Piece(piece.key, as_matrix)
        if ".attentions." in new and len(header.tensors[piece.key].shape) == 4
        else piece
        for new, piece in pieces.items()
    }


def build_vae(config: Mapping[str, Any]) -> AutoencoderKL:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    network: AutoencoderKL = AutoencoderKL(**config)
    return network
