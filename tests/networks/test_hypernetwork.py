"""Hypernetworks change what keys and values are made of, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.networks.hypernetwork import attending, read_hypernetwork
from modules.terms.errors import UnknownFile
from tests.networks.toy_model import Attention


def state(width: int, *, old: bool = False, norm: bool = False) -> dict[str, Tensor]:
    """Two linear layers, as files number them: among activations (1, 4) and norms (2)."""
    first, second = ("linear1", "linear2") if old else ("linear.0", "linear.3" if norm else "linear.2")
    tensors = {
        f"{first}.weight": torch.randn(2 * width, width) * 0.3,
        f"{first}.bias": torch.randn(2 * width) * 0.3,
        f"{second}.weight": torch.randn(width, 2 * width) * 0.3,
        f"{second}.bias": torch.randn(width) * 0.3,
    }
    return (
        {**tensors, "linear.2.weight": torch.ones(2 * width), "linear.2.bias": torch.zeros(2 * width)}
        if norm
        else tensors
    )


def save(
    path: Path, width: int, *, old: bool = False, norm: bool = False, **said: Any
) -> tuple[dict[str, Tensor], ...]:
    pair = state(width, old=old, norm=norm), state(width, old=old, norm=norm)
    torch.save({width: pair, "step": 100, "name": "x", **said}, path)
    return pair


def linear(x: Tensor, tensors: dict[str, Tensor], layer: str) -> Tensor:
    return functional.linear(x, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"])


class Unet(nn.Module):
    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.attn2 = Attention(width, context)

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor]:
        keys: Tensor = self.attn2.to_k(context)
        values: Tensor = self.attn2.to_v(context)
        return keys, values


@pytest.mark.parametrize(
    ("said", "activation", "last"),
    [
        ({"activation_func": "linear", "activate_output": False}, lambda x: x, False),
        ({"activation_func": "relu", "activate_output": False}, torch.relu, False),
        ({"activation_func": "relu"}, torch.relu, True),  # files from before there was a choice
        ({"activation_func": "swish", "activate_output": False}, functional.hardswish, False),
        ({"activation_func": "Mish", "activate_output": True}, functional.mish, True),
    ],
)
def test_keys_and_values_are_made_of_the_changed_context(
    tmp_path: Path, said: dict[str, Any], activation: Any, last: bool
) -> None:
    unet, context = Unet(4, 6), torch.randn(2, 3, 6)
    pair = save(tmp_path / "h.pt", 6, **said)

    def through(tensors: dict[str, Tensor]) -> Tensor:
        inner = linear(activation(linear(context, tensors, "linear.0")), tensors, "linear.2")
        return context + 0.5 * (activation(inner) if last else inner)

    with torch.no_grad():
        expected = unet.attn2.to_k(through(pair[0])), unet.attn2.to_v(through(pair[1]))
        plain = unet(context)
        with attending(unet, [(read_hypernetwork(tmp_path / "h.pt"), 0.5)]):
            torch.testing.assert_close(unet(context), expected)
        assert all(map(torch.equal, unet(context), plain))


def test_the_oldest_spelling_and_layer_norms_are_read(tmp_path: Path) -> None:
    old = save(tmp_path / "old.pt", 6, old=True, activation_func="linear")
    x = torch.randn(1, 6)
    network, _ = read_hypernetwork(tmp_path / "old.pt").pairs[6]
    torch.testing.assert_close(network(x), linear(linear(x, old[0], "linear1"), old[0], "linear2"))
    new = save(tmp_path / "new.pt", 6, norm=True, activation_func="relu", activate_output=False)
    network, _ = read_hypernetwork(tmp_path / "new.pt").pairs[6]
    inner = functional.layer_norm(torch.relu(linear(x, new[0], "linear.0")), (12,))
    torch.testing.assert_close(network(x), linear(inner, new[0], "linear.3"))


def test_other_widths_go_through_and_several_follow_each_other(tmp_path: Path) -> None:
    for name, width in (("a", 6), ("b", 6), ("c", 5)):
        save(tmp_path / f"{name}.pt", width, activation_func="linear")
    a, b, c = (read_hypernetwork(tmp_path / f"{name}.pt") for name in "abc")
    unet, context = Unet(4, 6), torch.randn(1, 3, 6)
    with torch.no_grad():
        changed = context + a.pairs[6][0](context)
        changed = changed + 0.25 * b.pairs[6][0](changed)
        with attending(unet, [(a, 1.0), (c, 1.0), (b, 0.25)]):
            torch.testing.assert_close(unet(context)[0], unet.attn2.to_k.forward(changed))


@pytest.mark.parametrize("content", [{"step": 3}, [1, 2], {6: ({}, {}), "activation_func": "linear"}])
def test_other_files_get_a_sentence(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "h.pt")
    with pytest.raises(UnknownFile, match="hypernetwork"):
        read_hypernetwork(tmp_path / "h.pt")


def test_an_unknown_activation_is_named(tmp_path: Path) -> None:
    save(tmp_path / "h.pt", 6, activation_func="sparkle")
    with pytest.raises(UnknownFile, match="sparkle"):
        read_hypernetwork(tmp_path / "h.pt")
