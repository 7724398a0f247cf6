"""Upscaler files with random weights, small enough to run in milliseconds, in the layouts that people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def esrgan(scale: int = 4, filters: int = 8, blocks: int = 2, seed: int = 0) -> dict[str, Any]:
    """The weights of a small ESRGAN. They are made gentle, so that outputs stay near [0, 1] and differ by pixel."""
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(seed)
    network = ESRGAN(in_nc=3, out_nc=3, num_filters=filters, num_blocks=blocks, scale=scale)
    state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    biases = [key for key in state if key.endswith(".bias") and "sub" not in key]
    last = max(biases, key=lambda key: int(key.split(".")[1]))
    state[last] += 0.5
    return state


def nearest_esrgan(scale: int = 4) -> dict[str, Any]:
    """An ESRGAN whose weights only pass colours on: it repeats every pixel."""
    state = {key: torch.zeros_like(tensor) for key, tensor in esrgan(scale).items()}
    weights = [key for key in state if key.endswith(".weight") and "sub" not in key]
    for key in weights:
        for channel in range(3):
            state[key][channel, channel, 1, 1] = 1.0
    return state


def write(path: Path, state: dict[str, Any]) -> Path:
    """`state` as the file `path`; a .pth is wrapped as training programs do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"params_ema": state}, path)
    return path
