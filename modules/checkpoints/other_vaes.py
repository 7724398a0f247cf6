"""Qwen-Image's and FLUX.2's autoencoders in files: dimensions read off the tensors, names turned into diffusers'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modules.checkpoints.components import Component, Piece
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.respelling import Respelling, prefix_of

PREFIXES = ("vae.", "", "first_stage_model.")
VIDEO = "decoder.middle.0.residual.0.gamma"  # the layout of Wan 2.1, which Qwen-Image took over
VIDEO_DIFFUSERS = "decoder.mid_block.resnets.0.norm1.gamma"
NORM_MEAN = "bn.running_mean"  # of FLUX.2's latents, two by two
RESIDUAL = {"residual.2": "conv1", "residual.6": "conv2", "shortcut": "conv_shortcut"}
RESIDUAL_NORMS = {"residual.0": "norm1", "residual.3": "norm2"}
OUTER = {
    "encoder.conv1": "encoder.conv_in",
    "encoder.head.2": "encoder.conv_out",
    "decoder.conv1": "decoder.conv_in",
    "decoder.head.2": "decoder.conv_out",
    "conv1": "quant_conv",
    "conv2": "post_quant_conv",
}


def frame_vae(header: Header) -> Component[Any] | None:
    """The VAE of Qwen-Image in this file; None if it has none. Raises: UnknownFile if it is incomplete."""
    from modules.checkpoints.wrapped_vae import build_frame_vae

    prefix = prefix_of(header, VIDEO, PREFIXES)
    original = prefix is not None
    if prefix is None:
        prefix = prefix_of(header, VIDEO_DIFFUSERS, PREFIXES)
    if prefix is None:
        return None
    names = Respelling(header, prefix)
    down, first, conv = (
        ("encoder.downsamples.", "encoder.conv1", "residual.2")
        if original
        else ("encoder.down_blocks.", "encoder.conv_in", "conv1")
    )
    widths: list[list[int]] = [[]]
    in_time: list[bool] = []
    for number in range(names.count(down)):
        if names.has(f"{down}{number}.resample.1.weight"):
            in_time.append(names.has(f"{down}{number}.time_conv.weight"))
            widths.append([])
        elif names.has(f"{down}{number}.{conv}.weight"):
            widths[-1].append(names.shape(f"{down}{number}.{conv}.weight")[0])
    base = names.shape(f"{first}.weight")[0]
    inner = {
        "base_dim": base,
        "z_dim": names.shape(f"{'conv2' if original else 'post_quant_conv'}.weight")[0],
        "dim_mult": [level[-1] // base for level in widths],
        "num_res_blocks": len(widths[0]),
        "temperal_downsample": in_time,
        "input_channels": names.shape(f"{first}.weight")[1],
    }
    said = config_of(header.metadata, "vae") or {}
    inner |= {name: said[name] for name in ("latents_mean", "latents_std") if name in said}
    if original:
        _respell(names, len(widths), len(widths[0]))
    else:
        names.as_it_is()
    config = {
        "latent_channels": inner["z_dim"],
        "block_out_channels": [level[-1] for level in widths],
        "inner": inner,
    }
    return Component("VAE", build_frame_vae, config, _inside(names.pieces), {})


def _respell(names: Respelling, levels: int, blocks: int) -> None:
    for old, new in OUTER.items():
        names.module(old, new)
    for half in ("encoder", "decoder"):
        names.tensor(f"{half}.head.0.gamma", f"{half}.norm_out.gamma")
        for place, number in ((0, 0), (2, 1)):
            _residual(names, f"{half}.middle.{place}", f"{half}.mid_block.resnets.{number}")
        names.tensor(f"{half}.middle.1.norm.gamma", f"{half}.mid_block.attentions.0.norm.gamma")
        for layer in ("to_qkv", "proj"):
            names.module(f"{half}.middle.1.{layer}", f"{half}.mid_block.attentions.0.{layer}")
    for number in range(names.count("encoder.downsamples.")):
        _block(names, f"encoder.downsamples.{number}", f"encoder.down_blocks.{number}")
    # The decoder has one block more in each level, then what enlarges, all counted in one row.
    for level in range(levels):
        for place in range(blocks + 1):
            old = f"decoder.upsamples.{level * (blocks + 2) + place}"
            _residual(names, old, f"decoder.up_blocks.{level}.resnets.{place}")
        old = f"decoder.upsamples.{level * (blocks + 2) + blocks + 1}"
        _block(names, old, f"decoder.up_blocks.{level}.upsamplers.0")


def _block(names: Respelling, old: str, new: str) -> None:
    """A residual block, or what changes the size."""
    if names.has(f"{old}.resample.1.weight"):
        for layer in ("resample.1", "time_conv"):
            names.module(f"{old}.{layer}", f"{new}.{layer}")
    else:
        _residual(names, old, new)


def _residual(names: Respelling, old: str, new: str) -> None:
    for theirs, ours in RESIDUAL.items():
        names.module(f"{old}.{theirs}", f"{new}.{ours}")
    for theirs, ours in RESIDUAL_NORMS.items():
        names.tensor(f"{old}.{theirs}.gamma", f"{new}.{ours}.gamma")


def patched_vae(header: Header, plain: Component[Any]) -> Component[Any]:
    """`plain`, the KL autoencoder that lies in this file, as FLUX.2's if it is that; else itself."""
    from modules.checkpoints.wrapped_vae import PATCH, build_patched_vae

    prefix = prefix_of(header, NORM_MEAN, PREFIXES)
    if prefix is None:
        return plain
    pieces = {name: piece for name, piece in plain.pieces.items() if not name.startswith("bn.")}
    for name in ("running_mean", "running_var"):
        pieces[f"bn.{name}"] = Piece(f"{prefix}bn.{name}")
    quantised = plain.config["use_quant_conv"]
    # Black Forest Labs has these two inside the halves.
    for half, name in (("encoder", "quant_conv"), ("decoder", "post_quant_conv")):
        for end in ("weight", "bias"):
            if f"{prefix}{half}.{name}.{end}" in header:
                pieces[f"{name}.{end}"] = Piece(f"{prefix}{half}.{name}.{end}")
                quantised = True
    inner = {**plain.config, "use_quant_conv": quantised, "use_post_quant_conv": quantised}
    channels = list(plain.config["block_out_channels"])
    config: Mapping[str, Any] = {
        "latent_channels": plain.config["latent_channels"] * PATCH**2,
        "block_out_channels": [*channels, channels[-1]],
        "inner": inner,
    }
    return replace(plain, build=build_patched_vae, config=config, pieces=_inside(pieces))


def _inside(pieces: Mapping[str, Piece]) -> dict[str, Piece]:
    return {f"inner.{name}": piece for name, piece in pieces.items()}
