"""A VAE run in tiles, so that a picture of any size needs the memory of one tile.

Tiles alone would differ in brightness and contrast: the network normalises groups of channels over all it sees. So it
first looks at the whole, made as small as a tile, and every tile is normalised as that was. Cut in a checkerboard of
plain tiles a picture comes out at about 42 dB of the whole one, this way at about 50.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from modules.diffusion.windows import Mosaic, windows

OnTile = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Hears nothing of the tiles."""


@dataclass(frozen=True)
class VaeTiles:
    """side, overlap: in pixels. on_tile: hears (number, of how many) before each tile; may raise to stop."""

    side: int = 768
    overlap: int = 96
    on_tile: OnTile = silent

    def in_latents(self, downscale: int) -> tuple[int, int]:
        """(side, overlap) in latents, fit to be used."""
        side = max(8, self.side // downscale)
        return side, min(max(0, self.overlap // downscale), side // 2)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each group of channels: (G,), float32."""

    mean: Tensor
    variance: Tensor


@torch.no_grad()
def in_tiles(
    run: Callable[[Tensor], Tensor],
    network: nn.Module,
    given: Tensor,
    tiles: VaeTiles,
    downscale: int,
    *,
    decodes: bool,
) -> Tensor:
    """`run(given)` in tiles, on the CPU in float32: (1, C, H, W).

    Args:
        run: what the VAE makes of a tile. network: the part of it that does. given: (1, C, H, W), latents if it
        `decodes`, else pixels, whose sides are multiples of `downscale`.
    Raises: what `on_tile` raises.
    """
    side, overlap = tiles.in_latents(downscale)
    unit, scale = (1, float(downscale)) if decodes else (downscale, 1 / downscale)
    height, width = given.shape[-2:]
    plan = windows(height // unit, width // unit, side, overlap)
    if len(plan) == 1:
        return run(given).float().cpu()
    total = len(plan) + 1
    tiles.on_tile(1, total)
    shrink = side / max(height // unit, width // unit)
    small = [max(1, round(length // unit * shrink)) * unit for length in (height, width)]
    with observed(network) as seen:
        run(interpolate(given.float(), size=small, mode="area").to(given))
    mosaic = Mosaic(scale * unit)
    with normalised(network, seen):
        for number, window in enumerate(plan, 2):
            tiles.on_tile(number, total)
            rows, columns = window.rows, window.columns
            tile = given[..., rows.start * unit : rows.end * unit, columns.start * unit : columns.end * unit]
            mosaic.add(window, run(tile).float().cpu(), (height // unit, width // unit))
    return mosaic.whole()


def group_norms(network: nn.Module) -> dict[str, nn.GroupNorm]:
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.GroupNorm)}


@contextmanager
def observed(network: nn.Module) -> Iterator[dict[str, Moments]]:
    """Inside, the moments that every group norm of `network` meets are written down."""
    seen: dict[str, Moments] = {}

    def watch(name: str, norm: nn.GroupNorm) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            groups = inputs[0].float().reshape(norm.num_groups, -1)
            variance, mean = torch.var_mean(groups, dim=1, correction=0)
            seen[name] = Moments(mean, variance)

        return norm.register_forward_pre_hook(hook)

    handles = [watch(name, norm) for name, norm in group_norms(network).items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def normalised(network: nn.Module, seen: dict[str, Moments]) -> Iterator[None]:
    """Inside, every group norm of `network` takes these moments instead of those of its input."""
    norms = group_norms(network)
    try:
        for name, norm in norms.items():
            object.__setattr__(norm, "forward", fixed_norm(norm, seen[name]))
        yield
    finally:
        for norm in norms.values():
            if "forward" in vars(norm):
                object.__delattr__(norm, "forward")


def fixed_norm(norm: nn.GroupNorm, moments: Moments) -> Callable[[Tensor], Tensor]:
    """What `norm` does to (B, C, …) whose moments are `moments`: one factor and one summand for each channel."""
    repeats = norm.num_channels // norm.num_groups
    factor = (moments.variance + norm.eps).rsqrt().repeat_interleave(repeats) * norm.weight.float()
    summand = norm.bias.float() - moments.mean.repeat_interleave(repeats) * factor

    def forward(given: Tensor) -> Tensor:
        shape = (1, -1, *(1,) * (given.dim() - 2))
        return (given * factor.view(shape)).add_(summand.view(shape)).to(given.dtype)

    return forward


def whole_bytes(vae: Any, height: int, width: int) -> int:
    """About how many bytes it takes to decode a picture of that many pixels at once.

    Four maps at full size, as wide as the widest there: input and output of a convolution, and what it is added to.
    """
    widest = max(vae.config["block_out_channels"][:2])
    return int(4 * widest * height * width * vae.dtype.itemsize)
