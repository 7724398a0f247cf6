"""Poor man's outpainting: only tiles that touch new ground are drawn, and what is far from it stays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modules.generation import GenerationRequest, Source, Tools, generate
from modules.generation.outpaint_tiles import OutpaintTiles, outpaint_tiles
from modules.terms.errors import BadRequest
from modules.terms.result import GenerationResult

REQUEST = GenerationRequest(prompt="a house", steps=1, seed=3, width=64, height=64, denoising_strength=0.8, n_iter=2)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8))


def test_tiles_on_new_ground_are_drawn_one_after_the_other(tools: Tools) -> None:
    asked: list[GenerationRequest] = []

    def draw(request: GenerationRequest, number: int, count: int) -> GenerationResult:
        asked.append(request)
        return generate(request, tools)

    picture = noise(128, 64)
    options = OutpaintTiles(32, 0, directions=("left", "right"))
    result = outpaint_tiles(REQUEST.with_(source=Source((picture,))), options, draw)
    (made,) = result.images
    assert made.image.size == (192, 64)
    # Of five tiles at 0, 32, 64, 96, 128 the outer two reach into the new 32 columns of each side.
    assert [request.seed for request in asked] == [3, 4]
    after = np.asarray(made.image)
    assert np.array_equal(after[:, 64:128], np.asarray(picture)[:, 32:96])
    assert after[:, :24].std() > 0


def test_the_mask_reaches_in_as_far_as_it_is_blurred(tools: Tools) -> None:
    masks: list[np.ndarray] = []

    def draw(request: GenerationRequest, number: int, count: int) -> GenerationResult:
        mask = request.source.mask
        assert (mask.blur_x, mask.blur_y, mask.fill) == (8, 8, 2)
        masks.append(np.asarray(mask.image))
        masks.append(np.asarray(mask.latent))
        return generate(request, tools)

    request = REQUEST.with_(width=128, height=128, source=Source((noise(64, 128),)))
    outpaint_tiles(request, OutpaintTiles(32, 4, 2, ("right",)), draw)
    image, latent = masks
    assert image[5].nonzero()[0][0] == 64 - 8 + 1
    assert latent[5].nonzero()[0][0] == 64 - 2 + 1


def test_what_cannot_be_tiled_is_said(tools: Tools) -> None:
    def draw(request: GenerationRequest, number: int, count: int) -> GenerationResult:
        return generate(request, tools)

    with pytest.raises(BadRequest, match="picture"):
        outpaint_tiles(REQUEST, OutpaintTiles(), draw)
    request = REQUEST.with_(source=Source((noise(64, 64),)))
    with pytest.raises(BadRequest, match="in common"):
        outpaint_tiles(request, OutpaintTiles(64), draw)
    with pytest.raises(BadRequest, match="no side"):
        outpaint_tiles(request, OutpaintTiles(32, directions=()), draw)
