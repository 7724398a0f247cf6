"""How well a model obeys: held-out captions, negative prompts, emphasis, prompt editing, img2img strength.

`python -m tools.mini.benchmark models/Stable-diffusion/atelier-mini.safetensors` measures a file with the small
sampler; the functions take any way of drawing, so that the product is measured with the same questions.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from tools.mini import captions, check, diffusion, export, scenes

LEAST = {"colour": 0.95, "sky": 0.95, "ground": 0.95, "kind": 0.70}  # what a model must reach to be shipped
ASKED = ("colour", "sky", "ground", "kind", "count", "position", "size")


class Draw(Protocol):
    """Draws one picture: Euler a, 20 steps, CFG 7, unless the implementation says otherwise."""

    def __call__(self, prompt: str, seed: int, negative: str = "") -> Image.Image: ...


Redraw = Callable[[Image.Image, str, int, float], Image.Image]  # picture, prompt, seed, strength


@dataclass
class Score:
    """Per attribute: how often it was asked for, and how often it was found."""

    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASKED, 0))
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASKED, 0))

    def add(self, scene: scenes.Scene, seen: check.Seen) -> None:
        for name in ASKED:
            if scene.count > 1 and name in ("position", "size"):
                continue
            self.asked[name] += 1
            self.found[name] += getattr(scene, name) == getattr(seen, name)

    def rate(self, name: str) -> float:
        return self.found[name] / max(1, self.asked[name])

    def __str__(self) -> str:
        return "  ".join(f"{name} {100 * self.rate(name):.1f} %" for name in ASKED)


def questions(count: int = 300, seed: int = 0) -> Iterator[tuple[str, scenes.Scene]]:
    """Captions with a pair of attributes that training never saw, and the scenes they ask for."""
    rng = random.Random(f"questions/{seed}")
    for _ in range(count):
        scene = scenes.random_scene(rng, unseen=True)
        yield captions.caption(scene, rng, complete=True, filler=False).text, scene


def obedience(draw: Draw, count: int = 300) -> Score:
    """How often a picture shows what its held-out caption asks for; picture i has seed i."""
    score = Score()
    for number, (text, scene) in enumerate(questions(count)):
        score.add(scene, check.look(draw(text, number)))
    return score


def negative_effect(draw: Draw, pictures: int = 12) -> list[float]:
    """Brightness of the sky when the prompt names none; negative prompt: "day", nothing, "night". Should rise."""
    prompts = ("a red house on the grass", "a yellow star above the sand", "two green trees on the grass")

    def brightness(negative: str) -> float:
        drawn = [draw(prompts[i % 3], i, negative).convert("L") for i in range(pictures)]
        return float(np.mean([np.asarray(picture, float)[: picture.height // 12].mean() for picture in drawn]))

    return [brightness(negative) for negative in ("day sky, day", "", "night sky, night")]


def emphasis_effect(draw: Draw, pictures: int = 8) -> list[float]:
    """Redness of things tagged as red and as blue, with red at 0.4, 1 and 1.6. Should rise."""
    prompts = ("(red:{}), blue, star, snow, night", "heart, (red:{}), blue, grass, day")
    return [
        float(np.mean([_mean_redness(draw, prompt.format(weight), pictures) for prompt in prompts]))
        for weight in (0.4, 1.0, 1.6)
    ]


def editing_effect(draw: Draw, pictures: int = 8) -> list[float]:
    """Redness of a circle that is red all the time, turns blue half-way, is blue all the time. Should fall."""
    prompt = "a big {} circle on the grass in the daytime"
    return [_mean_redness(draw, prompt.format(colour), pictures) for colour in ("red", "[red:blue:0.5]", "blue")]


def strength_effect(redraw: Redraw, pictures: int = 6) -> list[float]:
    """Mean RGB distance between source and result for strengths 0.2, 0.5 and 0.9. Should rise."""
    source = scenes.draw(scenes.Scene("house", "red", "day", "grass"), 1)
    before = np.asarray(source, float)

    def distance(strength: float, seed: int) -> float:
        after = redraw(source, "a blue house on the snow at night", seed, strength).resize(source.size)
        return float(np.abs(np.asarray(after.convert("RGB"), float) - before).mean())

    return [float(np.mean([distance(s, i) for i in range(pictures)])) for s in (0.2, 0.5, 0.9)]


def redness(picture: Image.Image) -> float:
    """Mean of red minus blue over the middle of the picture, -255..255."""
    pixels = np.asarray(picture.convert("RGB").resize((64, 64)), float)[16:40, 20:44]
    return float((pixels[..., 0] - pixels[..., 2]).mean())


def _mean_redness(draw: Draw, prompt: str, pictures: int) -> float:
    return float(np.mean([redness(draw(prompt, seed)) for seed in range(pictures)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a checkpoint, or the folder of a training run")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--sheet", type=Path, help="write the first pictures here")
    options = parser.parse_args()
    if options.model.is_dir():
        from tools.mini.train import networks_so_far

        networks, steps = networks_so_far(options.model)
        print(f"after {steps} steps")
    else:
        networks = export.read(options.model)
    score, drawn = Score(), []
    asked = list(questions(options.pictures))
    start = time.monotonic()
    for first in range(0, len(asked), options.batch):
        part = asked[first : first + options.batch]
        seeds = range(first, first + len(part))
        pictures = diffusion.sample(networks, [text for text, _ in part], seeds, size=options.size)
        for (_, scene), picture in zip(part, pictures, strict=True):
            score.add(scene, check.look(picture))
        drawn += pictures
    print(score)
    print(f"{(time.monotonic() - start) / len(asked):.2f} s a picture")
    if options.sheet:
        sheet = Image.new("RGB", (options.size * 8, options.size * ((min(len(drawn), 48) + 7) // 8)))
        for number, picture in enumerate(drawn[:48]):
            sheet.paste(picture, (number % 8 * options.size, number // 8 * options.size))
        sheet.save(options.sheet)


if __name__ == "__main__":
    main()
