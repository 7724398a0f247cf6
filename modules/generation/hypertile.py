"""Self-attention within tiles instead of over the whole picture: what costs most for large ones gets cheap.

Tiles of other sizes are drawn at random at each call, so that no seam stays in its place.
Source: tfernd (2023), "HyperTile", github.com/tfernd/HyperTile.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from modules.settings.store import Settings

# Smaller tiles see too little: A1111's bound, whatever is set.
LEAST_PIXELS = 128
SIZES = ("max_depth", "max_tile", "swap_size")


@dataclass
class Hypertile:
    """max_depth: on how many halvings of the latents beside the whole ones. side: of a tile, in pixels. choices: how
    many sizes of tiles are drawn from. downscale: pixels of the picture along one side of a latent."""

    max_depth: int
    side: int
    choices: int
    downscale: int = 8
    # The same for every picture, whoever else is in its batch.
    chance: random.Random = field(default_factory=lambda: random.Random(0), repr=False)

    def parts(self, length: int, depth: int) -> int:
        """Into how many parts a side of `length` tokens is cut, this time."""
        least = min(length, max(1, max(LEAST_PIXELS, self.side) // self.downscale >> depth))
        sizes = [size for size in range(least, length + 1) if length % size == 0][: max(1, self.choices)]
        return length // self.chance.choice(sizes)

    def cut(self, tokens: Tensor, height: int, width: int, depth: int) -> tuple[Tensor, tuple[int, int]]:
        """(B, height * width, C) -> (B * rows * columns, tokens of a tile, C), and (rows, columns)."""
        rows, columns = self.parts(height, depth), self.parts(width, depth)
        batch, _, channels = tokens.shape
        cut = tokens.view(batch, rows, height // rows, columns, width // columns, channels)
        return cut.transpose(2, 3).reshape(batch * rows * columns, -1, channels), (rows, columns)


def joined(tiles: Tensor, height: int, width: int, rows: int, columns: int) -> Tensor:
    """What `Hypertile.cut` cut, (B, height * width, C)."""
    channels = tiles.shape[-1]
    cut = tiles.view(-1, rows, columns, height // rows, width // columns, channels)
    return cut.transpose(2, 3).reshape(-1, height * width, channels)


def for_unet(settings: Settings, *, hires: bool) -> Hypertile | None:
    """What the settings ask for in a pass."""
    if not (settings["hypertile_enable_unet"] or (hires and settings["hypertile_enable_unet_secondpass"])):
        return None
    return _asked(settings, "unet")


def for_vae(settings: Settings) -> Hypertile | None:
    """What the settings ask for in the decoder."""
    return _asked(settings, "vae") if settings["hypertile_enable_vae"] else None


def _asked(settings: Settings, network: str) -> Hypertile:
    depth, side, choices = (int(settings[f"hypertile_{key}_{network}"]) for key in SIZES)
    return Hypertile(depth, side, choices)


def entries(settings: Settings) -> dict[str, Any]:
    """Infotext entries: what is on, and what is set otherwise than A1111 has it."""
    found: dict[str, Any] = {}
    on = {"unet": ("enable_unet", "enable_unet_secondpass"), "vae": ("enable_vae",)}
    for network, switches in on.items():
        if not any(settings[f"hypertile_{switch}"] for switch in switches):
            continue
        for key in (*switches, *(f"{key}_{network}" for key in SIZES)):
            setting = settings.catalogue[f"hypertile_{key}"]
            if settings[setting.key] != setting.default:
                found[str(setting.infotext)] = settings[setting.key]
    return found


@contextmanager
def hypertiled(unet: nn.Module, asked: Hypertile | None) -> Iterator[None]:
    """Inside, self-attention of diffusers' `unet` works within tiles, down to the depth that is asked for."""
    if asked is None:
        yield
        return
    with ExitStack() as hooks:
        size = [0, 0]

        def look_at_size(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            size[:] = (args[0] if args else kwargs["sample"]).shape[-2:]

        hooks.callback(unet.register_forward_pre_hook(look_at_size, with_kwargs=True).remove)
        for module in unet.modules():
            if type(module).__name__ == "BasicTransformerBlock":
                _hook_attention(module.get_submodule("attn1"), size, asked, hooks)
        yield


def _hook_attention(attention: nn.Module, size: list[int], asked: Hypertile, hooks: ExitStack) -> None:
    found: list[tuple[int, int, int, int] | None] = [None]

    def cut(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        tokens: Tensor = args[0] if args else kwargs["hidden_states"]
        found[0] = None
        grid = grid_of(tokens.shape[1], *size)
        # Whoever hands in other tokens to look at has a reason.
        if grid is None or grid[2] > asked.max_depth or kwargs.get("encoder_hidden_states") is not None:
            return None
        height, width, depth = grid
        tiles, (rows, columns) = asked.cut(tokens, height, width, depth)
        found[0] = height, width, rows, columns
        if args:
            return (tiles, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": tiles}

    def join(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        return None if found[0] is None else joined(output, *found[0])

    hooks.callback(attention.register_forward_pre_hook(cut, with_kwargs=True).remove)
    hooks.callback(attention.register_forward_hook(join).remove)


def grid_of(count: int, height: int, width: int) -> tuple[int, int, int] | None:
    """Height, width and depth at which latents of a size are `count` tokens; None if they never are."""
    for depth in range(8):
        rows, columns = -(-height // (1 << depth)), -(-width // (1 << depth))
        if rows * columns == count:
            return rows, columns, depth
        if rows * columns < count:
            break
    return None


@contextmanager
def hypertiled_decoder(vae: nn.Module, asked: Hypertile | None) -> Iterator[None]:
    """Inside, the attention of a diffusers `vae`'s decoder works within tiles, at the depth of the latents."""
    decoder = getattr(vae, "decoder", None)
    middle = getattr(getattr(decoder, "mid_block", None), "attentions", None)
    if asked is None or not middle:
        yield
        return
    with ExitStack() as hooks:
        for attention in middle:
            if attention is not None:
                _hook_spatial(attention, asked, hooks)
        yield


def _hook_spatial(attention: nn.Module, asked: Hypertile, hooks: ExitStack) -> None:
    """As `_hook_attention`, for (B, C, h, w)."""
    found = [(0, 0, 0, 0)]

    def cut(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        picture: Tensor = args[0] if args else kwargs["hidden_states"]
        height, width = picture.shape[-2:]
        tiles, (rows, columns) = asked.cut(picture.flatten(2).transpose(1, 2), height, width, 0)
        found[0] = height, width, rows, columns
        tiles = tiles.transpose(1, 2).unflatten(2, (height // rows, width // columns))
        if args:
            return (tiles, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": tiles}

    def join(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        height, width, rows, columns = found[0]
        tokens = joined(output.flatten(2).transpose(1, 2), height, width, rows, columns)
        return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], height, width)

    hooks.callback(attention.register_forward_pre_hook(cut, with_kwargs=True).remove)
    hooks.callback(attention.register_forward_hook(join).remove)
