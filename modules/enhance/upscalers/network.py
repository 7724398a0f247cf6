"""A network goes over a picture, tile by tile."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from modules.enhance.networks import Networks, PictureNetwork
from modules.enhance.upscaler import LANCZOS, Upscaler, Work
from modules.enhance.upscalers.files import UpscalerFile
from modules.imaging.tiles import in_tiles, tiling
from modules.terms.errors import OutOfMemory, UnknownFile

log = logging.getLogger("atelier.enhance")

# spandrel's architecture -> the beginning of the keys of its tile settings; all others share those of ESRGAN.
TILE_SETTINGS = {"DAT": "DAT", "SwinIR": "SWIN", "Swin2SR": "SWIN", "SCUNet": "SCUNET"}
SMALLEST_TILE = 32


def file_upscalers(files: Iterable[UpscalerFile], networks: Networks) -> list[Upscaler]:
    """An upscaler for every file; its network is loaded when it is first used."""
    return [Upscaler(one.name, NetworkPass(one.path, networks), one.scale, one.aliases, one.path) for one in files]


@dataclass(frozen=True)
class NetworkPass:
    """One pass of the network in `path` over a picture: `scale` times as large, transparency kept."""

    path: Path
    networks: Networks

    def __call__(self, image: Image.Image, scale: float, work: Work) -> Image.Image:
        """Raises: NotFound, UnknownFile, Refused, OutOfMemory, and what `work.done` raises."""
        with self.networks.borrow(self.path) as network:
            _check(network)
            larger = in_tiles_that_fit(network, image.convert("RGB"), work)
        if "A" not in image.getbands() and "transparency" not in image.info:
            return larger
        larger.putalpha(image.convert("RGBA").getchannel("A").resize(larger.size, LANCZOS))
        return larger


def _check(network: PictureNetwork) -> None:
    if network.purpose == "FaceSR":
        raise UnknownFile(f"{network.name} restores faces ({network.kind}): its folder is models/GFPGAN.")
    if network.channels not in (1, 3):
        raise UnknownFile(f"{network.name} takes pictures of {network.channels} channels; upscalers take 1 or 3.")


def in_tiles_that_fit(network: PictureNetwork, image: Image.Image, work: Work) -> Image.Image:
    """What `network` makes of `image` (RGB). A tile that does not fit in memory is halved. Raises: OutOfMemory."""
    tile, overlap = tile_settings(network.kind, work.settings)
    while True:
        plan = tiling(*image.size, tile, tile, min(overlap, max(0, tile - 1)))
        try:
            return in_tiles(image, plan, lambda part: enlarged(network, part), work.done)
        except OutOfMemory:
            smaller = (min(tile, max(image.size)) if tile else max(image.size)) // 2
            if smaller < SMALLEST_TILE:
                raise
            log.warning("A tile of %d does not fit in memory; going on with %d.", tile, smaller)
            tile = smaller


def tile_settings(kind: str, settings: Mapping[str, Any]) -> tuple[int, int]:
    """(tile, overlap) in pixels for networks of `kind`; a tile of 0 is the whole picture."""
    prefix = TILE_SETTINGS.get(kind, "ESRGAN")
    return int(settings[f"{prefix}_tile"]), int(settings[f"{prefix}_tile_overlap"])


def enlarged(network: PictureNetwork, image: Image.Image) -> Image.Image:
    """`image` (RGB) after one call of `network`. Raises: OutOfMemory.

    Networks see blue first, as in A1111, and colours round to the nearest.
    """
    colours = np.asarray(image)[..., ::-1]
    if network.channels == 1:
        # A network of brightness: each colour by itself.
        parts = [_called(network, colours[..., [channel]]) for channel in range(3)]
        return Image.fromarray(np.ascontiguousarray(np.concatenate(parts, axis=-1)[..., ::-1]))
    return Image.fromarray(np.ascontiguousarray(_called(network, colours)[..., ::-1]))


def _called(network: PictureNetwork, colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """uint8 (H, W, C) -> uint8 (H * scale, W * scale, C)."""
    pixels = torch.from_numpy(np.ascontiguousarray(colours)).permute(2, 0, 1)[None].float() / 255
    drawn = network(pixels)[0].permute(1, 2, 0).clamp(0, 1).mul(255).round()
    return drawn.to(torch.uint8).numpy()
