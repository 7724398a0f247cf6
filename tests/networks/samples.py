"""One module's tensors for every kind of network, and what they must add to a weight, written as the papers do.

The formulas go number by number or matrix by matrix, and share nothing with the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

O, I, R = 8, 6, 3  # noqa: E741 - output channels, input channels, rank
KERNEL = 3


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.3


@dataclass(frozen=True)
class Sample:
    """`expected(weight)`: what `tensors` add to it at multiplier 1."""

    kind: str
    label: str
    tensors: dict[str, Tensor]
    expected: Callable[[Tensor], Tensor]
    conv: bool = False

    @property
    def module(self) -> nn.Module:
        return nn.Conv2d(I, O, KERNEL) if self.conv else nn.Linear(I, O)


def samples() -> list[Sample]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return [
            *lora(), *loha(), *lokr(), *glora(), *ia3(), *oft(), *full(), *norm(), *bias(), *dora(),
        ]  # fmt: skip


def lora() -> list[Sample]:
    up, down = noise(O, R), noise(R, I)
    conv_up, conv_down = noise(O, R, 1, 1), noise(R, I, KERNEL, KERNEL)
    outer, core, inner = noise(O, R, 1, 1), noise(R, R, KERNEL, KERNEL), noise(R, I, 1, 1)

    def convolution(weight: Tensor) -> Tensor:
        delta = torch.zeros_like(weight)
        for rank in range(R):
            delta += conv_up[:, rank].view(O, 1, 1, 1) * conv_down[rank].view(1, I, KERNEL, KERNEL)
        return delta

    def tucker(weight: Tensor) -> Tensor:
        delta = torch.zeros_like(weight)
        for n in range(R):
            for m in range(R):
                delta += outer[:, n].view(O, 1, 1, 1) * inner[m].view(1, I, 1, 1) * core[n, m]
        return delta

    return [
        Sample("LoRA", "half alpha", {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(R / 2)},
               lambda weight: 0.5 * up @ down),
        Sample("LoRA", "scale wins", {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(9.0),
                                      "scale": torch.tensor(0.25)}, lambda weight: 0.25 * up @ down),
        Sample("LoRA", "convolution", {"lora_up.weight": conv_up, "lora_down.weight": conv_down}, convolution, True),
        Sample("LoRA", "Tucker", {"lora_up.weight": outer, "lora_mid.weight": core, "lora_down.weight": inner}, tucker,
               True),
    ]  # fmt: skip


def loha() -> list[Sample]:
    a1, b1, a2, b2 = noise(O, R), noise(R, I), noise(O, R), noise(R, I)
    ta1, tb1, ta2, tb2 = noise(R, O), noise(R, I), noise(R, O), noise(R, I)
    t1, t2 = noise(R, R, KERNEL, KERNEL), noise(R, R, KERNEL, KERNEL)

    def cores(weight: Tensor) -> Tensor:
        delta = torch.zeros_like(weight)
        for place in range(KERNEL):
            for other in range(KERNEL):
                first = ta1.T @ t1[:, :, place, other] @ tb1
                second = ta2.T @ t2[:, :, place, other] @ tb2
                delta[:, :, place, other] = first * second
        return delta

    plain = {"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": torch.tensor(1.5)}
    tucker = {"hada_w1_a": ta1, "hada_w1_b": tb1, "hada_w2_a": ta2, "hada_w2_b": tb2, "hada_t1": t1, "hada_t2": t2}
    return [
        Sample("LoHa", "matrix", plain, lambda weight: 1.5 / R * (a1 @ b1) * (a2 @ b2)),
        Sample("LoHa", "Tucker", tucker, cores, True),
    ]


def lokr() -> list[Sample]:
    small, large = noise(2, 3), noise(O // 2, I // 3)
    a1, b1, a2, b2 = noise(2, 1), noise(1, 3), noise(O // 2, 2), noise(2, I // 3)
    conv = noise(O // 2, I // 3, KERNEL, KERNEL)

    def kron(first: Tensor, second: Tensor) -> Tensor:
        rows, columns = second.shape[:2]
        result = torch.zeros(first.shape[0] * rows, first.shape[1] * columns, *second.shape[2:])
        for i in range(first.shape[0]):
            for j in range(first.shape[1]):
                result[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = first[i, j] * second
        return result

    split = {"lokr_w1_a": a1, "lokr_w1_b": b1, "lokr_w2_a": a2, "lokr_w2_b": b2, "alpha": torch.tensor(1.0)}
    return [
        Sample("LoKr", "whole", {"lokr_w1": small, "lokr_w2": large, "alpha": torch.tensor(7.0)},
               lambda weight: kron(small, large)),
        Sample("LoKr", "low rank", split, lambda weight: 0.5 * kron(a1 @ b1, a2 @ b2)),
        Sample("LoKr", "convolution", {"lokr_w1": small, "lokr_w2": conv}, lambda weight: kron(small, conv), True),
    ]  # fmt: skip


def glora() -> list[Sample]:
    a1, a2, b1, b2 = noise(R, I), noise(I, R), noise(R, I), noise(O, R)
    tensors = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2, "alpha": torch.tensor(7.0)}
    return [Sample("GLoRA", "matrix", tensors, lambda weight: b2 @ b1 + weight @ (a2 @ a1))]


def ia3() -> list[Sample]:
    rows, columns = noise(O), noise(1, I)
    return [
        Sample("IA3", "output", {"weight": rows, "on_input": torch.tensor(False)},
               lambda weight: torch.diag(rows) @ weight),
        Sample("IA3", "input", {"weight": columns, "on_input": torch.tensor(True)},
               lambda weight: weight @ torch.diag(columns[0])),
    ]  # fmt: skip


def oft() -> list[Sample]:
    blocks, rescale = noise(2, O // 2, O // 2), 1 + noise(O, 1)
    stages = noise(2, 2, O // 2, O // 2)
    given = torch.stack([torch.linalg.qr(noise(O // 2, O // 2))[0] for _ in range(2)])

    def cayley(block: Tensor) -> Tensor:
        skew = block - block.T
        one = torch.eye(len(block))
        return (one + skew) @ torch.inverse(one - skew)

    def turned(weight: Tensor) -> Tensor:
        return torch.block_diag(*map(cayley, blocks)).T @ weight

    def constrained(weight: Tensor) -> Tensor:
        skew = torch.stack([block - block.T for block in blocks])
        shorter = skew * (0.01 * O / skew.norm())
        one = torch.eye(O // 2)
        return torch.block_diag(*[(one + s) @ torch.inverse(one - s) for s in shorter]).T @ weight

    def butterfly(weight: Tensor) -> Tensor:
        for stage, rotations in enumerate(stages):
            # Row r of a group of 2k rows goes to 2r if it is in the first half, else to 2(r - k) + 1.
            k = 2**stage * (O // 2 // 2)
            order = [group + half * k + row for group in range(0, O, 2 * k) for row in range(k) for half in (0, 1)]
            shuffle = torch.eye(O)[order]
            weight = shuffle.T @ torch.block_diag(*map(cayley, rotations)) @ shuffle @ weight
        return weight

    return [
        Sample("OFT", "blocks", {"oft_blocks": blocks, "alpha": torch.tensor(0.0)},
               lambda weight: turned(weight) - weight),
        Sample("OFT", "constrained", {"oft_blocks": blocks, "alpha": torch.tensor(0.01)},
               lambda weight: constrained(weight) - weight),
        Sample("OFT", "rescaled", {"oft_blocks": blocks, "rescale": rescale},
               lambda weight: rescale * turned(weight) - weight),
        Sample("OFT", "given", {"oft_diag": given}, lambda weight: torch.block_diag(*given).T @ weight - weight),
        Sample("OFT", "BOFT", {"oft_blocks": stages}, lambda weight: butterfly(weight) - weight),
    ]  # fmt: skip


def full() -> list[Sample]:
    matrix, conv, bias = noise(O, I), noise(O, I, KERNEL, KERNEL), noise(O)
    return [
        Sample("full", "matrix", {"diff": matrix, "diff_b": bias}, lambda weight: matrix),
        Sample("full", "convolution", {"diff": conv}, lambda weight: conv, True),
    ]


def bias() -> list[Sample]:
    return [Sample("bias", "alone", {"diff_b": noise(O)}, torch.zeros_like)]


def norm() -> list[Sample]:
    scale, shift = noise(O), noise(O)
    return [Norm("norm", "scale and shift", {"w_norm": scale, "b_norm": shift}, lambda weight: scale)]


class Norm(Sample):
    @property
    def module(self) -> nn.Module:
        return nn.GroupNorm(2, O)


def dora() -> list[Sample]:
    up, down = noise(O, R), noise(R, I)
    per_input, per_output = noise(1, I).abs() + 0.5, noise(O, 1).abs() + 0.5

    def by_columns(weight: Tensor) -> Tensor:
        merged = weight + up @ down
        columns = [merged[:, i] / merged[:, i].norm() * per_input[0, i] for i in range(I)]
        return torch.stack(columns, dim=1) - weight

    def by_rows(weight: Tensor) -> Tensor:
        merged = weight + up @ down
        return torch.stack([merged[o] / merged[o].norm() * per_output[o] for o in range(O)]) - weight

    pair = {"lora_up.weight": up, "lora_down.weight": down}
    return [
        Sample("LoRA", "DoRA per input", {**pair, "dora_scale": per_input}, by_columns),
        Sample("LoRA", "DoRA per output", {**pair, "dora_scale": per_output}, by_rows),
        Sample("LoRA", "DoRA of PEFT", {**pair, "dora_scale": per_output[:, 0]}, by_rows),
    ]


SAMPLES = samples()
