"""Every kind adds what its formula says, after a way through a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from modules.networks.kinds import known_kinds
from modules.networks.names import Part
from modules.networks.network import Network
from modules.networks.patch import Patches, Wanted
from tests.networks.samples import SAMPLES, Sample
from tests.networks.toy_model import under

by_label = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.kind} {sample.label}")


@by_label
def test_the_delta_is_that_of_the_formula(sample: Sample, write: Callable[..., Network]) -> None:
    network = write(under("layer", sample.tensors))
    weight = sample.module.get_parameter("weight").detach()
    delta = network.deltas["layer"].delta(weight)
    torch.testing.assert_close(delta.reshape(weight.shape), sample.expected(weight), rtol=1e-4, atol=1e-5)


@by_label
def test_a_file_gives_back_its_kind_and_every_key_is_used(sample: Sample, write: Callable[..., Network]) -> None:
    network = write(under("layer", sample.tensors))
    assert network.kinds == {sample.kind: 1}
    assert set(network.keys["layer"]) == set(under("layer", sample.tensors))
    assert not network.unknown


@by_label
def test_half_precision_files_are_computed_in_single(sample: Sample, write: Callable[..., Network]) -> None:
    halves = {end: value.half() if value.is_floating_point() else value for end, value in sample.tensors.items()}
    weight = sample.module.get_parameter("weight").detach()
    single = {end: value.float() if value.is_floating_point() else value for end, value in halves.items()}
    want = write(under("layer", single), "b").deltas["layer"].delta(weight)
    got = write(under("layer", halves)).deltas["layer"].delta(weight)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


@by_label
def test_merging_adds_the_delta_times_the_multiplier(sample: Sample, write: Callable[..., Network]) -> None:
    module = torch.nn.ModuleDict({"layer": sample.module}).requires_grad_(False)
    weight = module["layer"].get_parameter("weight").detach().clone()
    with Patches().patched([Part(0, module)], [Wanted(write(under("layer", sample.tensors)), unet=0.3)]) as applied:
        merged = module["layer"].get_parameter("weight").detach().clone()
    assert applied.unused == ((),)
    torch.testing.assert_close(merged, weight + 0.3 * sample.expected(weight), rtol=1e-4, atol=1e-5)


def test_every_kind_has_a_sample_and_no_two_claim_the_same() -> None:
    assert {kind.name for kind in known_kinds()} == {sample.kind for sample in SAMPLES}
    for sample in SAMPLES:
        claimed = [kind.name for kind in known_kinds() if kind.recognise(frozenset(sample.tensors))]
        assert claimed == [sample.kind], sample.label


def test_orthogonal_networks_keep_the_lengths_of_columns(write: Callable[..., Network]) -> None:
    for sample in SAMPLES:
        if sample.kind == "OFT" and "rescale" not in sample.tensors:
            weight = sample.module.get_parameter("weight").detach()
            turned = weight + write(under("layer", sample.tensors)).deltas["layer"].delta(weight)
            torch.testing.assert_close(turned.norm(dim=0), weight.norm(dim=0), rtol=1e-4, atol=1e-5)


def test_a_rank_is_cut_off(write: Callable[..., Network]) -> None:
    tensors = SAMPLES[0].tensors
    delta = write(under("layer", tensors)).deltas["layer"].delta(torch.zeros(8, 6), rank=1)
    torch.testing.assert_close(delta, 0.5 * tensors["lora_up.weight"][:, :1] @ tensors["lora_down.weight"][:1])
