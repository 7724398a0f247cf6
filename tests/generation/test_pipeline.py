"""What holds for every job: the same seed is the same picture, whatever surrounds it, and stopping loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.diffusion.names import SAMPLER_NAMES
from modules.generation import GenerationRequest, Hires, Source, Tools, generate
from modules.terms.errors import BadRequest, Cancelled, Interrupted, NotFound, Skipped, Stopped
from modules.terms.progress import Progress

SMALL = GenerationRequest(prompt="a (red:1.2) house", negative_prompt="blue", steps=4, seed=7, width=64, height=64)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


class Recorder:
    """A watcher that keeps what it hears and raises `stop` at sampling step `at`."""

    def __init__(self, stop: type[Stopped] | None = None, at: int = 2) -> None:
        self.heard: list[Progress] = []
        self.previews: list[Callable[[], Image.Image]] = []
        self._stop, self._at = stop, at

    def __call__(self, progress: Progress, preview: Callable[[], Image.Image] | None = None) -> None:
        self.heard.append(progress)
        if preview:
            self.previews.append(preview)
        if self._stop and progress.phase == "sampling" and progress.step == self._at:
            stop, self._stop = self._stop, None
            raise stop("enough")


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DPM++ SDE", "DDIM", "UniPC", "LCM"])
def test_a_picture_does_not_depend_on_its_batch(tools: Tools, sampler: str) -> None:
    request = SMALL.with_(sampler=sampler)
    together = generate(request.with_(batch_size=3), tools).images
    one_by_one = generate(request.with_(n_iter=3), tools).images
    alone = generate(request.with_(seed=9), tools).images[0]
    for first, second in zip(together, one_by_one, strict=True):
        assert np.abs(pixels(first.image) - pixels(second.image)).max() <= 1
        assert first.infotext == second.infotext
    assert np.abs(pixels(together[2].image) - pixels(alone.image)).max() <= 1


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_every_sampler_draws(tools: Tools, sampler: str) -> None:
    result = generate(SMALL.with_(sampler=sampler, scheduler="Automatic"), tools)
    assert result.images[0].image.size == (64, 64)
    assert f"Sampler: {sampler}," in result.images[0].infotext


def test_the_resolved_request_draws_the_same_again(tools: Tools) -> None:
    first = generate(SMALL.with_(seed=-1, sampler="k_euler_a", batch_size=2), tools)
    again = generate(first.request, tools)
    assert first.request.seed >= 0
    assert first.request.sampler == "Euler a"
    assert [image.infotext for image in first.images] == [image.infotext for image in again.images]
    for one, other in zip(first.images, again.images, strict=True):
        assert one.image.tobytes() == other.image.tobytes()


def test_other_jobs_in_between_change_nothing(tools: Tools) -> None:
    before = generate(SMALL, tools).images[0].image
    generate(SMALL.with_(prompt="[a|b] BREAK c", settings={"CLIP_stop_at_last_layers": 2}, tiling=True), tools)
    assert generate(SMALL, tools).images[0].image.tobytes() == before.tobytes()


def test_overrides_hold_for_their_request_alone(tools: Tools) -> None:
    with_skip = generate(SMALL.with_(settings={"CLIP_stop_at_last_layers": 2}), tools)
    assert "Clip skip: 2" in with_skip.images[0].infotext
    assert "Clip skip" not in generate(SMALL, tools).images[0].infotext


def test_interrupting_keeps_the_picture_and_ends_the_job(tools: Tools) -> None:
    result = generate(SMALL.with_(n_iter=3), tools, Recorder(Interrupted))
    assert result.interrupted
    assert len(result.images) == 1
    assert result.images[0].image.tobytes() != generate(SMALL, tools).images[0].image.tobytes()


def test_skipping_keeps_the_picture_and_goes_on(tools: Tools) -> None:
    whole = generate(SMALL.with_(n_iter=2), tools)
    result = generate(SMALL.with_(n_iter=2), tools, Recorder(Skipped))
    assert not result.interrupted
    assert len(result.images) == 2
    assert result.images[0].image.tobytes() != whole.images[0].image.tobytes()
    assert result.images[1].image.tobytes() == whole.images[1].image.tobytes()


def test_cancelling_throws_the_job_away(tools: Tools) -> None:
    with pytest.raises(Cancelled):
        generate(SMALL, tools, Recorder(Cancelled))


def test_the_watcher_hears_every_step_once_and_sees_the_picture_form(tools: Tools) -> None:
    recorder = Recorder()
    generate(SMALL.with_(n_iter=2, hires=Hires(scale=1.5, steps=3), denoising_strength=0.6), tools, recorder)
    steps = [(one.batch, one.step) for one in recorder.heard if one.phase == "sampling"]
    expected = [(0, 4), (1, 3), (2, 4), (3, 3)]
    assert steps == [(number, step) for number, count in expected for step in range(1, count + 1)]
    fractions = [one.fraction for one in recorder.heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert recorder.previews[0]().size == (64, 64)


def test_a_hires_pass_has_its_size_and_its_text(tools: Tools) -> None:
    hires = Hires(resize_x=96, resize_y=128, upscaler="Lanczos", sampler="Euler a", prompt="a tree")
    result = generate(SMALL.with_(hires=hires, denoising_strength=0.5), tools)
    assert result.images[0].image.size == (96, 128)
    for entry in ("Hires resize: 96x128", "Hires upscaler: Lanczos", "Hires sampler: Euler a", "Hires prompt: a tree"):
        assert entry in result.images[0].infotext
    assert "Size: 64x64" in result.images[0].infotext


def test_several_sources_make_a_batch(tools: Tools) -> None:
    sources = tuple(Image.new("RGB", (80, 80), colour) for colour in ("red", "blue"))
    result = generate(SMALL.with_(source=Source(sources), denoising_strength=0.5, batch_size=5), tools)
    assert len(result.images) == 2
    assert result.request.batch_size == 2


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (SMALL.with_(sampler="Euler b"), NotFound, "Euler"),
        (SMALL.with_(scheduler="Karas"), NotFound, "Karras"),
        (SMALL.with_(checkpoint="nobody"), NotFound, "nobody"),
        (SMALL.with_(width=0), BadRequest, "width"),
        (SMALL.with_(steps=0), BadRequest, "steps"),
        (SMALL.with_(settings={"no_such_setting": 1}), NotFound, "no_such_setting"),
        (SMALL.with_(hires=Hires(upscaler="Lancsoz")), NotFound, "Lanczos"),
    ],
)
def test_what_cannot_be_honoured_is_named(
    tools: Tools, request_: GenerationRequest, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        generate(request_, tools)


def test_the_library_draws_without_a_server(root: Path, model_folder: Path, tmp_path: Path) -> None:
    """The README's example, in a Python where gradio and fastapi cannot be imported."""
    code = f"""
import sys
for name in ("gradio", "fastapi", "uvicorn", "starlette"):
    sys.modules[name] = None
from modules.generation import GenerationRequest, generate, open_tools
tools = open_tools({str(model_folder)!r})
result = generate(GenerationRequest(prompt="a red house", steps=2, width=64, height=64), tools)
result.images[0].image.save({str(tmp_path / "house.png")!r})
"""
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
    assert Image.open(tmp_path / "house.png").size == (64, 64)
