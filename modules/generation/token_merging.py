"""Fewer tokens through self-attention: the most alike are averaged before it and share its answer after it.

Only where the network works at full latent resolution, where it costs most.
Source: Bolya and Hoffman (2023), "Token Merging for Fast Stable Diffusion", arXiv:2303.17604.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CELL = 2  # one token of each CELL x CELL cell stays; the others may be merged into any that stays


@dataclass(frozen=True)
class Merging:
    """Which tokens go where. All indices (B, n, 1) count tokens; `moved` and `kept` count among `sources`.

    sources, targets: the tokens that may be merged, and those that stay. moved: sources that are merged, into the
    target number `into`. kept: sources that are not.
    """

    count: int
    sources: Tensor
    targets: Tensor
    moved: Tensor
    kept: Tensor
    into: Tensor

    def merge(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, fewer, C): kept sources, then targets averaged with what is merged into them."""
        width = tokens.shape[-1]
        sources, targets = _taken(tokens, self.sources), _taken(tokens, self.targets)
        into = self.into.expand(-1, -1, width)
        merged = targets.scatter_reduce(1, into, _taken(sources, self.moved), reduce="mean")
        return torch.cat([_taken(sources, self.kept), merged], dim=1)

    def unmerge(self, tokens: Tensor) -> Tensor:
        """The inverse in length, (B, N, C): every merged source gets what its target became."""
        kept, targets = tokens.split([self.kept.shape[1], tokens.shape[1] - self.kept.shape[1]], dim=1)
        whole = tokens.new_zeros(tokens.shape[0], self.count, tokens.shape[2])
        for places, values in (
            (self.targets, targets),
            (self.sources.gather(1, self.kept), kept),
            (self.sources.gather(1, self.moved), _taken(targets, self.into)),
        ):
            whole.scatter_(1, places.expand(-1, -1, tokens.shape[2]), values)
        return whole


def merging_for(tokens: Tensor, height: int, width: int, ratio: float) -> Merging | None:
    """How to merge a share `ratio` of `tokens` (B, height * width, C) by their likeness; None if there is nothing to.

    The token at the upper left of each cell stays (A1111 never draws it at random).
    """
    batch, count, _ = tokens.shape
    rows, columns = height // CELL, width // CELL
    stays = torch.zeros(height, width, dtype=torch.int64, device=tokens.device)
    stays[: rows * CELL : CELL, : columns * CELL : CELL] = -1
    order = stays.view(-1).argsort(stable=True).view(1, -1, 1).expand(batch, -1, 1)
    targets, sources = order[:, : rows * columns], order[:, rows * columns :]
    number = min(sources.shape[1], int(count * ratio))
    if number <= 0 or targets.shape[1] == 0:
        return None
    directions = tokens / tokens.norm(dim=-1, keepdim=True)
    likeness = _taken(directions, sources) @ _taken(directions, targets).transpose(1, 2)  # (B, sources, targets)
    best, nearest = likeness.max(dim=-1)
    by_likeness = best.argsort(dim=-1, descending=True).unsqueeze(-1)
    moved, kept = by_likeness[:, :number], by_likeness[:, number:]
    return Merging(count, sources, targets, moved, kept, nearest.unsqueeze(-1).gather(1, moved))


def _taken(tokens: Tensor, places: Tensor) -> Tensor:
    """tokens[b, places[b]] for each b: (B, n, C)."""
    return tokens.gather(1, places.expand(-1, -1, tokens.shape[-1]))


@contextmanager
def merged_tokens(unet: nn.Module, ratio: float) -> Iterator[None]:
    """Inside, self-attention of diffusers' `unet` at full resolution sees a share `ratio` (0 to 1) of tokens less."""
    if ratio <= 0:
        yield
        return
    with ExitStack() as hooks:
        size: list[int] = [0, 0]

        def look_at_size(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            size[:] = (args[0] if args else kwargs["sample"]).shape[-2:]

        hooks.callback(unet.register_forward_pre_hook(look_at_size, with_kwargs=True).remove)
        for module in unet.modules():
            if type(module).__name__ == "BasicTransformerBlock":
                _hook_block(module, size, ratio, hooks)
        yield


def _hook_block(block: nn.Module, size: list[int], ratio: float, hooks: ExitStack) -> None:
    """Merges around the self-attention of one transformer block, by the likeness of what goes into the block."""
    found: list[Merging | None] = [None]

    def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tokens: Tensor = args[0] if args else kwargs["hidden_states"]
        height, width = size
        downscale = math.ceil(math.sqrt(height * width // tokens.shape[1]))
        found[0] = merging_for(tokens, height, width, ratio) if downscale <= 1 else None

    def merge(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        if found[0] is None:
            return None
        if args:
            return (found[0].merge(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": found[0].merge(kwargs["hidden_states"])}

    def unmerge(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        return None if found[0] is None else found[0].unmerge(output)

    attention = block.get_submodule("attn1")
    hooks.callback(block.register_forward_pre_hook(look, with_kwargs=True).remove)
    hooks.callback(attention.register_forward_pre_hook(merge, with_kwargs=True).remove)
    hooks.callback(attention.register_forward_hook(unmerge).remove)
