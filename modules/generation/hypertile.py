"""Self-attention within tiles instead of over the whole picture: what costs most for large ones gets cheap.

Tiles of other sizes are drawn at random at each call, so that no seam stays in its place; the picture's seed decides
which. Source: tfernd (2023), "HyperTile", github.com/tfernd/HyperTile, as A1111 runs it.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor, nn

from modules.settings.store import Settings

# Smaller tiles see too little: A1111's bound, whatever is set.
LEAST_PIXELS = 128
PIXELS_PER_LATENT = 8
SIZES = ("max_depth", "max_tile", "swap_size")
BLOCK = re.compile(r"(down|mid|up)_blocks?(?:\.(\d+))?\.attentions\.\d+\.transformer_blocks\.(\d+)$")


@dataclass
class Hypertile:
    """max_depth: of the blocks that take part, see `depths`. side: of a tile in pixels, at most. choices: how many
    sizes of tiles are drawn from, by `chance`."""

    max_depth: int
    side: int
    choices: int
    chance: random.Random

    def parts(self, length: int, depth: int) -> int:
        """Into how many parts a side of `length` tokens is cut, this time."""
        # Deeper tokens stand for more of the picture, and A1111 makes their tiles of more of them besides.
        least = max(LEAST_PIXELS, self.side) // PIXELS_PER_LATENT << depth
        return length // self.chance.choice(divisors(length, least)[: max(1, self.choices)])

    def cut(self, tokens: Tensor, height: int, width: int, depth: int) -> tuple[Tensor, tuple[int, int]]:
        """(B, height * width, C) -> (B * rows * columns, tokens of a tile, C), and (rows, columns)."""
        rows, columns = self.parts(height, depth), self.parts(width, depth)
        batch, _, channels = tokens.shape
        cut = tokens.view(batch, rows, height // rows, columns, width // columns, channels)
        return cut.transpose(2, 3).reshape(batch * rows * columns, -1, channels), (rows, columns)


@cache
def divisors(length: int, least: int) -> tuple[int, ...]:
    """What divides `length` and is no less than `least`, or `length` itself."""
    return tuple(size for size in range(min(least, length), length + 1) if length % size == 0)


def joined(tiles: Tensor, height: int, width: int, rows: int, columns: int) -> Tensor:
    """What `Hypertile.cut` cut, (B, height * width, C)."""
    channels = tiles.shape[-1]
    cut = tiles.view(-1, rows, columns, height // rows, width // columns, channels)
    return cut.transpose(2, 3).reshape(-1, height * width, channels)


def for_unet(settings: Settings, width: int, height: int, chance: random.Random, *, hires: bool) -> Hypertile | None:
    """What the settings ask for in a pass of `width` x `height` pixels."""
    if not (settings["hypertile_enable_unet"] or (hires and settings["hypertile_enable_unet_secondpass"])):
        return None
    return _asked(settings, "unet", width, height, chance)


def for_vae(settings: Settings, width: int, height: int, chance: random.Random) -> Hypertile | None:
    """What the settings ask for in the decoder of a picture."""
    return _asked(settings, "vae", width, height, chance) if settings["hypertile_enable_vae"] else None


def _asked(settings: Settings, network: str, width: int, height: int, chance: random.Random) -> Hypertile:
    depth, side, choices = (int(settings[f"hypertile_{key}_{network}"]) for key in SIZES)
    common = math.gcd(width, height)
    return Hypertile(depth, min(side, common & -common), choices, chance)


def entries(settings: Settings, *, hires: bool) -> dict[str, Any]:
    """Infotext entries of a job with or without a hires pass: what is on, and what is set otherwise than usual."""
    switches = {"unet": "enable_unet", "vae": "enable_vae"}
    if hires and not settings["hypertile_enable_unet"]:
        switches["unet"] = "enable_unet_secondpass"
    found: dict[str, Any] = {}
    for network, switch in switches.items():
        if not settings[f"hypertile_{switch}"]:
            continue
        for key in (switch, *(f"{key}_{network}" for key in SIZES)):
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
        for name, depth in depths(unet).items():
            if depth <= asked.max_depth:
                _hook_attention(unet.get_submodule(name).get_submodule("attn1"), depth, size, asked, hooks)
        yield


def depths(unet: nn.Module) -> dict[str, int]:
    """Name of each transformer block of diffusers' `unet` that takes part -> its depth, as A1111 counts it."""
    blocks = [match for name, _ in unet.named_modules() if (match := BLOCK.search(name)) is not None]
    from_the_top = any(match[1] == "down" and match[2] == "0" for match in blocks)
    last = sum(1 for _ in unet.get_submodule("up_blocks").children()) - 1 if blocks else 0
    found = {}
    for match in blocks:
        level = {"down": int(match[2] or 0), "mid": last, "up": last - int(match[2] or 0)}[match[1]]
        depth = level if from_the_top else _depth_in_xl(match[1], level, int(match[3]))
        if depth is not None:
            found[match.string] = depth
    return found


def _depth_in_xl(side: str, level: int, block: int) -> int | None:
    """SDXL has no attention beside the whole latents, and many blocks after each halving."""
    if level == 1:
        return block if block < 2 else None
    return level if side == "mid" else level - 1


def _hook_attention(attention: nn.Module, depth: int, size: list[int], asked: Hypertile, hooks: ExitStack) -> None:
    found: list[tuple[int, int, int, int] | None] = [None]

    def cut(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        tokens: Tensor = args[0] if args else kwargs["hidden_states"]
        found[0] = None
        grid = grid_of(tokens.shape[1], *size)
        # Whoever hands in other tokens to look at has a reason.
        if grid is None or kwargs.get("encoder_hidden_states") is not None:
            return None
        # A1111 takes the one side for the other, which shows in pictures that are not square.
        width, height = grid
        tiles, (rows, columns) = asked.cut(tokens, height, width, depth)
        found[0] = height, width, rows, columns
        if args:
            return (tiles, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": tiles}

    def join(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        return None if found[0] is None else joined(output, *found[0])

    hooks.callback(attention.register_forward_pre_hook(cut, with_kwargs=True).remove)
    hooks.callback(attention.register_forward_hook(join).remove)


def grid_of(count: int, height: int, width: int) -> tuple[int, int] | None:
    """Height and width of latents of a size when they are halved to `count` tokens; None if they never are."""
    for depth in range(8):
        rows, columns = -(-height // (1 << depth)), -(-width // (1 << depth))
        if rows * columns == count:
            return rows, columns
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
