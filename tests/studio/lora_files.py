"""Small LoRA files."""

from __future__ import annotations

import json
from pathlib import Path

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"


def model_bytes(size: int = 0, key: str = LORA) -> bytes:
    """A LoRA of SD 1; size: of its one tensor, in bytes, which are zeros that are not there."""
    shape = [size // (768 * 2) or 4, 768]
    end = shape[0] * 768 * 2
    header = json.dumps({key: {"dtype": "F16", "shape": shape, "data_offsets": [0, end]}}).encode()
    return len(header).to_bytes(8, "little") + header + (b"" if size else bytes(end))


def put(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content or model_bytes())
    return path
