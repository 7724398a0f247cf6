"""A model of three parts, small enough to look through, with modules of the kinds that networks change."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modules.networks.names import Part


class Attention(nn.Module):
    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width), nn.Identity()])


class Block(nn.Module):
    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, width)
        self.attn = Attention(width, context)


class Unet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(4, 8, 3, padding=1)
        self.down_blocks = nn.ModuleList([Block(8, 6)])
        self.mid_block = Block(8, 6)
        self.up_blocks = nn.ModuleList([Block(8, 6)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        tokens = x.flatten(2).transpose(1, 2)
        return tokens + self.mid_block.attn.to_q(tokens)


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Attention(6, 6)])


ORIGINALS = {
    "input_blocks.0.0": "conv_in",
    "input_blocks.1": "down_blocks.0",
    "middle_block": "mid_block",
    "output_blocks.1": "up_blocks.0",
}


class Held:
    """Parts whose weights were cast from other tensors, as from a file of another number format."""

    def __init__(self, module: nn.Module) -> None:
        self.tensors = {key: value.detach().half() for key, value in module.state_dict().items()}
        for name, parameter in list(module.named_parameters()):
            path, _, end = name.rpartition(".")
            cast = nn.Parameter(self.tensors[name].to(parameter.dtype), requires_grad=False)
            module.get_submodule(path).register_parameter(end, cast)
        self.read_again: list[str] = []

    def stored(self, key: str) -> Tensor | None:
        return self.tensors[key]

    def release(self, key: str) -> None:
        self.read_again.append(key)


def model(*, from_file: bool = False) -> tuple[Part, ...]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        modules = [Unet(), Text(), Text()]
    for module in modules:
        module.requires_grad_(False)
    sources = [Held(module) if from_file else None for module in modules]
    return (
        Part(0, modules[0], ORIGINALS, sources[0]),
        Part(1, modules[1], {}, sources[1]),
        Part(2, modules[2], {}, sources[2]),
    )


def lora(module: nn.Module, seed: int, rank: int = 2) -> dict[str, Tensor]:
    """Tensors of a LoRA for `module`, by canonical end."""
    draw = torch.Generator().manual_seed(seed)
    weight = module.get_parameter("weight")
    down = torch.randn(rank, *weight.shape[1:], generator=draw)
    up = torch.randn(weight.shape[0], rank, *[1] * (weight.ndim - 2), generator=draw)
    return {"lora_up.weight": up * 0.1, "lora_down.weight": down * 0.1}


def under(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{end}": value for end, value in tensors.items()}


def weights(parts: tuple[Part, ...]) -> dict[str, Tensor]:
    return {
        f"{part.number}.{key}": value.detach().clone()
        for part in parts
        for key, value in part.module.state_dict().items()
    }


def same_bits(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
