"""The whole program in a process of its own, with the built-in model, as someone starts it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = ROOT / "models/Stable-diffusion/atelier-mini.safetensors"
START_S = 120.0


@dataclass(frozen=True)
class Server:
    """A running studio. Its folders are A1111's, below `folder`."""

    address: str
    folder: Path

    def put_checkpoint(self, name: str) -> Path:
        """A copy of the built-in model under another name, as if it had been downloaded."""
        path = self.folder / "models" / "Stable-diffusion" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(BUILT_IN, path))

    def put_lora(self, name: str) -> Path:
        """A LoRA of rank 4 that fits the built-in model and changes its pictures."""
        path = self.folder / "models" / "Lora" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng(5)
        layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
        tensors = {
            f"{layer}.lora_down.weight": draw.normal(0, 0.3, (4, 128)).astype(np.float32),
            f"{layer}.lora_up.weight": draw.normal(0, 0.3, (64, 4)).astype(np.float32),
            f"{layer}.alpha": np.array(4.0, np.float32),
        }
        save_file(tensors, path)
        return path


@contextmanager
def studio_at(folder: Path, flags: Sequence[str] = ()) -> Iterator[Server]:
    """`webui.py` on a free port over `folder`, which has a copy of the built-in model. Skips where there is none."""
    if not BUILT_IN.is_file():
        pytest.skip("the built-in model is not in this clone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", folder)
    if not (folder / "models").exists():
        server.put_checkpoint(BUILT_IN.name)
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "webui.py", "--data-dir", str(folder), "--port", str(port), *flags],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.address}/internal/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError((server.folder / "server.log").read_text(errors="replace")[-2000:])
