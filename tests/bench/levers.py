# ruff: noqa: T201 - it reports on the terminal
"""The cheap, lossless levers of speed on a CPU, each as a ratio of CPU time with it to CPU time without it.

    python tests/bench/levers.py [--size 256] [--rounds 3]

Random weights of SD 1.5's size; one thread; variants alternate, medians of paired ratios. Less than 1 is faster. The
allocator acts on a whole process, so its two variants are two processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))


def cpu_of(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def paired(rounds: int, with_it: Callable[[], Any], without: Callable[[], Any]) -> float:
    with_it(), without()
    return statistics.median(cpu_of(with_it) / cpu_of(without) for _ in range(rounds))


def networks() -> tuple[Any, Any]:
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from tests.bench.loading import UNET, VAE

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return UNet2DConditionModel(**UNET).eval(), AutoencoderKL(**VAE).eval()


def in_process(size: int, rounds: int) -> None:
    """Levers that can be tried side by side in one process."""
    import torch

    unet, vae = networks()
    side = size // 8
    x, text, at = torch.randn(2, 4, side, side), torch.randn(2, 77, 768), torch.tensor([500.0])
    with torch.no_grad():

        def batched() -> None:
            unet(x, at, text)

        def one_by_one() -> None:
            for row in range(2):
                unet(x[row : row + 1], at, text[row : row + 1])

        print(f"prompt and negative prompt in one batch: {paired(rounds, batched, one_by_one):.2f}")
        latents = torch.randn(1, 4, side, side)
        seconds: dict[str, list[float]] = {"last": [], "first": []}
        for _ in range(rounds + 1):
            for name, layout in (("last", torch.channels_last), ("first", torch.contiguous_format)):
                vae.to(memory_format=layout)
                seconds[name].append(cpu_of(lambda: vae.decode(latents)))
        ratios = [last / first for last, first in zip(seconds["last"][1:], seconds["first"][1:], strict=True)]
        print(f"VAE in channels_last: {statistics.median(ratios):.2f}")


def unet_seconds(size: int, rounds: int, tuned: bool) -> float:
    """Median CPU seconds of a UNet call on a worker thread, as the studio calls it."""
    import threading

    from modules.studio.allocator import tune_allocator

    if tuned:
        tune_allocator()
    import torch

    unet, _ = networks()
    side = size // 8
    x, text, at = torch.randn(2, 4, side, side), torch.randn(2, 77, 768), torch.tensor([500.0])
    found: list[float] = []

    def work() -> None:
        with torch.no_grad():
            found.extend(cpu_of(lambda: unet(x, at, text)) for _ in range(rounds + 1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return statistics.median(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=("tuned", "plain"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(unet_seconds(asked.size, asked.rounds, asked.child == "tuned"))
        return
    seconds = {}
    for variant in ("plain", "tuned"):
        command = [
            sys.executable,
            __file__,
            "--size",
            str(asked.size),
            "--rounds",
            str(asked.rounds),
            "--child",
            variant,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds[variant] = float(done.stdout.split()[-1])
    print(f"allocator settings: {seconds['tuned'] / seconds['plain']:.2f}")
    in_process(asked.size, asked.rounds)


if __name__ == "__main__":
    main()
