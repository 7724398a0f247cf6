"""The library of pictures at 50,000: what a page and a search cost the server, as shares of their limits.

python -m tests.bench.gallery [--count 50000]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from modules.studio.gallery.index import PictureIndex
from modules.studio.gallery.picture import Picture, described

WORDS = (
    *("cat", "dog", "forest", "castle", "night", "portrait", "watercolor", "dragon"),
    *("city", "rain", "sunset", "robot", "mountain", "girl", "boy", "sea"),
)
LIMITS = {"first page": 0.3, "search": 0.2}
SEARCHES = (
    "cat",
    "cat dog -rain",
    "model:model3 castle",
    "seed:77",
    "portrait sampler:ddim",
    "nothingatall",
    "is:favourite",
)


def filled(folder: Path, count: int) -> PictureIndex:
    index = PictureIndex(folder / "library.sqlite")
    chance = random.Random(1)
    pictures = []
    for number in range(count):
        prompt = ", ".join(chance.choices(WORDS, k=40))
        text = (
            f"{prompt}\nNegative prompt: {', '.join(chance.choices(WORDS, k=20))}\nSteps: 20, Sampler: "
            f"{chance.choice(('Euler a', 'DDIM'))}, CFG scale: 7, Seed: {number}, Size: 512x768, Model: "
            f"model{number % 9}"
        )
        path = Path(f"/outputs/2026-{number % 12 + 1:02}/{number:05}-{number}.png")
        pictures.append(described(Picture(path, 1.7e9 + number, (number, number), 512, 768), text))
    index.put(pictures)
    return index


def best_of(work, times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        index = filled(Path(folder), count)
        say(f"{count} pictures put in {time.perf_counter() - began:.1f} s")
        page = best_of(lambda: index.search(limit=200))
        say(f"first page {page * 1000:.1f} ms, {page / LIMITS['first page']:.3f} of its limit")
        for text in SEARCHES:
            took = best_of(lambda: index.search(text, limit=200))  # noqa: B023 - called at once
            counted = best_of(lambda: index.count(text))  # noqa: B023
            share = took / LIMITS["search"]
            say(f"{text!r}: {took * 1000:.1f} ms, {share:.3f} of its limit; counted in {counted * 1000:.1f} ms")
        index.close()


if __name__ == "__main__":
    main()
