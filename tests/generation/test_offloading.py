"""Jobs whose model does not fit, on a card that is made up: "cpu:0" with a number for its memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from modules.checkpoints.approximate import Approximations
from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.checkpoints.offload import Offload
from modules.checkpoints.residents import Residents
from modules.generation import GenerationRequest, Tools, generate
from modules.generation.preview import Previewer
from modules.settings.store import Settings
from modules.terms.errors import Interrupted, OutOfMemory
from modules.terms.progress import Progress

CARD = torch.device("cpu:0")
REQUEST = GenerationRequest(prompt="a house", steps=2, seed=3, width=64, height=64)


@pytest.fixture
def free() -> list[int]:
    return [1 << 40]


@pytest.fixture
def card(model_folder: Path, free: list[int]) -> Tools:
    """Tools that work on the card, which has `free` bytes free."""
    residents = Residents(lambda device: (free[0], 1 << 41), apart=lambda device: device == CARD)
    models = Models(Library([model_folder]), DeviceWishes("cpu:0"), residents=residents)
    return Tools(models, Settings().with_flat({"randn_source": "CPU"}))


def pixels(request: GenerationRequest, tools: Tools) -> tuple[bytes, tuple[str, ...]]:
    result = generate(request, tools)
    return result.images[0].image.tobytes(), result.notes


@contextmanager
def failing(tools: Tools, place: Callable[[object], nn.Module], times: int) -> Iterator[None]:
    """Within: memory runs out at the first `times` calls of a module."""
    left = [times]

    def fail(module: nn.Module, args: object) -> None:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with tools.models.borrow() as bundle:
        handle = place(bundle).register_forward_pre_hook(fail)
    try:
        yield
    finally:
        handle.remove()


def test_out_of_memory_in_the_first_step_draws_the_same_picture(card: Tools) -> None:
    undisturbed, notes = pixels(REQUEST, card)
    assert not notes
    with failing(card, lambda bundle: bundle.unet.mid_block, 1):
        drawn, notes = pixels(REQUEST, card)
    assert drawn == undisturbed
    assert notes == ("Memory ran out, so only the network that works stays on the device; the step was done again.",)
    with failing(card, lambda bundle: bundle.unet.mid_block, 2):
        drawn, notes = pixels(REQUEST, card)
    assert drawn == undisturbed
    assert "block by block" in notes[1]
    assert pixels(REQUEST, card) == (undisturbed, ())  # the next job begins as the first did


def test_out_of_memory_while_a_prompt_is_read(card: Tools) -> None:
    undisturbed, _ = pixels(REQUEST.with_(prompt="another house"), card)
    card.answers.clear()
    with failing(card, lambda bundle: bundle.clips[0].model, 1):
        drawn, notes = pixels(REQUEST.with_(prompt="another house"), card)
    assert drawn == undisturbed
    assert len(notes) == 1


def test_out_of_memory_while_decoding_offloads_before_it_cuts(card: Tools) -> None:
    undisturbed, _ = pixels(REQUEST, card)
    with failing(card, lambda bundle: bundle.vae.decoder, 2):
        drawn, notes = pixels(REQUEST, card)
    assert drawn == undisturbed
    assert [note.partition(",")[0] for note in notes] == ["Memory ran out"] * 2
    assert "tiles" not in " ".join(notes)


def test_what_never_fits_is_a_sentence(card: Tools) -> None:
    with failing(card, lambda bundle: bundle.unet.mid_block, 99), pytest.raises(OutOfMemory, match="smaller"):
        generate(REQUEST, card)
    assert not generate(REQUEST, card).notes


def test_a_job_that_cannot_fit_is_offloaded_from_the_start_and_says_so_first(card: Tools, free: list[int]) -> None:
    undisturbed, _ = pixels(REQUEST, card)
    card.models.unload()
    free[0] = 0
    heard: list[Progress] = []

    def watch(progress: Progress, preview: object = None) -> None:
        heard.append(progress)

    result = generate(REQUEST, card, watch)
    assert result.images[0].image.tobytes() == undisturbed
    told = [progress for progress in heard if progress.note]
    assert [progress.phase for progress in told] == ["loading"]
    assert told[0].note in result.notes
    assert "0.0 GB free" in told[0].note
    assert heard.index(told[0]) < next(n for n, progress in enumerate(heard) if progress.phase == "encoding")


def test_the_setting_counts_for_one_job(card: Tools) -> None:
    undisturbed, _ = pixels(REQUEST, card)
    with card.models.borrow() as bundle:
        offloading = bundle.offloading
    assert offloading is not None
    assert pixels(REQUEST.with_(settings={"model_offload": "Block by block"}), card) == (undisturbed, ())
    assert offloading.mode == Offload.BLOCKS
    assert pixels(REQUEST, card)[0] == undisturbed
    assert offloading.mode == Offload.NONE


def test_eight_bits_draw_another_picture_and_say_so(card: Tools) -> None:
    plain = generate(REQUEST, card).images[0]
    small = generate(REQUEST.with_(settings={"fp8_storage": "Enable"}), card).images[0]
    assert small.image.tobytes() != plain.image.tobytes()
    assert "FP8 weight: Enable" in small.infotext
    assert "FP8 weight" not in plain.infotext
    assert generate(REQUEST, card).images[0].image.tobytes() == plain.image.tobytes()


# --- previews ---


def looked_at(tools: Tools, **settings: object) -> tuple[list[Image.Image], set[int]]:
    """Previews drawn by another thread after each step, and the threads that the VAE worked on meanwhile."""
    seen: list[Image.Image] = []
    threads: set[int] = set()
    with tools.models.borrow() as bundle:
        handle = bundle.vae.decoder.register_forward_pre_hook(lambda *_: threads.add(threading.get_ident()))

    def watch(progress: Progress, preview: Callable[[], Image.Image] | None = None) -> None:
        if preview is not None:
            looker = threading.Thread(target=lambda: seen.append(preview()))
            looker.start()
            looker.join()

    try:
        generate(REQUEST.with_(steps=3, settings={"live_preview_content": "Combined", **settings}), tools, watch)
    finally:
        handle.remove()
    return seen, threads


def test_the_vae_draws_previews_on_no_thread_but_the_pass(card: Tools) -> None:
    full, threads = looked_at(card, show_progress_type="Full")
    assert threads == {threading.get_ident()}
    cheap, _ = looked_at(card, show_progress_type="Approx cheap")
    assert full[0] == cheap[0]  # nobody had asked before
    assert full[-1] != cheap[-1]


def test_an_offloaded_model_draws_no_full_previews_unless_allowed(card: Tools) -> None:
    offloaded = {"model_offload": "Network by network", "show_progress_type": "Full"}
    cheap, _ = looked_at(card, show_progress_type="Approx cheap")
    assert looked_at(card, **offloaded)[0] == cheap
    allowed, threads = looked_at(card, **offloaded, live_preview_allow_lowvram_full=True)
    assert allowed[-1] != cheap[-1]
    assert threads == {threading.get_ident()}


def test_the_subject_of_previews_is_what_was_asked_for(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[torch.Tensor] = []

    def noted(latents: torch.Tensor, *_: object) -> object:
        shown.append(latents)
        return torch.zeros(len(latents), 8, 8, 3, dtype=torch.uint8).numpy()

    monkeypatch.setattr("modules.generation.preview.linear", noted)
    last = {}
    for content in ("Combined", "Prompt", "Negative prompt"):
        looked_at(tools, live_preview_content=content, show_progress_type="Approx cheap")
        last[content] = shown[-1]
    prompt, negative = last["Prompt"], last["Negative prompt"]
    assert not torch.equal(prompt, negative)
    assert torch.allclose(last["Combined"], negative + (prompt - negative) * REQUEST.cfg_scale, atol=1e-4)


def test_a_picture_that_was_given_up_may_be_drawn_as_its_preview(tools: Tools, tmp_path: Path) -> None:
    def stop(progress: Progress, preview: object = None) -> None:
        if progress.phase == "sampling" and progress.step == 1:
            raise Interrupted

    bare = tools.with_(approximations=Approximations([tmp_path]))
    full = generate(REQUEST, bare, stop).images[0].image
    fast = generate(REQUEST.with_(settings={"live_preview_fast_interrupt": True}), bare, stop).images[0].image
    assert full.size == fast.size == (64, 64)
    assert full.tobytes() != fast.tobytes()
    whole = generate(REQUEST.with_(settings={"live_preview_fast_interrupt": True}), bare).images[0].image
    assert whole.tobytes() == generate(REQUEST, bare).images[0].image.tobytes()


def test_previews_of_a_batch_are_all_or_the_first() -> None:
    latents = torch.randn(2, 4, 8, 8)
    sizes = []
    for grid in (True, False):
        drawn: list[int] = []

        def draw(some: torch.Tensor, drawn: list[int] = drawn) -> object:
            drawn.append(len(some))
            return torch.zeros(len(some), 8, 8, 3, dtype=torch.uint8).numpy()

        Previewer(draw, grid=grid).at(latents)()  # type: ignore[arg-type]
        sizes += drawn
    assert sizes == [2, 1]
