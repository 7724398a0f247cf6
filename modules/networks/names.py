"""Which module of a loaded model a name in a network file means.

A model is a list of parts: the denoising network and its text encoders. A module is found by its own path, by its path
in the original code, with dots or with underscores, after one of the prefixes that say which part is meant.
Source: spec/models_and_networks.md §5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from modules.networks.transformer_names import originals_of_paths

if TYPE_CHECKING:
    from torch import Tensor, nn

Role = Literal["unet", "te"]


class Source(Protocol):
    """The file that a part was loaded from."""

    def stored(self, key: str) -> Tensor | None:
        """The tensor that the state-dict key `key` was made of by a cast and a move; None if it was made otherwise."""

    def release(self, key: str) -> None:
        """Gives back the memory pages that reading `key` took."""


@dataclass(frozen=True, eq=False)
class Part:
    """One network of a model.

    number: 0 for the denoising network, 1 for the first text encoder (CLIP L), 2 for the second (CLIP G), 3 for T5.
    originals: a module's name in the original code -> its path here, or the paths of several whose rows the original
    keeps in one matrix. A name may stand for everything below it.
    source: what the weights can be read from again, None if they are only in memory.
    """

    number: int
    module: nn.Module
    originals: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    source: Source | None = None

    @property
    def role(self) -> Role:
        return "te" if self.number else "unet"


@dataclass(frozen=True)
class Place:
    """A module that a delta goes to. `rows`: which rows of the delta are its; None: all. `attention_only`: the delta
    covers the first columns of the weight. `block`: where in the network it lies, as block weights count it."""

    part: int
    path: str
    shape: tuple[int, ...]
    rows: tuple[int, int] | None = None
    attention_only: bool = False
    block: str = ""


# Prefix -> part. The longest that fits counts; None: strip it and look again.
PREFIXES: Mapping[str, int | None] = {
    **dict.fromkeys(("lora_unet_", "oft_unet_", "lora_transformer_", "lycoris_", "unet.", "transformer."), 0),
    **dict.fromkeys(("diffusion_model.", "model.diffusion_model.", "lora_diffusion_model_"), 0),
    **dict.fromkeys(("lora_te_", "lora_te1_", "lycoris_te_", "lycoris_te1_", "text_encoder.", "te1.", "te."), 1),
    **dict.fromkeys(("text_encoders.clip_l.transformer.", "clip_l.transformer.", "cond_stage_model.transformer."), 1),
    **dict.fromkeys(("cond_stage_model.model.", "conditioner.embedders.0.transformer."), 1),
    **dict.fromkeys(("lora_te2_", "lycoris_te2_", "text_encoder_2.", "te2.", "conditioner.embedders.1.model."), 2),
    **dict.fromkeys(("text_encoders.clip_g.transformer.", "clip_g.transformer."), 2),
    **dict.fromkeys(("lora_te3_", "text_encoder_3.", "text_encoders.t5xxl.transformer.", "t5xxl.transformer."), 3),
    "base_model.model.": None,
    "lycoris_text_model_": 1,
    "text_model.": 1,
}
_BY_LENGTH = sorted(PREFIXES, key=len, reverse=True)
_TEXT_WRAPPERS = ("transformer_text_model_", "text_model_")
_BLOCK = re.compile(r"(input_blocks|output_blocks|middle_block)(?:\.(\d+))?\b")
_TRANSFORMER_BLOCK = re.compile(r"(\w*blocks|layers)\.(\d+)\b")


class ModuleNames:
    """Every name by which a file may mean a module of some parts. Holds names and shapes only, no module."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._places: dict[tuple[int, str], tuple[Place, ...]] = {}
        self._numbers = {part.number for part in parts}
        for part in parts:
            self._add(part)
        self.blocks = tuple(dict.fromkeys(place.block for found in self._places.values() for place in found))

    def find(self, group: str) -> tuple[Place, ...]:
        """Where the deltas of `group` go, in the order of their rows; empty if no module has that name."""
        number, rest = self._part_of(group)
        if number == 2 and 2 not in self._numbers:
            number = 3  # FLUX's second encoder is T5, for diffusers and OneTrainer
        flat = rest.replace(".", "_")
        if number:
            flat = _unwrapped(flat)
        return self._places.get((number, flat), ())

    def _part_of(self, group: str) -> tuple[int, str]:
        for prefix in _BY_LENGTH:
            if group.startswith(prefix):
                number = PREFIXES[prefix]
                rest = group[len(prefix) :]
                return self._part_of(rest) if number is None else (number, rest)
        return 0, group

    def _add(self, part: Part) -> None:
        originals = {**_known_by_paths(part), **part.originals}
        by_path = {path: original for original, path in originals.items() if isinstance(path, str)}
        places: dict[str, Place] = {}
        for path, module in part.module.named_modules():
            shape = shape_of(module)
            if shape is None:
                continue
            original = _original(path, by_path)
            block = "" if part.number else block_of(original or path)
            places[path] = place = Place(part.number, path, shape, block=block)
            self._name(part, path, (place,))
            if original is not None:
                self._name(part, original, (place,))
                if original.endswith("linear2"):
                    self._name(part, f"{original}.attention", (replace(place, attention_only=True),))
        for name, paths in originals.items():
            if isinstance(paths, tuple) and all(path in places for path in paths):
                self._name_joined(part, name, [places[path] for path in paths])

    def _name_joined(self, part: Part, original: str, joined: Sequence[Place]) -> None:
        """One name for several modules; `linear1.attention` for q, k and v without the MLP that may follow them."""
        begin, found = 0, []
        for place in joined:
            end = begin + place.shape[0]
            found.append(replace(place, rows=(begin, end)))
            begin = end
        self._name(part, original, tuple(found))
        self._name(part, f"{original}.attention", tuple(found[:3]))

    def _name(self, part: Part, name: str, places: tuple[Place, ...]) -> None:
        flat = name.replace(".", "_")
        if part.number:
            flat = _unwrapped(flat)
        self._places.setdefault((part.number, flat), places)
        if flat.endswith("_to_out_0"):  # old diffusers names the layer, not its place in a list
            self._places.setdefault((part.number, flat.removesuffix("_0")), places)


def _known_by_paths(part: Part) -> Mapping[str, str | tuple[str, ...]]:
    """Original names that need no file, for the denoising networks that are transformers."""
    return {} if part.number else originals_of_paths(path for path, _ in part.module.named_modules())


def _unwrapped(flat: str) -> str:
    for wrapper in _TEXT_WRAPPERS:
        flat = flat.removeprefix(wrapper)
    return flat


def shape_of(module: nn.Module) -> tuple[int, ...] | None:
    """The shape of the module's weight (that before quantisation, if it is quantised); None if it has none."""
    weight = module._parameters.get("weight")
    if weight is None:
        return None
    rows, columns = getattr(module, "out_features", None), getattr(module, "in_features", None)
    if isinstance(rows, int) and isinstance(columns, int):
        return rows, columns
    return tuple(weight.shape)


def _original(path: str, by_path: Mapping[str, str]) -> str | None:
    """What the original code calls the module at `path`, by the longest part of the path that has a name there."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        original = by_path.get(".".join(parts[:length]))
        if original is not None:
            return ".".join((original, *parts[length:]))
    return None


def block_of(name: str) -> str:
    """ "IN04", "M00", "OUT11" in a UNet (by original names), "transformer_blocks.3" in a transformer, "" outside."""
    if found := _BLOCK.match(name):
        short = {"input_blocks": "IN", "output_blocks": "OUT"}.get(found[1])
        return f"{short}{int(found[2]):02d}" if short else "M00"
    found = _TRANSFORMER_BLOCK.match(name)
    return found[0] if found else ""
