"""Pictures that do not fit: cut in time, cut when memory runs out, and never lost after they were drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modules.checkpoints.bundle import ModelBundle
from modules.generation import GenerationRequest, Hires, Mask, Source, Tools, generate, open_tools
from modules.generation.infotext import parse
from modules.generation.restore import restore
from modules.terms.errors import BrokenResult, Cancelled, Interrupted, OutOfMemory, Stopped
from modules.terms.progress import Progress

LONG = GenerationRequest(prompt="a house", steps=2, seed=3, width=320, height=64)
CUT = {"vae_tiling": "Always", "vae_tile_size": 256, "vae_tile_overlap": 64}
WINDOWS = {"diffusion_tiling": "Always", "diffusion_tile_size": 128, "diffusion_tile_overlap": 64}


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture
def own(model_folder: Path) -> Tools:
    """Tools whose networks a test may damage."""
    return open_tools(model_folder, settings={"randn_source": "CPU"}, device="cpu")


@pytest.fixture
def bundle(own: Tools) -> Iterator[ModelBundle]:
    with own.models.borrow() as bundle:
        yield bundle


def without_memory(run: Callable[..., Any], fits: Callable[[torch.Tensor], bool]) -> Callable[..., Any]:
    """`run`, which has memory for what `fits` only."""

    def limited(given: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        if not fits(given):
            raise torch.OutOfMemoryError("no memory for this")
        return run(given, *arguments, **options)

    return limited


class Watch:
    """Keeps what it hears and stops at what `when` says."""

    def __init__(self, stop: type[Stopped] | None = None, when: Callable[[Progress], bool] = lambda one: False) -> None:
        self.heard: list[Progress] = []
        self._stop, self._when = stop, when

    def __call__(self, progress: Progress, preview: object = None) -> None:
        self.heard.append(progress)
        if self._stop and self._when(progress):
            stop, self._stop = self._stop, None
            raise stop("enough")


def test_a_decoder_without_memory_works_in_tiles(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    tiled = generate(LONG.with_(settings=CUT), own)
    monkeypatch.setattr(bundle.vae, "decode", without_memory(bundle.vae.decode, lambda z: z.shape[-1] <= 32))
    result = generate(LONG.with_(settings={**CUT, "vae_tiling": "Automatic"}), own)
    assert result.images[0].image.tobytes() == tiled.images[0].image.tobytes()
    assert any("tiles of 256" in note for note in result.notes)
    assert not tiled.notes


def test_tiles_become_smaller_until_they_fit(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    monkeypatch.setattr(bundle.vae, "decode", without_memory(bundle.vae.decode, lambda z: z.shape[-1] <= 32))
    result = generate(LONG.with_(settings={"vae_tile_size": 512}), own)
    assert [note for note in result.notes if "tiles of" in note][-1].endswith("256 pixels.")


def test_what_fits_nowhere_is_an_error_with_a_way_out(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    monkeypatch.setattr(bundle.vae, "decode", without_memory(bundle.vae.decode, lambda z: False))
    with pytest.raises(OutOfMemory, match="smaller"):
        generate(LONG, own)


def test_an_encoder_without_memory_works_in_tiles(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    monkeypatch.setattr(bundle.vae, "encode", without_memory(bundle.vae.encode, lambda x: x.shape[-1] <= 256))
    picture = Image.linear_gradient("L").resize((320, 64)).convert("RGB")
    request = LONG.with_(source=Source((picture,)), denoising_strength=0.5, settings={"vae_tile_size": 256})
    assert generate(request, own).images[0].image.size == (320, 64)


def test_nan_in_half_precision_is_decoded_again_in_full(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    whole = generate(LONG, own)
    bundle.vae.to(torch.bfloat16)
    decode = bundle.vae.decode

    def overflowing(z: torch.Tensor, **options: Any) -> Any:
        (result,) = decode(z, **options)
        return (result * (1 if z.dtype == torch.float32 else float("nan")),)

    monkeypatch.setattr(bundle.vae, "decode", overflowing)
    result = generate(LONG, own)
    # The weights have gone through bfloat16, so the last bits may differ.
    assert np.abs(pixels(result.images[0].image) - pixels(whole.images[0].image)).mean() < 5
    assert any("overflowed" in note for note in result.notes)


def test_nan_in_full_precision_is_an_error(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    monkeypatch.setattr(bundle.vae, "decode", lambda z, **options: (z.new_full((1, 3, 64, 320), float("nan")),))
    with pytest.raises(BrokenResult, match="VAE"):
        generate(LONG, own)


def test_tiles_on_request_are_told_and_can_be_cancelled(tools: Tools) -> None:
    watch = Watch()
    generate(LONG.with_(settings=CUT), tools, watch)
    assert [one.step for one in watch.heard if one.phase == "decoding" and one.steps] == [1, 2, 3]
    fractions = [one.fraction for one in watch.heard]
    assert fractions == sorted(fractions)
    with pytest.raises(Cancelled):
        generate(LONG.with_(settings=CUT), tools, Watch(Cancelled, lambda one: one.phase == "decoding"))


def test_interrupting_the_decoder_does_not_cost_the_picture(tools: Tools) -> None:
    whole = generate(LONG.with_(settings=CUT), tools)
    stopped = generate(
        LONG.with_(settings=CUT, n_iter=2), tools, Watch(Interrupted, lambda one: one.phase == "decoding")
    )
    assert stopped.interrupted
    assert len(stopped.images) == 1
    assert stopped.images[0].image.tobytes() == whole.images[0].image.tobytes()
    assert stopped.images[0].complete


def test_windows_are_written_down_and_come_back(tools: Tools) -> None:
    result = generate(LONG.with_(settings=WINDOWS), tools)
    whole = generate(LONG, tools)
    assert result.images[0].image.tobytes() != whole.images[0].image.tobytes()
    assert (
        "Tiled diffusion: Always, Tiled diffusion size: 128, Tiled diffusion overlap: 64" in result.images[0].infotext
    )
    assert "Tiled diffusion" not in whole.images[0].infotext
    back = restore(parse(result.images[0].infotext)).request.settings
    assert {key: back[key] for key in WINDOWS} == WINDOWS


@pytest.mark.parametrize("sampler", ["Euler a", "DDIM", "DDIM CFG++", "DPM++ SDE"])
def test_a_picture_that_fits_one_window_is_seen_whole(tools: Tools, sampler: str) -> None:
    request = LONG.with_(width=128, sampler=sampler)
    result = generate(request.with_(settings=WINDOWS), tools)
    assert result.images[0].image.tobytes() == generate(request, tools).images[0].image.tobytes()
    assert "Tiled diffusion" not in result.images[0].infotext


def test_a_network_without_memory_sees_windows(own: Tools, bundle: ModelBundle, monkeypatch) -> None:
    always = generate(LONG.with_(settings=WINDOWS), own)
    monkeypatch.setattr(bundle.unet, "forward", without_memory(bundle.unet.forward, lambda x: x.shape[-1] <= 16))
    needed = generate(LONG.with_(settings={**WINDOWS, "diffusion_tiling": "Automatic"}), own)
    assert needed.images[0].image.tobytes() == always.images[0].image.tobytes()
    assert needed.images[0].infotext == always.images[0].infotext
    with pytest.raises(OutOfMemory):
        generate(LONG.with_(settings={**WINDOWS, "diffusion_tiling": "Never"}), own)


def test_it_can_be_interrupted_inside_a_step(tools: Tools) -> None:
    calls = []

    def at_the_third_window_of_the_second_step(progress: Progress) -> bool:
        calls.append(progress.step)
        return progress.phase == "sampling" and calls.count(1) == 4

    watch = Watch(Interrupted, at_the_third_window_of_the_second_step)
    result = generate(LONG.with_(settings=WINDOWS, sampler="Euler"), tools, watch)
    assert result.interrupted
    assert not result.images[0].complete
    assert max(one.step for one in watch.heard if one.phase == "sampling") == 1


def test_windows_go_with_masks_hires_and_guidance(tools: Tools) -> None:
    settings = {**WINDOWS, **CUT}
    hires = generate(
        LONG.with_(width=160, hires=Hires(scale=2, upscaler="Lanczos"), denoising_strength=0.5, settings=settings),
        tools,
    )
    assert hires.images[0].image.size == (320, 128)
    picture = Image.linear_gradient("L").resize((320, 64)).convert("RGB")
    mask = Image.new("L", (320, 64))
    mask.paste(255, (100, 0, 200, 64))
    source = Source((picture,), mask=Mask(mask, blur_x=0, blur_y=0))
    inpainted = generate(LONG.with_(source=source, denoising_strength=0.7, settings=settings, batch_size=2), tools)
    for image in inpainted.images:
        assert np.array_equal(pixels(image.image)[:, :96], pixels(picture)[:, :96])


def test_seamless_pictures_are_not_cut_unless_asked(tools: Tools) -> None:
    automatic = {**WINDOWS, "diffusion_tiling": "Automatic"}
    seamless = generate(LONG.with_(tiling=True, settings=automatic), tools)
    assert seamless.images[0].image.tobytes() == generate(LONG.with_(tiling=True), tools).images[0].image.tobytes()
