# ruff: noqa: T201 - it reports on the terminal
"""A LoRA of rank 32 in a full-size SD 1.5 (random weights, made here): applying, undoing, changing, doing it again.

    python tests/bench/networks.py [--folder DIR] [--runs 5]

The yardstick is a plain in-place merge of the same factors, float32 and ready in memory, which cannot be undone:
`weight.addmm_(up, down)` for each module. Processor seconds, one thread, both ways by turns in one process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
RANK = 32
STRENGTH = 0.8


def make_lora(path: Path, unet: object) -> None:
    """Rank 32 on every linear layer and 1x1 convolution of the transformer blocks, half precision, kohya's names."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    assert isinstance(unet, nn.Module)
    tensors = {}
    for name, module in unet.named_modules():
        if ".attentions." in name and isinstance(module, (nn.Linear, nn.Conv2d)):
            key, kernel = f"lora_unet_{name.replace('.', '_')}", module.weight.shape[2:]
            tensors[f"{key}.lora_down.weight"] = torch.randn(RANK, module.weight.shape[1], *kernel).half() * 0.02
            tensors[f"{key}.lora_up.weight"] = torch.randn(module.weight.shape[0], RANK, *kernel).half() * 0.02
            tensors[f"{key}.alpha"] = torch.tensor(float(RANK))
    save_file(tensors, path)


def cpu(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


def measure(folder: Path, runs: int) -> None:
    import torch

    from modules.checkpoints.load import Placement, load_checkpoint
    from modules.generation.network_parts import PartsOf
    from modules.networks.network import read_network
    from modules.networks.patch import Patches, Wanted

    torch.set_num_threads(1)
    bundle = load_checkpoint(folder / "full.safetensors", Placement())
    make_lora(folder / "lora.safetensors", bundle.unet)
    network = read_network(folder / "lora.safetensors")
    parts = PartsOf()(bundle)
    half, whole = Wanted(network, 0.5), Wanted(network, STRENGTH)
    layers = [(parts[0].module.get_submodule(path), delta) for path, delta in paths_of(parts, network)]
    factors = [(module.weight, *(one.float() for one in delta.factors(None))) for module, delta in layers]
    plain_weights = [weight.detach().clone() for weight, _, _ in factors]
    before = [weight.detach().clone() for weight, _, _ in factors]

    def plain() -> None:
        for weight, (_, up, down) in zip(plain_weights, factors, strict=True):
            weight.view(len(weight), -1).addmm_(up.flatten(1), down.flatten(1), alpha=STRENGTH)

    times: dict[str, list[float]] = {name: [] for name in ("plain", "apply", "undo", "change", "again", "undo again")}
    for _ in range(runs):
        patches = Patches()
        times["plain"].append(cpu(plain))
        for name, undo, wanted in (("apply", "undo", whole), ("change", "", half), ("again", "undo again", half)):
            patched = patches.patched(parts, [wanted])
            times[name].append(cpu(patched.__enter__))
            seconds = cpu(lambda patched=patched: patched.__exit__(None, None, None))
            if undo:
                times[undo].append(seconds)
    assert all(torch.equal(one, weight) for one, (weight, _, _) in zip(before, factors, strict=True)), "not undone"
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in bundle.unet.modules())
    median = {name: statistics.median(found) for name, found in times.items()}
    touched = sum(weight.numel() for weight in before)
    print(f"{len(layers)} modules, {touched / 1e6:.0f} M weights, median of {runs} runs, CPU seconds")
    for name, seconds in median.items():
        print(f"{name:12}{seconds:8.3f}   {seconds / median['plain']:6.2f} x plain")
    print(f"hooks left in the network, which would cost time at each step: {hooks}")
    print("wanted: apply <= 1.5 x plain; again: nothing")


def paths_of(parts: object, network: object) -> list[tuple[str, object]]:
    """(path of the module, its delta), for each module of the network."""
    from modules.networks.names import ModuleNames

    names = ModuleNames(parts)
    return [(names.find(group)[0].path, delta) for group, delta in network.deltas.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, help="an existing folder for 2 GB of temporary files")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    from modules.studio.allocator import tune_allocator

    tune_allocator()
    from tests.bench.loading import make

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        make(Path(folder))
        measure(Path(folder), options.runs)


if __name__ == "__main__":
    main()
