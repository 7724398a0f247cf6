"""Networks go over pictures in tiles, and what comes out is the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modules.enhance.networks import Networks, PictureNetwork, Placement
from modules.enhance.upscaler import Upscaler, Work
from modules.enhance.upscalers.files import find_upscalers
from modules.enhance.upscalers.network import enlarged, file_upscalers, tile_settings
from modules.settings.store import Settings
from modules.terms.errors import Interrupted, OutOfMemory
from tests.enhance.small_networks import esrgan, nearest_esrgan, write


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, (height, width, channels), dtype=np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write(folder / "ESRGAN" / "4x_near.pth", nearest_esrgan(4))
    write(folder / "ESRGAN" / "2x_near.safetensors", nearest_esrgan(2))
    write(folder / "ESRGAN" / "4x_random.safetensors", esrgan())
    return folder


@pytest.fixture
def networks() -> Networks:
    return Networks(lambda path: Placement(torch.device("cpu")))


@pytest.fixture
def upscalers(folder: Path, networks: Networks) -> dict[str, Upscaler]:
    return {one.name: one for one in file_upscalers(find_upscalers([folder]), networks)}


def work(tile: int = 192, overlap: int = 8, done: Any = lambda part, parts: None) -> Work:
    return Work(Settings().with_flat({"ESRGAN_tile": tile, "ESRGAN_tile_overlap": overlap}), done)


@pytest.mark.parametrize("tile", [0, 16, 192])
@pytest.mark.parametrize("name", ["4x_near", "2x_near"])
def test_a_network_that_repeats_pixels_does_so_whatever_the_tile(upscalers, name: str, tile: int) -> None:
    image = noise(50, 34)
    larger = upscalers[name].enlarge(image, 4, work(tile))
    assert np.array_equal(np.asarray(larger), np.asarray(image.resize((200, 136), Image.Resampling.NEAREST)))


def test_tiles_of_a_real_network_meet_without_seams(upscalers) -> None:
    """A pixel sees some neighbours, so tiles that overlap enough give what the whole picture gives."""
    image = noise(64, 40)
    whole, tiled = (np.asarray(upscalers["4x_random"].enlarge(image, 4, work(tile, 24)), int) for tile in (0, 32 + 16))
    assert np.abs(whole - tiled).max() <= 1
    assert whole.std() > 1


def test_transparency_is_enlarged_with_the_picture(upscalers) -> None:
    image = noise(24, 24, 4)
    larger = upscalers["4x_near"].enlarge(image, 4, work())
    assert (larger.mode, larger.size) == ("RGBA", (96, 96))
    alpha = image.getchannel("A").resize((96, 96), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(larger.getchannel("A")), np.asarray(alpha))


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "RGBA", "LA", "CMYK"])
def test_every_kind_of_picture_is_taken(upscalers, mode: str) -> None:
    image = Image.new("I;16", (16, 16)) if mode == "I;16" else noise(16, 16).convert(mode)
    assert upscalers["4x_near"].enlarge(image, 4, work()).size == (64, 64)


def test_tiles_are_counted_and_can_be_the_last(upscalers) -> None:
    told: list[tuple[int, int]] = []
    upscalers["4x_near"].enlarge(noise(40, 40), 4, work(16, 0, lambda part, parts: told.append((part, parts))))
    assert told == [(number + 1, 9) for number in range(9)]

    def stop(part: int, parts: int) -> None:
        told.append((part, parts))
        raise Interrupted

    told.clear()
    with pytest.raises(Interrupted):
        upscalers["4x_near"].enlarge(noise(40, 40), 4, work(16, 0, stop))
    assert told == [(1, 9)]


class Greedy:
    """A descriptor that has no room for more than 40 x 40 pixels."""

    device, dtype = torch.device("cpu"), torch.float32
    seen: list[int]

    def __init__(self) -> None:
        self.seen = []

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.shape[-1])
        if pixels.shape[-1] * pixels.shape[-2] > 40 * 40:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return pixels.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_a_tile_that_does_not_fit_is_halved() -> None:
    from modules.enhance.upscalers.network import in_tiles_that_fit

    greedy = Greedy()
    network = PictureNetwork("greedy", "ESRGAN", "SR", 2, 3, greedy)  # type: ignore[arg-type]
    image = noise(150, 100)
    larger = in_tiles_that_fit(network, image, work(0))
    assert np.array_equal(np.asarray(larger), np.asarray(image.resize((300, 200), Image.Resampling.NEAREST)))
    assert max(greedy.seen[2:]) <= 40
    with pytest.raises(OutOfMemory, match="greedy.*smaller tile"):
        enlarged(network, noise(64, 64))


def test_networks_of_brightness_see_each_colour() -> None:
    network = PictureNetwork("grey", "Compact", "SR", 2, 1, Greedy())  # type: ignore[arg-type]
    image = noise(20, 20)
    assert np.array_equal(np.asarray(enlarged(network, image).resize((20, 20), 0)), np.asarray(image))


def test_settings_go_by_architecture() -> None:
    settings = Settings().with_flat({"SWIN_tile": 64, "DAT_tile": 128, "SCUNET_tile": 256, "ESRGAN_tile": 320})
    kinds = ("SwinIR", "DAT", "SCUNet", "HAT", "SPAN")
    assert [tile_settings(kind, settings)[0] for kind in kinds] == [64, 128, 256, 320, 320]


def test_networks_are_kept_and_replaced(folder: Path, networks: Networks) -> None:
    path = folder / "ESRGAN" / "4x_random.safetensors"
    with networks.borrow(path) as first, networks.borrow(path) as again:
        assert first is again
    write(path, esrgan(seed=1, blocks=3))
    with networks.borrow(path) as replaced:
        assert replaced is not first
    for name in ("4x_near.pth", "2x_near.safetensors"):
        with networks.borrow(folder / "ESRGAN" / name):
            pass
    assert path not in networks.held()
    assert len(networks.held()) == 2
    networks.unload()
    assert networks.held() == ()


def architectures() -> dict[str, Any]:
    """Small networks of other kinds: name -> (maker, scale, architecture)."""
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DAT import DAT
    from spandrel.architectures.HAT import HAT
    from spandrel.architectures.SPAN import SPAN
    from spandrel.architectures.SwinIR import SwinIR

    swin = {"img_size": 16, "window_size": 8, "mlp_ratio": 2, "upscale": 2, "upsampler": "pixelshuffle"}
    return {
        "Compact": (lambda: Compact(num_feat=8, num_conv=2, upscale=4), 4),
        "SPAN": (lambda: SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2), 2),
        "SwinIR": (lambda: SwinIR(embed_dim=12, depths=[1, 1], num_heads=[2, 2], **swin), 2),
        "HAT": (lambda: HAT(embed_dim=60, depths=(1,), num_heads=(3,), **swin), 2),
        "DAT": (lambda: DAT(img_size=16, embed_dim=32, split_size=[4, 4], depth=[1], num_heads=[2], upscale=2), 2),
    }


@pytest.mark.parametrize("kind", ["Compact", "SPAN", "SwinIR", "HAT", "DAT"])
@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_other_architectures_are_recognised(kind: str, tmp_path: Path, networks: Networks) -> None:
    make, scale = architectures()[kind]
    torch.manual_seed(0)
    state = {key: tensor.detach().contiguous().clone() for key, tensor in make().state_dict().items()}
    write(tmp_path / kind / "small.safetensors", state)
    (upscaler,) = file_upscalers(find_upscalers([tmp_path]), networks)
    larger = upscaler.enlarge(noise(20, 24), scale, work())
    assert larger.size == (20 * scale // 8 * 8, 24 * scale)
    with networks.borrow(tmp_path / kind / "small.safetensors") as network:
        assert (network.kind, network.scale) == (kind, scale)
