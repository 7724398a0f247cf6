"""OFT and BOFT: output channels are rotated, in blocks; BOFT does it in several stages, shuffled like a butterfly.

Source: Qiu et al. (2023), arXiv:2306.07280; Liu et al. (2023), arXiv:2311.06243.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, has_any_group

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class Oft(Adapter):
    """blocks: (n, b, b), or (stages, n, b, b) for BOFT.

    given: the blocks are the rotations themselves, else their generators. constraint: how long a generator may be
    per output channel, 0 for any length. rescale: (O,), a factor per output channel.
    """

    blocks: Tensor
    given: bool
    constraint: float = 0.0
    rescale: Tensor | None = None

    depends_on_weight = True

    @property
    def shape(self) -> None:
        return None

    def fits(self, shape: Sequence[int]) -> bool:
        count, size = self.blocks.shape[-3:-1]
        return len(shape) > 1 and count * size == shape[0]

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        rows = weight.flatten(1)  # (O, I * kernel)
        turned = self._turned(self._rotations(rows), rows)
        if self.rescale is not None:
            turned = turned * self.rescale.to(rows).view(-1, 1)
        return turned - rows

    def _rotations(self, rows: Tensor) -> Tensor:
        """Cayley's transform of the generators: orthogonal matrices, in the shape of the blocks."""
        import torch

        blocks = self.blocks.to(rows)
        if self.given:
            return blocks
        skew = blocks - blocks.transpose(-1, -2)
        if self.constraint:
            length = torch.linalg.vector_norm(skew)
            allowed = length.clamp(max=self.constraint * rows.shape[0])
            skew = skew * ((allowed + EPSILON) / (length + EPSILON))
        identity = torch.eye(blocks.shape[-1], device=rows.device, dtype=rows.dtype)
        rotations: Tensor = (identity + skew) @ torch.linalg.inv(identity - skew)
        return rotations

    def _turned(self, rotations: Tensor, rows: Tensor) -> Tensor:
        if rotations.ndim == 4:
            return self._butterfly(rotations, rows)
        # OFT turns by the transpose of what BOFT turns by: so the files were trained.
        parts = rows.view(*rotations.shape[:2], -1)  # (n, b, columns)
        return (rotations.transpose(-1, -2) @ parts).reshape(rows.shape)

    def _butterfly(self, stages: Tensor, rows: Tensor) -> Tensor:
        count, size = stages.shape[1:3]
        for stage, rotation in enumerate(stages):
            # Rows that lie 2^stage half blocks apart come together.
            apart = 2**stage * (size // 2)
            mixed = rows.view(-1, 2, apart, rows.shape[1]).transpose(1, 2).reshape(count, size, -1)
            mixed = (rotation @ mixed).view(-1, apart, 2, rows.shape[1])
            rows = mixed.transpose(1, 2).reshape(rows.shape)
        return rows


def read(tensors: Tensors) -> Oft:
    rescale = tensors.get("rescale")
    if "oft_blocks" in tensors:
        alpha = tensors.get("alpha")
        return Oft(tensors["oft_blocks"], False, 0.0 if alpha is None else float(alpha), rescale)
    return Oft(tensors["oft_diag"], True, 0.0, rescale)


ENDS = frozenset({"oft_blocks", "oft_diag", "rescale"})
KIND = NetworkKind("OFT", has_any_group(("oft_blocks",), ("oft_diag",)), read, ENDS)
