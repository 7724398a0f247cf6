"""What a picture shows, decided by its pixels alone: no network takes part."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tools.mini import scenes

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDE = 128  # every picture is looked at in this size
_CONTRAST = 36.0  # RGB distance from the empty scene from which on a pixel belongs to a thing
_CROP = 20  # side of the normalised silhouettes


@dataclass(frozen=True)
class Seen:
    """What was found. `kind`, `colour` are None and `count` is 0 where no thing stands out."""

    sky: str
    ground: str
    colour: str | None
    kind: str | None
    count: int
    position: str | None
    size: str | None


def look(picture: Image.Image) -> Seen:
    """Find sky, ground and things in a picture of any size."""
    pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), float)
    sky, ground = _surroundings(pixels)
    standing_out = np.linalg.norm(pixels - _expected(pixels, sky, ground), axis=-1) > _CONTRAST
    things = _things(standing_out)
    if not things:
        return Seen(sky, ground, None, None, 0, None, None)
    colour = _main_colour(pixels[np.any(things, axis=0)])
    kind = _kind([_silhouette(thing, pixels, colour) for thing in things])
    boxes = [_box(thing) for thing in things]
    centre = sum((left + right) / 2 for _, left, _, right in boxes) / len(boxes) / SIDE
    height = max(bottom - top for top, _, bottom, _ in boxes) / SIDE
    position = "left" if centre < 0.42 else "right" if centre > 0.58 else "centre"
    size = "small" if height < 0.36 else "medium" if height < 0.49 else "big"
    return Seen(sky, ground, colour, kind, len(things), position, size)


def _surroundings(pixels: Floats) -> tuple[str, str]:
    """The sky by the strip at the top, the ground by the strip at the bottom; things reach into neither."""

    def strips(image: Floats) -> tuple[Floats, Floats]:
        top, bottom = image[2:10].reshape(-1, 3), image[-9:-2].reshape(-1, 3)
        return _lab(np.median(top, axis=0)), _lab(np.median(bottom, axis=0))

    here = strips(pixels)
    choices = [(sky, ground) for sky in scenes.SKIES for ground in scenes.GROUNDS]
    known = {pair: strips(np.asarray(scenes.empty(*pair, SIDE), float)) for pair in choices}
    sky = min(choices, key=lambda pair: float(np.linalg.norm(known[pair][0] - here[0])))[0]
    # The ground takes on the light of the sky, so it is compared under this sky only.
    ground = min(scenes.GROUNDS, key=lambda name: float(np.linalg.norm(known[sky, name][1] - here[1])))
    return sky, ground


def _expected(pixels: Floats, sky: str, ground: str) -> Floats:
    """The scene without things, tinted as this picture's sky and ground are: a paler night is no thing."""
    empty: Floats = np.asarray(scenes.empty(sky, ground, SIDE), float)
    horizon = round(scenes.HORIZON * SIDE)
    expected = np.array(empty)
    for part, strip in ((slice(0, horizon), slice(2, 10)), (slice(horizon, SIDE), slice(-9, -2))):
        expected[part] += np.median((pixels - empty)[strip].reshape(-1, 3), axis=0)
    return expected


def _things(standing_out: Mask) -> list[Mask]:
    """Connected parts that are big enough beside the biggest, from left to right."""
    solid = ndimage.binary_opening(ndimage.binary_closing(standing_out, np.ones((3, 3))), np.ones((3, 3)))
    labels, number = ndimage.label(solid)
    if number == 0:
        return []
    areas = ndimage.sum_labels(solid, labels, range(1, number + 1))
    least = max(90.0, 0.35 * float(areas.max()))
    parts: list[Mask] = [labels == part + 1 for part in range(number) if areas[part] >= least]
    return sorted(parts, key=lambda part: float(np.nonzero(part)[1].mean()))


def _main_colour(pixels: Floats) -> str:
    """The colour that most of the pixels (n, 3) are nearest to, shades counted with their colour."""
    names, anchors = _palette()
    nearest = np.linalg.norm(_lab(pixels)[:, None, :] - anchors[None], axis=-1).argmin(axis=1)
    names_found = np.array(names)[nearest]
    votes = {colour: int((names_found == colour).sum()) for colour in scenes.COLOURS}
    return max(votes, key=lambda colour: votes[colour])


@lru_cache(maxsize=1)
def _palette() -> tuple[list[str], Floats]:
    """Names and Lab values of the colours of things, their shades, and what else things are made of."""
    entries: list[tuple[str, tuple[int, ...]]] = list(scenes.COLOURS.items())
    entries += [(name, tuple(round(c * 0.8) for c in rgb)) for name, rgb in scenes.COLOURS.items()]
    entries += [("brown", scenes.BROWN), ("cream", scenes.CREAM), ("ink", scenes.INK)]
    return [name for name, _ in entries], _lab(np.array([rgb for _, rgb in entries], float))


def _box(thing: Mask) -> tuple[int, int, int, int]:
    """Top, left, bottom, right."""
    rows, columns = np.nonzero(thing)
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


def _silhouette(thing: Mask, pixels: Floats, colour: str) -> Floats:
    """The thing scaled to a square: where it is, where it has its main colour, and how wide it was. One vector."""
    top, left, bottom, right = _box(thing)
    names, anchors = _palette()
    piece = pixels[top:bottom, left:right]
    near = np.linalg.norm(_lab(piece)[:, :, None, :] - anchors[None, None], axis=-1).argmin(axis=-1)
    main = thing[top:bottom, left:right] & np.isin(near, [i for i, name in enumerate(names) if name == colour])
    width = np.full(_CROP, (right - left) / (bottom - top))
    return np.concatenate([_scaled(thing[top:bottom, left:right]), 0.7 * _scaled(main), 4 * width])


def _scaled(mask: Mask) -> Floats:
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((_CROP, _CROP), Image.Resampling.BOX)
    return np.asarray(image, float).ravel() / 255


def _kind(silhouettes: list[Floats]) -> str:
    """The kind whose drawn examples resemble the silhouettes most, on the whole."""
    names, examples = _examples()
    total = dict.fromkeys(scenes.KINDS, 0.0)
    for silhouette in silhouettes:
        distances = np.abs(examples - silhouette).sum(axis=1)
        for kind in scenes.KINDS:
            nearest = np.sort(distances[names == kind])[:3]
            total[kind] += float(nearest.mean())
    return min(total, key=lambda kind: total[kind])


@lru_cache(maxsize=1)
def _examples(per_kind: int = 40) -> tuple[NDArray[np.str_], Floats]:
    """Silhouettes of drawn scenes and their kinds."""
    rng = random.Random("examples")
    names: list[str] = []
    silhouettes: list[Floats] = []
    while len(names) < per_kind * len(scenes.KINDS):
        scene = scenes.random_scene(rng)
        if names.count(scene.kind) >= per_kind:
            continue
        pixels = np.asarray(scenes.draw(scene, rng.getrandbits(32), SIDE), float)
        empty = np.asarray(scenes.empty(scene.sky, scene.ground, SIDE), float)
        things = _things(np.linalg.norm(pixels - empty, axis=-1) > _CONTRAST)
        if len(things) == scene.count:
            names.append(scene.kind)
            silhouettes.append(_silhouette(things[0], pixels, scene.colour))
    return np.array(names), np.stack(silhouettes)


def _lab(rgb: Floats) -> Floats:
    """sRGB 0..255 (..., 3) to CIE L*a*b*, where distances are closer to what eyes see."""
    linear = np.where(rgb > 10.31475, ((rgb / 255 + 0.055) / 1.055) ** 2.4, rgb / 255 / 12.92)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
