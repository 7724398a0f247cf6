"""Checkpoints to merge: the tiny model, and others of its shapes with other numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from tests.checkpoints.original_layout import tiny_sd1, write_sd1

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """Those of a tiny SD 1.x checkpoint."""
    found = load_file(write_sd1(tmp_path_factory.mktemp("tiny") / "tiny.safetensors", tiny_sd1()))
    weights = {key: value for key, value in found.items() if not key.startswith("model_ema.")}
    return {**weights, "alphas_cumprod": torch.linspace(0.999, 0.01, 1000)}


@pytest.fixture
def make(tmp_path: Path, tensors: dict[str, Tensor]) -> Make:
    """`make(name, seed, **changed)`: a checkpoint file whose weights are the tiny one's plus noise of that seed."""

    def write(name: str, seed: int, *, dtype: torch.dtype = torch.float32, metadata: dict[str, str] | None = None,
              **changed: Tensor) -> Path:  # fmt: skip
        generator = Generator().manual_seed(seed)
        noisy = {
            key: (value + 0.05 * torch.randn(value.shape, generator=generator)).to(dtype)
            if value.is_floating_point() and "." in key
            else value
            for key, value in tensors.items()
        }
        path = tmp_path / f"{name}.safetensors"
        save_file({**noisy, **changed}, path, metadata)
        return path

    return write
