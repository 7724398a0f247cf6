"""Pictures into latents and back, whatever their size: whole where that fits, else in tiles.

What was drawn is never lost to the decoder: out of memory leads to tiles, then to smaller ones; NaN to a wider number
format. The latents stay the same all the way.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from modules.checkpoints.approximate import decoded_by, encoded_by
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.device_memory import device_memory, out_of_memory_explained, trim_heap
from modules.checkpoints.vae_bands import banded
from modules.checkpoints.vae_tiles import VaeTiles, whole_bytes
from modules.generation import hypertile
from modules.generation.large import LARGE
from modules.generation.pixels import pictures_of
from modules.generation.session import Session
from modules.terms.errors import OutOfMemory
from modules.terms.progress import Phase

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

# What is left for others of the memory that is free.
SHARE = 0.8
SMALLEST_TILE = 256


def decoded(session: Session, bundle: ModelBundle, latents: Tensor, number: int) -> list[Image.Image]:
    """The pictures of `latents` (B, C, h, w), while `number` passes are done.

    An interruption is taken note of, and does not cost the pictures. Raises: OutOfMemory if not even the smallest
    tiles fit, BrokenResult, Cancelled.
    """
    if session.settings["sd_vae_decode_method"] == "TAESD":
        tiny = small_vae(session, bundle, encodes=False)
        if tiny is not None:
            session.extra["VAE Decoder"] = "TAESD"
            return pictures_of(decoded_by(tiny, latents))
    height, width = (side * bundle.latent.downscale for side in latents.shape[-2:])
    tiles = tiles_for(session, bundle, width, height, "decoding", number)
    on_processor = bundle.device.type == "cpu"
    if on_processor:
        trim_heap()
    tiling = hypertile.for_vae(session.settings, width, height, session.chance)
    with banded(bundle.vae) if on_processor else nullcontext(), hypertile.hypertiled_decoder(bundle.vae, tiling):
        return pictures_of(_in_memory(session, bundle, tiles, lambda tiles: bundle.decode(latents, tiles=tiles)))


def encoded(session: Session, bundle: ModelBundle, pixels: Tensor, number: int = 0, *, scaled: bool = True) -> Tensor:
    """Latents of `pixels` (B, 3, H, W); see `ModelBundle.encode_image`. Raises: as `decoded`."""
    if session.settings["sd_vae_encode_method"] == "TAESD":
        tiny = small_vae(session, bundle, encodes=True)
        if tiny is not None:
            session.extra["VAE Encoder"] = "TAESD"
            latents = encoded_by(tiny, pixels).to(bundle.device)
            return latents if scaled else bundle.latent.to_vae(latents)
    height, width = pixels.shape[-2:]
    tiles = tiles_for(session, bundle, width, height, "encoding", number)
    return _in_memory(session, bundle, tiles, lambda tiles: bundle.encode_image(pixels, scaled=scaled, tiles=tiles))


def small_vae(session: Session, bundle: ModelBundle, *, encodes: bool) -> AutoencoderTiny | None:
    """The TAESD for this model; None, and a note that says which file is missing, if it is not there."""
    approximations = session.tools.approximations
    tiny = approximations.tiny(bundle.latent, encodes=encodes)
    if tiny is None:
        missing = approximations.missing(bundle.latent, tiny=True, encodes=encodes)
        session.note(f"{missing} The checkpoint's own VAE was used.")
    return tiny


def tiles_for(session: Session, bundle: ModelBundle, width: int, height: int, phase: Phase, number: int) -> VaeTiles:
    """How a picture of that size is cut; a side of 0 means: not at all, unless memory runs out."""
    settings = session.settings
    tiles = VaeTiles(
        int(settings["vae_tile_size"]),
        int(settings["vae_tile_overlap"]),
        lambda part, parts: session.tell(phase, number, part, parts),
    )
    wanted = settings["vae_tiling"]
    if wanted == "Automatic":
        free, _ = device_memory(bundle.device)
        fits = whole_bytes(bundle.vae, height, width) < free * SHARE
        return replace(tiles, side=0) if width * height <= LARGE and fits else tiles
    return tiles if wanted == "Always" else replace(tiles, side=0)


def _in_memory(
    session: Session, bundle: ModelBundle, tiles: VaeTiles, run: Callable[[VaeTiles | None], Tensor]
) -> Tensor:
    """What `run` returns with `tiles`, or with smaller ones if memory runs out."""
    before = bundle.vae.dtype
    while True:
        try:
            with out_of_memory_explained(bundle.info):
                result = run(tiles if tiles.side else None)
            break
        except OutOfMemory:
            if bundle.offloading is not None and bundle.offloading.more():
                continue
            side = tiles.side // 2 if tiles.side else int(session.settings["vae_tile_size"])
            if side < SMALLEST_TILE:
                raise
            tiles = replace(tiles, side=side)
            session.note(f"Memory ran out for the VAE, so it worked in tiles of {side} pixels.")
    if bundle.vae.dtype != before:
        session.note("The VAE overflowed in half precision; it goes on in 32 bit.")
    return result
