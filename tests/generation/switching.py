# ruff: noqa: T201 - it reports to the test
"""Draws with one checkpoint after another, LoRAs on and off, and says how much memory is resident after each switch.

    python tests/generation/switching.py FOLDER SWITCHES [--leak]

A program of its own, because a process that has run other tests does not grow when it should. --leak keeps something
of each model that was dropped: what the test must not let pass.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

NAMES = ("one", "two", "three")


def make(folder: Path) -> None:
    """Three checkpoints of 45 MB in half precision, and two LoRAs that fit them."""
    import torch
    from safetensors.torch import save_file

    from tests.checkpoints.original_layout import tiny_sd1, write_sd1
    from tests.generation.conftest import TEXT, VAE

    tiny = tiny_sd1(unet={"block_out_channels": (128, 128, 256)}, text=TEXT, vae=VAE)
    for name in NAMES:
        write_sd1(folder / f"{name}.safetensors", tiny, torch.float16)
    (folder / "Lora").mkdir()
    for number, name in enumerate(("pen", "ink"), 1):
        tensors = {}
        for side in ("down_blocks_0", "up_blocks_2"):
            layer = f"lora_unet_{side}_attentions_0_transformer_blocks_0_ff_net_2"
            tensors[f"{layer}.lora_up.weight"] = torch.full((128, 4), 0.01 * number)
            tensors[f"{layer}.lora_down.weight"] = torch.full((4, 512), 0.01)
        save_file(tensors, folder / "Lora" / f"{name}.safetensors")


def resident_after_each(folder: Path, switches: int, *, leak: bool) -> list[int]:
    import psutil
    import torch

    from modules.generation import GenerationRequest, generate, open_tools

    torch.set_num_threads(1)
    # One at a time: three that stay would hide what a dropped one leaves behind.
    settings = {"models_kept": "By number", "sd_checkpoints_limit": 1}
    tools = open_tools(folder, loras=folder / "Lora", device="cpu", settings=settings)
    process = psutil.Process()
    kept, resident = [], []
    for number in range(switches):
        networks = " <lora:pen:0.5> <lora:ink:1>" if number % 2 == 0 else ""
        request = GenerationRequest(
            prompt=f"a house{networks}", checkpoint=NAMES[number % 3], steps=1, seed=number, width=64, height=64
        )
        result = generate(request, tools)
        assert not result.notes, result.notes
        if leak:
            bundle = tools.models.newest()
            assert bundle is not None
            kept.append(bundle.unet.mid_block)
        resident.append(process.memory_info().rss)
    return resident


def main() -> None:
    from modules.studio.allocator import tune_allocator

    tune_allocator()  # as the studio does
    folder, switches = Path(sys.argv[1]), int(sys.argv[2])
    if not (folder / "Lora").is_dir():
        make(folder)
    found: list[int] = []
    worker = threading.Thread(
        target=lambda: found.extend(resident_after_each(folder, switches, leak="--leak" in sys.argv))
    )
    worker.start()
    worker.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
