"""Whoever hooks into a generation sees every moment, and what is changed there shows in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from modules.diffusion.moments import Asked, Texts
from modules.generation import Tools, generate
from modules.generation.hooks import Hooks, Picture
from modules.terms.request import GenerationRequest, Hires, Source

REQUEST = GenerationRequest(prompt="a cat", steps=2, width=64, height=64, seed=1, batch_size=2, n_iter=2)


class Onlooker:
    """Moments that count, and change what they are told to."""

    def __init__(self, **changes) -> None:
        self.changes = changes
        self.calls: list[tuple[int, int, tuple[int, ...]]] = []

    def asking(self, asked: Asked) -> None:
        self.calls.append((asked.call, asked.total, tuple(asked.x.shape)))
        for name, change in self.changes.items():
            if name in Asked.__dataclass_fields__:
                setattr(asked, name, change(asked))

    def answered(self, denoised: torch.Tensor, asked: Asked) -> None:
        self.changes.get("answered", lambda tensor: None)(denoised)

    def combine(self, denoised: torch.Tensor, asked: Asked, scale: float) -> torch.Tensor | None:
        return self.changes["combine"](denoised, asked, scale) if "combine" in self.changes else None

    def guided(self, denoised: torch.Tensor, asked: Asked) -> torch.Tensor:
        return self.changes.get("guided", lambda tensor: tensor)(denoised)


class Recorder(Hooks):
    """Takes down the names of the moments in order."""

    def __init__(self, onlooker: Onlooker | None = None) -> None:
        super().__init__()
        self.names: list[str] = []
        self.onlooker = onlooker

    def moments(self, walk, session):
        self.names.append("moments")
        return self.onlooker


def recording(name: str):
    def method(self, *args, **options):
        self.names.append(name)
        return getattr(Hooks, name)(self, *args, **options)

    return method


MOMENTS = [name for name in vars(Hooks) if not name.startswith("_") and name not in ("moments", "notes", "said")]
for moment in MOMENTS:
    setattr(Recorder, moment, recording(moment))


def pixels(result) -> list[np.ndarray]:
    return [np.asarray(image.image) for image in result.images]


def test_every_moment_comes_in_order_and_changes_nothing_by_itself(tools: Tools) -> None:
    bare = generate(REQUEST, tools)
    recorder = Recorder(Onlooker())
    watched = generate(REQUEST, tools, hooks=recorder)
    batch = ["batch_planned", "networks_applied", "noise", "moments", "extra_noise", "blended", "sampling", "sampled"]
    batch += ["decoded", *["picture", "composed"] * 2, "batch_finished"]
    assert recorder.names == ["planned", "began", *batch, *batch, "finished"]
    for one, other in zip(pixels(bare), pixels(watched), strict=True):
        np.testing.assert_array_equal(one, other)


def test_hires_and_masks_have_moments_of_their_own(tools: Tools) -> None:
    recorder = Recorder()
    generate(REQUEST.with_(n_iter=1, hires=Hires(scale=2)), tools, hooks=recorder)
    assert recorder.names.count("networks_applied") == recorder.names.count("sampling") == 2
    assert recorder.names.index("hires_begins") > recorder.names.index("sampling")
    from modules.terms.request import Mask

    recorder = Recorder()
    mask = Mask(Image.new("L", (64, 64), 255))
    source = Source((Image.new("RGB", (64, 64), "red"),), mask=mask)
    generate(REQUEST.with_(source=source, n_iter=1, batch_size=1), tools, hooks=recorder)
    assert recorder.names.index("picture") < recorder.names.index("covered") < recorder.names.index("composed")


def test_onlookers_see_prompt_rows_before_negative_rows(tools: Tools) -> None:
    onlooker = Onlooker()
    generate(REQUEST.with_(prompt="a cat AND a dog", n_iter=1), tools, hooks=Recorder(onlooker))
    assert [(call, total) for call, total, _ in onlooker.calls] == [(0, 2), (1, 2)]
    assert {shape for *_, shape in onlooker.calls} == {(6, 4, 8, 8)}  # 2 pictures x (2 parts + 1 negative)


def scaled(asked: Asked) -> Texts:
    return replace(asked.prompts, cross=asked.prompts.cross * 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": lambda asked: asked.x * 0.5},
        {"prompts": scaled},
        {"negatives": lambda asked: None},
        {"answered": lambda denoised: denoised.mul_(0.5)},
        {"guided": lambda denoised: denoised * 0.5},
        {"combine": lambda denoised, asked, scale: denoised[: len(asked.parts)]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_an_onlooker_changes_shows_in_the_picture(tools: Tools, changes) -> None:
    request = REQUEST.with_(n_iter=1, batch_size=1)
    bare, changed = generate(request, tools), generate(request, tools, hooks=Recorder(Onlooker(**changes)))
    assert not np.array_equal(pixels(bare)[0], pixels(changed)[0])


def test_leaving_the_negative_out_is_a_scale_of_one(tools: Tools) -> None:
    request = REQUEST.with_(n_iter=1, batch_size=1)
    without = generate(request, tools, hooks=Recorder(Onlooker(negatives=lambda asked: None)))
    by_hand = {"combine": lambda denoised, asked, scale: denoised[: len(asked.parts)]}
    one, other = pixels(without)[0], pixels(generate(request, tools, hooks=Recorder(Onlooker(**by_hand))))[0]
    np.testing.assert_allclose(one.astype(int), other, atol=1)  # one row at a time is not bit by bit as two rows


class Changing(Hooks):
    def planned(self, plan, settings):
        return replace(plan, request=plan.request.with_(steps=1))

    def batch_planned(self, batch, session):
        images = tuple(replace(image, seed=99) for image in batch.images)
        return replace(batch, images=images)

    def sampled(self, latents: torch.Tensor, batch, session) -> torch.Tensor:
        self.latents = latents
        return latents

    def decoded(self, pictures: Sequence[Image.Image], batch, session) -> list[Image.Image]:
        return [picture.point(lambda value: 255 - value) for picture in pictures]

    def composed(self, picture: Picture, batch, session) -> None:
        picture.image = picture.image.resize((32, 32))

    def finished(self, result):
        return replace(result, extra={**result.extra, "Seen": True})


def test_changes_are_honoured_and_recorded(tools: Tools) -> None:
    hooks = Changing()
    result = generate(REQUEST.with_(n_iter=1, batch_size=1), tools, hooks=hooks)
    assert result.request.steps == 1
    assert result.images[0].seed == 99
    assert "Seed: 99" in result.images[0].infotext
    assert "Steps: 1," in result.images[0].infotext
    assert result.images[0].image.size == (32, 32)
    assert result.extra["Seen"]


def test_notes_of_hooks_come_with_the_result(tools: Tools) -> None:
    assert "Look here." in generate(REQUEST.with_(n_iter=1), tools, hooks=Hooks(notes=["Look here."])).notes
