"""Weights per block, `<lora:name:1:lbw=1,0,0,…>`: how strongly each block of the network takes part.

The lists are those of the extension sd-webui-lora-block-weight: 17 values for SD 1 and 2, 12 for SDXL, 26 and 20 for
networks that change convolutions, too. BASE is the text encoder. Blocks that a list does not name take no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

BASE = "BASE"


def _names(inputs: Sequence[int], outputs: Sequence[int]) -> tuple[str, ...]:
    return (BASE, *(f"IN{number:02d}" for number in inputs), "M00", *(f"OUT{number:02d}" for number in outputs))


LISTS: Mapping[int, tuple[str, ...]] = {
    len(names): names
    for names in (
        _names((1, 2, 4, 5, 7, 8), range(3, 12)),
        _names(range(12), range(12)),
        _names((4, 5, 7, 8), range(6)),
        _names(range(9), range(9)),
    )
}
# Of the 17 values: base, six inputs, the middle, nine outputs.
PRESETS: Mapping[str, tuple[float, ...]] = {
    "NONE": (0,) * 17,
    "ALL": (1,) * 17,
    "INS": (1,) * 4 + (0,) * 13,
    "IND": (1,) + (0,) * 3 + (1,) * 3 + (0,) * 10,
    "INALL": (1,) * 7 + (0,) * 10,
    "MIDD": (1,) + (0,) * 3 + (1,) * 8 + (0,) * 5,
    "OUTD": (1,) + (0,) * 7 + (1,) * 4 + (0,) * 5,
    "OUTS": (1,) + (0,) * 11 + (1,) * 5,
    "OUTALL": (1,) + (0,) * 7 + (1,) * 9,
    "ALL0.5": (0.5,) * 17,
}


@dataclass(frozen=True)
class BlockWeights:
    """Block -> factor. Blocks that are not named get `others`; modules outside all blocks get 1."""

    base: float = 1.0
    by_block: tuple[tuple[str, float], ...] = ()
    others: float = 0.0

    def of(self, block: str) -> float:
        return dict(self.by_block).get(block, self.others) if block else 1.0


def block_weights(text: str, blocks: Sequence[str]) -> BlockWeights:
    """What `lbw=text` means for a network with `blocks` (in order): a preset, or values for one of the known lists, or
    one for the base and one for every block.

    Raises: BadRequest naming the lengths that are possible, or the nearest preset.
    """
    preset = PRESETS.get(text.strip().upper())
    if preset is not None:
        if text.strip().upper() in ("ALL", "NONE", "ALL0.5"):
            return BlockWeights(preset[0], others=preset[0])
        values: tuple[float, ...] = preset
    else:
        values = _numbers(text)
    own = tuple(block for block in blocks if block)
    names = (BASE, *own) if len(values) == len(own) + 1 else LISTS.get(len(values))
    if names is None:
        lengths = ", ".join(map(str, sorted({*LISTS, len(own) + 1})))
        raise BadRequest(f"lbw={text} has {len(values)} values; lists of {lengths} are known, or a preset like INALL.")
    return BlockWeights(values[0], tuple(zip(names[1:], values[1:], strict=True)))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        close = nearest(text, PRESETS)
        hint = f" Did you mean {close}?" if close else f" Presets: {', '.join(PRESETS)}."
        raise BadRequest(f"lbw={text} is neither a list of numbers nor a preset.{hint}") from None
