"""Fixtures of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import Tensor

from modules.networks.names import Part
from modules.networks.network import Network, read_network
from tests.networks.toy_model import model


@pytest.fixture
def parts() -> tuple[Part, ...]:
    """A denoising network and two text encoders, only in memory."""
    return model()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Network]:
    """`write(tensors, name="a", metadata=…)`: the network in a file with these tensors."""

    def write_network(
        tensors: Mapping[str, Tensor], name: str = "a", metadata: Mapping[str, str] | None = None
    ) -> Network:
        path = tmp_path / f"{name}.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, path, dict(metadata or {}) or None)
        return read_network(path)

    return write_network
