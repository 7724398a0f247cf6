"""The keys of network files, in all spellings: which module a tensor is for, and what it is there.

    kohya, LyCORIS   lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight
    diffusers, PEFT  unet.down_blocks.0.attentions.0.proj_in.lora_A.weight, ….lora.down.weight
    old diffusers    unet.….attn1.processor.to_q_lora.down.weight
    XLabs            double_blocks.0.processor.qkv_lora1.down.weight
    bundled          bundle_emb.NAME.string_to_param.*

What module a name means in a model is the affair of names.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

BUNDLE = "bundle_emb."
_END = re.compile(
    r"(?P<group>.+?)\.(?P<end>"
    r"lora_(?:up|down|mid)\.weight|lora_up\.bias|lora_[AB](?:\.\w+)?\.(?:weight|bias)|lora(?:_linear_layer)?\.(?:up|down)\.weight"
    r"|lora_magnitude_vector(?:\.\w+)*|dora_scale|alpha|scale"
    r"|hada_\w+|lokr_\w+|oft_blocks|oft_diag|rescale|[ab][12]\.weight|diff|diff_b|w_norm|b_norm|on_input|bias|weight)"
)
_PROCESSOR = re.compile(r"(?P<attention>.+)\.processor\.(?P<layer>to_[qkv]|to_out)_lora\.(?P<which>up|down)\.weight")
_XLABS = re.compile(
    r"(?P<block>.*(?P<kind>double|single)_blocks\.\d+)\.processor\."
    r"(?P<layer>qkv|proj)_lora(?P<stream>[12]?)\.(?P<which>up|down)\.weight"
)
# In a double block 1 is the picture's stream and 2 the text's. A single block has q, k and v in one matrix with the
# MLP, and its projection takes the MLP's output, too: XLabs changes only the attention's part of both.
_XLABS_LAYERS = {
    ("double", "qkv", "1"): "img_attn.qkv",
    ("double", "qkv", "2"): "txt_attn.qkv",
    ("double", "proj", "1"): "img_attn.proj",
    ("double", "proj", "2"): "txt_attn.proj",
    ("single", "qkv", ""): "linear1.attention",
    ("single", "proj", ""): "linear2.attention",
}


class Spelt(NamedTuple):
    """A key taken apart: the module's name as the file has it, and the canonical end."""

    group: str
    end: str


def spelt(key: str) -> Spelt | None:
    """`key` taken apart; None if it ends in nothing that is known."""
    if found := _PROCESSOR.fullmatch(key):
        return Spelt(f"{found['attention']}.{found['layer']}", f"lora_{found['which']}.weight")
    if found := _XLABS.fullmatch(key):
        layer = _XLABS_LAYERS.get((found["kind"], found["layer"], found["stream"]))
        return Spelt(f"{found['block']}.{layer}", f"lora_{found['which']}.weight") if layer else None
    found = _END.fullmatch(key)
    return Spelt(found["group"], _canonical(found["end"])) if found else None


def _canonical(end: str) -> str:
    for letter, name in (("lora_A", "lora_down"), ("lora_B", "lora_up")):
        if end.startswith(letter):
            return f"{name}.{end.rpartition('.')[2]}"
    if end.startswith(("lora.", "lora_linear_layer.")):
        return f"lora_{end.split('.')[1]}.weight"
    return "dora_scale" if end.startswith("lora_magnitude_vector") else end


class Bundled(NamedTuple):
    """A tensor of a textual inversion inside a network file. `encoder`: "clip_l", "clip_g", or "" for any."""

    name: str
    encoder: str


def bundled(key: str) -> Bundled | None:
    """Which inversion `key` belongs to, None if it is no bundled one."""
    if not key.startswith(BUNDLE):
        return None
    name, _, rest = key[len(BUNDLE) :].partition(".")
    return Bundled(name, rest if rest in ("clip_l", "clip_g") else "") if rest else None


@dataclass(frozen=True)
class _Alphas:
    """What PEFT says of alpha, by part of the model ("unet", "text_encoder", …; "" for a file of one part)."""

    by_part: Mapping[str, Mapping[str, object]]

    def __call__(self, group: str) -> float | None:
        part = group.partition(".")[0]
        config = self.by_part.get(part) or self.by_part.get("") or {}
        patterns = config.get("alpha_pattern")
        if isinstance(patterns, dict):
            for pattern, alpha in patterns.items():
                if group.endswith(f".{pattern}") and isinstance(alpha, (int, float)):
                    return float(alpha)
        alpha = config.get("lora_alpha")
        return float(alpha) if isinstance(alpha, (int, float)) else None


def said_alphas(metadata: Mapping[str, str]) -> Callable[[str], float | None]:
    """Group -> alpha, as diffusers writes PEFT's configuration into a file's metadata; None where nothing is said."""
    try:
        config = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    except ValueError:
        config = {}
    by_part: dict[str, dict[str, object]] = {}
    for name, value in config.items() if isinstance(config, dict) else ():
        part, _, key = name.rpartition(".")
        by_part.setdefault(part, {})[key] = value
    return _Alphas(by_part)
