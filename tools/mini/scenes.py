"""Scenes: what can be in a picture, and how it is drawn. The only source of the built-in model's training data."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Floats = NDArray[np.float64]
Rgb = tuple[int, int, int]
Position = Literal["left", "centre", "right"]
Size = Literal["small", "medium", "big"]
Point = tuple[float, float]

KINDS = ("house", "tree", "boat", "mountain", "cat", "square", "triangle", "sun", "moon", "star", "heart", "circle")
STANDING = frozenset({"house", "tree", "boat", "mountain", "cat", "square", "triangle"})
COLOURS: dict[str, Rgb] = {
    "red": (214, 40, 44),
    "orange": (245, 132, 22),
    "yellow": (252, 211, 34),
    "green": (24, 128, 66),
    "blue": (34, 76, 206),
    "purple": (126, 50, 176),
    "pink": (250, 104, 170),
    "white": (252, 252, 250),
}
SKIES: dict[str, tuple[Rgb, Rgb]] = {  # at the top, at the horizon
    "day": ((112, 190, 240), (206, 234, 250)),
    "sunset": ((206, 118, 146), (250, 196, 150)),
    "night": ((20, 24, 60), (52, 60, 112)),
}
GROUNDS: dict[str, tuple[Rgb, Rgb]] = {  # at the horizon, at the bottom
    "grass": ((164, 208, 110), (124, 180, 84)),
    "sand": ((240, 222, 172), (224, 198, 140)),
    "snow": ((228, 238, 248), (206, 220, 236)),
    "water": ((110, 196, 204), (58, 150, 172)),
}
POSITIONS: tuple[Position, ...] = ("left", "centre", "right")
SIZES: tuple[Size, ...] = ("small", "medium", "big")
HORIZON = 0.64
BROWN: Rgb = (122, 82, 52)
CREAM: Rgb = (255, 244, 214)
INK: Rgb = (38, 34, 48)
SUPERSAMPLING = 3

_HEIGHT = {"small": 0.30, "medium": 0.42, "big": 0.56}  # of the picture
_HEIGHT_BY_COUNT = {2: 0.34, 3: 0.27}
_WIDEST = {1: 0.6, 2: 0.36, 3: 0.255}
_CENTRES = {1: (0.5,), 2: (0.28, 0.72), 3: (0.185, 0.5, 0.815)}
_ASPECT = {"mountain": 1.3, "moon": 0.86, "boat": 1.05, "house": 1.02, "triangle": 1.1}  # width / height


@dataclass(frozen=True)
class Scene:
    """`count` things of one kind and colour before a sky and a ground. Position and size vary only for one thing."""

    kind: str
    colour: str
    sky: str
    ground: str
    count: int = 1
    position: Position = "centre"
    size: Size = "medium"


def held_out(scene: Scene) -> bool:
    """True if the scene has a pair of attributes that training never sees: 12 (colour, kind), 6 (kind, ground)."""
    kind, colour = KINDS.index(scene.kind), list(COLOURS).index(scene.colour)
    ground = list(GROUNDS).index(scene.ground)
    return colour == (kind * 3 + 1) % len(COLOURS) or (kind % 2 == 0 and ground == (kind // 2 + 1) % len(GROUNDS))


def drawable(scene: Scene) -> bool:
    """False for white things on snow: nobody could see them."""
    return not (scene.colour == "white" and scene.ground == "snow")


def random_scene(rng: random.Random, *, unseen: bool = False) -> Scene:
    """A scene that training may see, or (`unseen`) one that it never does."""
    while True:
        count = rng.choices((1, 2, 3), (0.6, 0.2, 0.2))[0]
        scene = Scene(
            rng.choice(KINDS), rng.choice(list(COLOURS)), rng.choice(list(SKIES)), rng.choice(list(GROUNDS)), count
        )
        if count == 1:
            position = rng.choices(POSITIONS, (0.25, 0.5, 0.25))[0]
            scene = replace(scene, position=position, size=rng.choices(SIZES, (0.25, 0.45, 0.3))[0])
        if drawable(scene) and held_out(scene) == unseen:
            return scene


def draw(scene: Scene, seed: int, size: int = 128) -> Image.Image:
    """The scene as an RGB picture of `size` x `size`; the seed moves, scales and tints things a little."""
    rng = random.Random(seed)
    side = size * SUPERSAMPLING
    image = background(scene.sky, scene.ground, side).copy()
    canvas = ImageDraw.Draw(image)
    colour = _tinted(COLOURS[scene.colour], rng.uniform(-0.05, 0.05))
    for x, y, width, height in _boxes(scene, rng):
        pen = _Pen(canvas, x * side, y * side, width * side, height * side)
        _SHAPES[scene.kind](pen, colour)
    return image.reduce(SUPERSAMPLING)


@lru_cache(maxsize=32)
def empty(sky: str, ground: str, size: int = 128) -> Image.Image:
    """Sky and ground without things, exactly as behind the things of `draw`."""
    return background(sky, ground, size * SUPERSAMPLING).reduce(SUPERSAMPLING)


@lru_cache(maxsize=32)
def background(sky: str, ground: str, side: int) -> Image.Image:
    """Sky and ground without things, `side` x `side`; always the same, so that the network can know it by heart."""
    ys = (np.arange(side) + 0.5) / side
    xs = ys[None, :]
    image = _gradient(*SKIES[sky], np.clip(ys / HORIZON, 0, 1))[:, None, :].repeat(side, axis=1)
    if sky == "day":
        for x, y, radius in (
            (0.16, 0.13, 0.05),
            (0.225, 0.115, 0.065),
            (0.29, 0.135, 0.045),
            (0.74, 0.2, 0.045),
            (0.80, 0.18, 0.06),
            (0.865, 0.205, 0.04),
        ):
            inside = ((xs - x) ** 2 + ((ys[:, None] - y) * 1.25) ** 2 < radius**2) & (ys[:, None] < y + 0.028)
            image[inside] = image[inside] * 0.25 + 255 * 0.75
    if sky == "night":
        for x, y in ((0.1, 0.1), (0.27, 0.2), (0.46, 0.07), (0.66, 0.15), (0.86, 0.08), (0.93, 0.3), (0.06, 0.36)):
            image[(xs - x) ** 2 + (ys[:, None] - y) ** 2 < 0.011**2] = (250, 240, 190)
    edge = {
        "grass": HORIZON - 0.022 * np.cos((xs[0] - 0.35) * 2 * math.pi),
        "sand": HORIZON + 0.02 * np.sin((xs[0] - 0.1) * 1.6 * math.pi),
        "snow": HORIZON - 0.03 * np.cos((xs[0] - 0.7) * 1.4 * math.pi),
        "water": np.full(side, HORIZON),
    }[ground]
    depth = np.clip((ys[:, None] - edge[None, :]) / (1 - HORIZON), 0, 1)
    land = _gradient(*GROUNDS[ground], depth)
    if ground == "water":
        for y, phase in ((0.70, 0.0), (0.79, 2.1), (0.89, 4.0)):
            band = (np.abs(ys[:, None] - y) < 0.007) & (np.sin(xs * 4 * math.pi + phase) > 0.1)
            land[band] = land[band] * 0.55 + 255 * 0.45
    image = np.where((ys[:, None] > edge[None, :])[..., None], land, image)
    if sky != "day":  # the ground takes on some of the light
        tint = np.array({"sunset": (255, 214, 196), "night": (158, 156, 206)}[sky]) / 255
        image = np.where((ys[:, None] > edge[None, :])[..., None], image * tint, image)
    return Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))


def _gradient(start: Rgb, end: Rgb, t: Floats) -> Floats:
    """Colours between start (t = 0) and end (t = 1): the shape of t, and 3."""
    first, last = np.array(start, float), np.array(end, float)
    return np.asarray(first + (last - first) * t[..., None])


def _boxes(scene: Scene, rng: random.Random) -> list[tuple[float, float, float, float]]:
    """Centre x, centre y, width and height of every thing, in parts of the picture."""
    height = _HEIGHT[scene.size] if scene.count == 1 else _HEIGHT_BY_COUNT[scene.count]
    height *= rng.uniform(0.94, 1.06)
    width = height * _ASPECT.get(scene.kind, 1.0)
    widest = _WIDEST[scene.count]
    height, width = height * min(1.0, widest / width), min(width, widest)
    shift = rng.uniform(-0.02, 0.02)
    boxes = []
    for centre in _CENTRES[scene.count]:
        if scene.count == 1 and scene.position != "centre":
            reach = max(0.2, width / 2 + 0.02)
            centre = reach + 0.03 if scene.position == "left" else 1 - reach - 0.03
        bottom = 0.86 if scene.kind in STANDING else 0.42 + height / 2
        y = bottom - height / 2 + rng.uniform(-0.015, 0.015)
        boxes.append((centre + shift + rng.uniform(-0.008, 0.008), y, width, height))
    return boxes


def _tinted(colour: Rgb, amount: float) -> Rgb:
    """Lighter (amount > 0) or darker."""
    goal = 255 if amount > 0 else 0
    r, g, b = (round(c + (goal - c) * abs(amount)) for c in colour)
    return r, g, b


@dataclass(frozen=True)
class _Pen:
    """Draws in a box whose corners are (0, 0) and (1, 1)."""

    canvas: ImageDraw.ImageDraw
    x: float
    y: float
    width: float
    height: float

    def at(self, u: float, v: float) -> Point:
        return self.x + (u - 0.5) * self.width, self.y + (v - 0.5) * self.height

    def polygon(self, points: list[Point], fill: Rgb) -> None:
        self.canvas.polygon([self.at(u, v) for u, v in points], fill=fill)

    def ellipse(self, u: float, v: float, radius_u: float, radius_v: float, fill: Rgb) -> None:
        self.canvas.ellipse([*self.at(u - radius_u, v - radius_v), *self.at(u + radius_u, v + radius_v)], fill=fill)

    def rectangle(self, u0: float, v0: float, u1: float, v1: float, fill: Rgb) -> None:
        self.canvas.rectangle([*self.at(u0, v0), *self.at(u1, v1)], fill=fill)


def _shade(colour: Rgb) -> Rgb:
    return _tinted(colour, -0.2)


def _house(pen: _Pen, colour: Rgb) -> None:
    pen.rectangle(0.7, 0.08, 0.82, 0.4, _shade(colour))
    pen.rectangle(0.1, 0.4, 0.9, 1.0, colour)
    pen.polygon([(0.0, 0.44), (0.5, 0.0), (1.0, 0.44)], _shade(colour))
    pen.rectangle(0.2, 0.62, 0.42, 1.0, BROWN)
    pen.rectangle(0.56, 0.56, 0.8, 0.8, CREAM)


def _tree(pen: _Pen, colour: Rgb) -> None:
    pen.rectangle(0.42, 0.6, 0.58, 1.0, BROWN)
    for u, v, radius in ((0.26, 0.47, 0.25), (0.74, 0.47, 0.25), (0.5, 0.28, 0.28), (0.5, 0.5, 0.24)):
        pen.ellipse(u, v, radius, radius, colour)
    pen.ellipse(0.42, 0.25, 0.1, 0.1, _tinted(colour, 0.25))


def _boat(pen: _Pen, colour: Rgb) -> None:
    pen.rectangle(0.47, 0.0, 0.52, 0.72, BROWN)
    pen.polygon([(0.45, 0.04), (0.45, 0.64), (0.08, 0.64)], CREAM)
    pen.polygon([(0.55, 0.1), (0.55, 0.64), (0.88, 0.64)], colour)
    pen.polygon([(0.0, 0.7), (1.0, 0.7), (0.82, 1.0), (0.18, 1.0)], colour)
    pen.polygon([(0.0, 0.7), (1.0, 0.7), (0.95, 0.78), (0.05, 0.78)], _shade(colour))


def _mountain(pen: _Pen, colour: Rgb) -> None:
    pen.polygon([(0.36, 1.0), (0.7, 0.3), (1.0, 1.0)], _shade(colour))
    pen.polygon([(0.0, 1.0), (0.38, 0.0), (0.78, 1.0)], colour)
    pen.polygon([(0.38, 0.0), (0.494, 0.285), (0.42, 0.22), (0.37, 0.32), (0.31, 0.22), (0.2718, 0.285)], CREAM)


def _cat(pen: _Pen, colour: Rgb) -> None:
    for side in (1, -1):

        def u(value: float, side: int = side) -> float:
            return 0.5 + side * value

        pen.polygon([(u(0.46), 0.0), (u(0.46), 0.5), (u(0.08), 0.25)], colour)
        pen.polygon([(u(0.4), 0.1), (u(0.4), 0.3), (u(0.22), 0.24)], _shade(colour))
    pen.ellipse(0.5, 0.6, 0.5, 0.4, colour)
    for side in (1, -1):
        pen.ellipse(0.5 + side * 0.21, 0.54, 0.095, 0.1, CREAM)
        pen.ellipse(0.5 + side * 0.2, 0.55, 0.055, 0.075, INK)
    pen.polygon([(0.43, 0.7), (0.57, 0.7), (0.5, 0.78)], INK)


def _square(pen: _Pen, colour: Rgb) -> None:
    pen.rectangle(0.04, 0.04, 0.96, 1.0, colour)


def _triangle(pen: _Pen, colour: Rgb) -> None:
    pen.polygon([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)], colour)


def _sun(pen: _Pen, colour: Rgb) -> None:
    rays = 8
    for ray in range(rays):
        angle = 2 * math.pi * ray / rays
        tip = (0.5 + 0.5 * math.cos(angle), 0.5 + 0.5 * math.sin(angle))
        foot = [(0.5 + 0.34 * math.cos(angle + turn), 0.5 + 0.34 * math.sin(angle + turn)) for turn in (-0.3, 0.3)]
        pen.polygon([tip, *foot], colour)
    pen.ellipse(0.5, 0.5, 0.3, 0.3, colour)


def _moon(pen: _Pen, colour: Rgb) -> None:
    outer = [(0.58 + 0.58 * math.cos(a), 0.5 + 0.5 * math.sin(a)) for a in _arc(0.27, 1.73)]
    inner = [(0.771 + 0.476 * math.cos(a), 0.5 + 0.41 * math.sin(a)) for a in reversed(_arc(0.368, 1.632))]
    pen.polygon(outer + inner, colour)


def _arc(start: float, end: float, points: int = 40) -> list[float]:
    """Angles from start to end, both in half turns."""
    return [math.pi * (start + (end - start) * i / (points - 1)) for i in range(points)]


def _star(pen: _Pen, colour: Rgb) -> None:
    points = []
    for corner in range(10):
        radius = 0.53 if corner % 2 == 0 else 0.225
        angle = math.pi * (corner / 5 - 0.5)
        points.append((0.5 + radius * math.cos(angle), 0.53 + radius * math.sin(angle)))
    pen.polygon(points, colour)


def _heart(pen: _Pen, colour: Rgb) -> None:
    points = []
    for a in _arc(0, 2, 80):
        u = 16 * math.sin(a) ** 3
        v = 13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)
        points.append((0.5 + u / 32, (12 - v) / 29))
    pen.polygon(points, colour)


def _circle(pen: _Pen, colour: Rgb) -> None:
    pen.ellipse(0.5, 0.5, 0.5, 0.5, colour)


_SHAPES = {
    "house": _house,
    "tree": _tree,
    "boat": _boat,
    "mountain": _mountain,
    "cat": _cat,
    "square": _square,
    "triangle": _triangle,
    "sun": _sun,
    "moon": _moon,
    "star": _star,
    "heart": _heart,
    "circle": _circle,
}
