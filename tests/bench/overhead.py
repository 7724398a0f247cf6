# ruff: noqa: T201 - it reports on the terminal
"""What a job costs beyond its networks: CPU time outside the forward calls of UNet, VAE and text encoder, as a share.

    python tests/bench/overhead.py [--size 512] [--steps 20] [--sampler "Euler a"]

A random SD 1.5 file is made in a temporary folder. CPU seconds of the process on one thread, so that a busy machine
does not change the ratio. The first job (imports, loading, warm-up) is not counted, a second one with another prompt
is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))


class Forwards:
    """CPU seconds inside the forward calls of some networks."""

    def __init__(self, networks: list[Any]) -> None:
        self.seconds = 0.0
        self._began = 0.0
        for network, name in networks:
            self._time(network, name)

    def _time(self, network: Any, name: str) -> None:
        inner = getattr(network, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - began

        setattr(network, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sampler", default="Euler a")
    asked = parser.parse_args()

    from modules.studio.allocator import tune_allocator

    tune_allocator()
    import torch

    torch.set_num_threads(1)
    from modules.generation import GenerationRequest, generate, open_tools
    from tests.bench.loading import make

    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        tools = open_tools(folder, device="cpu")
        warm = GenerationRequest(prompt="warm up", steps=1, width=64, height=64, sampler=asked.sampler)
        generate(warm, tools)
        with tools.models.borrow() as bundle:
            forwards = Forwards(
                [
                    (bundle.unet, "forward"),
                    (bundle.vae, "decode"),
                    *((clip.model, "forward") for clip in bundle.clips),
                ]
            )
        request = GenerationRequest(
            prompt="a lighthouse in a storm, [sunset:night:0.5], (waves:1.3), oil painting, " * 6,
            negative_prompt="blurry, low quality",
            steps=asked.steps,
            width=asked.size,
            height=asked.size,
            sampler=asked.sampler,
            seed=1,
        )
        began = time.process_time()
        generate(request, tools)
        total = time.process_time() - began
    outside = total - forwards.seconds
    print(f"{asked.sampler}, {asked.steps} steps, {asked.size}x{asked.size}, fp32, one thread")
    print(f"CPU seconds: {total:.1f} in all, {forwards.seconds:.1f} in the networks, {outside:.2f} outside")
    print(f"outside the networks: {100 * outside / total:.2f} % (goal: at most 3)")


if __name__ == "__main__":
    main()
