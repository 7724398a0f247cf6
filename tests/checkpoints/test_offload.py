"""Networks that wait outside of the device. The device is the processor again here, so moves are counted, not felt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from modules.checkpoints.budget import Need, Work, decided, step_bytes
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.load import load_checkpoint
from modules.checkpoints.offload import Offload, Offloading, Parts, Streamed, blocks, bytes_of, tensors_of
from tests.checkpoints.original_layout import tiny_sd1, write_sd1

CPU = torch.device("cpu")
NEED = Need(denoiser=2_000_000_000, texts=500_000_000, vae=200_000_000, step=600_000_000, decode=900_000_000)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sd1(tmp_path_factory.mktemp("models") / "m.safetensors", tiny_sd1())


@pytest.fixture
def bundle(file: Path) -> ModelBundle:
    bundle = load_checkpoint(file)
    return replace(bundle, offloading=Offloading(bundle.unet, bundle.networks[1:], CPU))


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def predicted(bundle: ModelBundle) -> torch.Tensor:
    torch.manual_seed(0)
    return bundle.predict(torch.randn(2, 4, 8, 8), torch.tensor([5.0, 5.0]), torch.randn(2, 7, 32))


@pytest.mark.parametrize("mode", [Offload.PARTS, Offload.BLOCKS])
def test_offloaded_networks_give_the_same_bits(bundle: ModelBundle, mode: Offload) -> None:
    z = torch.randn(1, 4, 8, 8)
    output, picture = predicted(bundle), bundle.decode(z)
    assert bundle.offloading is not None
    bundle.offloading.change(mode)
    assert torch.equal(predicted(bundle), output)
    assert torch.equal(bundle.decode(z), picture)
    bundle.offloading.change(Offload.NONE)
    assert torch.equal(predicted(bundle), output)


def test_every_weight_belongs_to_one_block(bundle: ModelBundle) -> None:
    groups, loose = blocks(bundle.unet, largest=200_000)
    assert len(groups) > 10
    found = [id(tensor) for group in groups for tensor in tensors_of(group)] + [id(tensor) for tensor in loose]
    assert sorted(found) == sorted(id(tensor) for tensor in tensors_of(bundle.unet))
    assert all(bytes_of(group) <= 200_000 or not list(group.children()) for group in groups)


def test_a_block_is_away_again_after_its_call_even_if_that_fails() -> None:
    layer = nn.Linear(4, 4)
    home = layer.weight.data_ptr()
    during = []
    layer.register_forward_pre_hook(lambda module, args: during.append(module.weight.data_ptr()))
    streamed = Streamed([layer], CPU)
    layer(torch.ones(1, 4))
    assert during[0] != home
    assert layer.weight.data_ptr() == home
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 5))
    assert layer.weight.data_ptr() == home
    streamed.close()
    layer(torch.ones(1, 4))
    assert during[-1] == home


def test_weights_may_wait_in_fewer_bits_than_they_compute_in() -> None:
    layer = nn.Linear(4, 4).half()
    Streamed([layer], CPU, torch.float32)
    assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float16


def test_one_network_is_on_the_device_at_a_time() -> None:
    moves: list[tuple[nn.Module, torch.device]] = []
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    parts = Parts((first, second), CPU, lambda network, device: moves.append((network, device)))
    moves.clear()
    parts.bring(first)
    parts.bring(first)
    parts.bring(second)
    parts.clear()
    assert [network for network, _ in moves] == [first, first, second, second]


def test_out_of_memory_the_step_is_done_again_with_more_offloaded(bundle: ModelBundle) -> None:
    output = predicted(bundle)
    assert bundle.offloading is not None
    failures = [torch.OutOfMemoryError("full"), torch.OutOfMemoryError("full")]

    def failing(module: nn.Module, args: object) -> None:
        if failures:
            raise failures.pop()

    bundle.unet.mid_block.register_forward_pre_hook(failing)
    assert torch.equal(predicted(bundle), output)
    assert bundle.offloading.mode == Offload.BLOCKS
    assert len(bundle.offloading.told()) == 2
    assert bundle.offloading.told() == ()


def test_what_never_fits_is_an_error(bundle: ModelBundle) -> None:
    def failing(module: nn.Module, args: object) -> None:
        raise torch.OutOfMemoryError("full")

    bundle.unet.mid_block.register_forward_pre_hook(failing)
    with pytest.raises(torch.OutOfMemoryError):
        predicted(bundle)


# --- decisions ---


def test_the_fastest_way_that_fits_is_taken() -> None:
    assert decided(NEED, 8_000_000_000).mode == Offload.NONE
    assert decided(NEED, 3_000_000_000).mode == Offload.PARTS
    assert decided(NEED, 1_800_000_000).mode == Offload.BLOCKS
    assert decided(NEED, 1).mode == Offload.BLOCKS


def test_a_slower_way_is_told_with_its_numbers() -> None:
    assert decided(NEED, 8_000_000_000).note == ""
    note = decided(NEED, 3_000_000_000).note
    assert "3.6 GB" in note
    assert "3.0 GB free" in note


def test_what_the_user_chose_is_the_least_and_goes_unsaid() -> None:
    decision = decided(NEED, 8_000_000_000, least=Offload.PARTS)
    assert (decision.mode, decision.note) == (Offload.PARTS, "")
    assert decided(NEED, 1_800_000_000, least=Offload.PARTS).mode == Offload.BLOCKS
    assert decided(NEED, 1, most=Offload.PARTS).mode == Offload.PARTS


def test_more_offloading_never_needs_more() -> None:
    peaks = [NEED.peak(mode) for mode in Offload]
    assert peaks == sorted(peaks, reverse=True)


def test_a_step_grows_with_pictures_and_area() -> None:
    config = {"block_out_channels": (320, 640)}
    one = step_bytes(config, Work(512, 512), 8, 4)
    assert 0.3e9 < one < 0.8e9  # 0.5 GB were measured
    assert step_bytes(config, Work(1024, 512), 8, 4) == 2 * one
    assert step_bytes(config, Work(512, 512, batch=3), 8, 4) == 3 * one
    assert step_bytes(config, Work(512, 512, doubled=False), 8, 4) == one // 2
