"""A multiplier per block of the denoising network ("merge block weighted"), the same names as networks/blocks.py uses.

25 values go from IN00 over M00 to OUT11, a 26th in front is for everything outside of the blocks. As in the extension
sdweb-merge-block-weighted-gui, the time embedding goes with the first block and the output layer with the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modules.networks.names import block_of
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

UNET = "model.diffusion_model."
SIDE = 12
NAMES = (*(f"IN{n:02d}" for n in range(SIDE)), "M00", *(f"OUT{n:02d}" for n in range(SIDE)))


def _mirrored(half: Sequence[float], middle: float) -> tuple[float, ...]:
    return (*half, middle, *reversed(half))


def _on(*numbers: int, halves: Sequence[int] = ()) -> tuple[float, ...]:
    return tuple(1.0 if n in numbers else 0.5 if n in halves else 0.0 for n in range(len(NAMES)))


_RISE = tuple(n / SIDE for n in range(SIDE))
_SMOOTH = tuple(3 * x**2 - 2 * x**3 for x in (n / (len(NAMES) - 1) for n in range(len(NAMES))))
# The values are those of the extension's preset file.
PRESETS: Mapping[str, tuple[float, ...]] = {
    "GRAD_V": _mirrored(tuple(1 - x for x in _RISE), 0.0),
    "GRAD_A": _mirrored(_RISE, 1.0),
    "FLAT_25": (0.25,) * len(NAMES),
    "FLAT_75": (0.75,) * len(NAMES),
    **{f"WRAP{2 * n:02d}": _on(*range(n), *range(len(NAMES) - n, len(NAMES))) for n in (4, 6, 7, 8)},
    "MID12_50": _on(halves=range(5, 19)),
    "OUT07": _on(*range(18, 25)),
    "OUT12": _on(*range(13, 25)),
    "OUT12_5": _on(*range(13, 25), halves=(12,)),
    "RING08_SOFT": _on(6, 7, 8, 16, 17, 18, halves=(5, 9, 15, 19)),
    "RING08_5": _on(*range(6, 10), *range(15, 19)),
    "RING10_5": _on(*range(5, 10), *range(15, 20)),
    "RING10_3": _on(*range(6, 11), *range(14, 19)),
    "SMOOTHSTEP": _SMOOTH,
    "REVERSE-SMOOTHSTEP": tuple(1 - x for x in _SMOOTH),
    "ALL_A": (0.0,) * len(NAMES),
    "ALL_B": (1.0,) * len(NAMES),
}


@dataclass(frozen=True)
class Multipliers:
    """How much of the other model goes into a tensor. `first`, `last`: the outermost blocks."""

    outside: float
    by_block: Mapping[str, float] = field(default_factory=dict)
    first: str = ""
    last: str = ""

    def of(self, key: str) -> float:
        """The multiplier of the tensor with that key in a checkpoint."""
        if not self.by_block:
            return self.outside
        return self.by_block.get(self._block(key), self.outside)

    def _block(self, key: str) -> str:
        inside = key.removeprefix(UNET)
        if inside.startswith("time_embed."):
            return self.first
        if inside.startswith("out."):
            return self.last
        return block_of(inside)


def multipliers(text: str, multiplier: float, keys: Iterable[str]) -> Multipliers:
    """What `text` (a preset, or numbers with commas between) means for a checkpoint with these keys.

    Raises: BadRequest naming the counts that are possible, or the nearest preset.
    """
    if not text.strip():
        return Multipliers(multiplier)
    plain = Multipliers(multiplier)
    own = sorted({block for key in keys if (block := plain._block(key))}, key=_order)
    if not own:
        raise BadRequest("Model A has no blocks that weights could be given to. Leave the weights per block empty.")
    values = PRESETS.get(text.strip().upper()) or _numbers(text)
    names = _names_for(len(values), own)
    if names is None:
        counts = sorted({len(own), len(own) + 1, *((25, 26) if "M00" in own else ())})
        raise BadRequest(
            f"{len(values)} weights per block were given; model A takes {' or '.join(map(str, counts))}, or a preset: "
            f"{', '.join(PRESETS)}."
        )
    outside = values[0] if len(values) > len(names) else multiplier
    inside = dict(zip(names, values[-len(names) :], strict=True))
    by_block = {block: inside[block] for block in own if block in inside}
    return Multipliers(outside, by_block, own[0], own[-1])


def _names_for(count: int, own: Sequence[str]) -> Sequence[str] | None:
    """The blocks that so many values are for, with or without one for everything else in front."""
    for names in (own, NAMES) if "M00" in own else (own,):
        if count - len(names) in (0, 1):
            return names
    return None


def _order(block: str) -> tuple[int, str, int]:
    name = block.rstrip("0123456789")
    known = ("IN", "M", "OUT")
    return known.index(name) if name in known else len(known), name, int(block[len(name) :] or 0)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace("\n", ",").split(",") if part.strip())
    except ValueError:
        close = nearest(text, PRESETS)
        hint = f"Did you mean {close}?" if close else f"Presets: {', '.join(PRESETS)}."
        raise BadRequest(f"{text!r} is neither a list of numbers nor a preset. {hint}") from None
