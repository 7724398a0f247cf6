"""Schedules that were optimised for a model and come as tables, interpolated to the number of steps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from modules.diffusion.schedule import ending_in_zero, schedule

Table = Literal["sd1", "sdxl"]
Tables = dict[Table, tuple[float, ...]]

# Sabour et al. (2024), arXiv:2404.14507; the numbers stand on the authors' page.
AYS: Tables = {
    "sd1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
}
# Chen et al. (2024), arXiv:2405.11326 (GITS), 10 steps, as Forge ships them.
GITS: Tables = {
    "sd1": (14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029),
    "sdxl": (14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029),
}
# 32-step tables for the same models, as Forge ships them.
# fmt: off
AYS_32: Tables = {
    "sd1": (
        14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.51956090, 3.13490466,
        2.79228788, 2.48773628, 2.21663865, 1.97508351, 1.77931720, 1.61475335, 1.46540953, 1.31484900, 1.16642497,
        1.03475547, 0.91573744, 0.80748169, 0.71202361, 0.62173900, 0.53065202, 0.45290960, 0.37491455, 0.27461819,
        0.20115290, 0.14105873, 0.06682881, 0.03166121, 0.015,
    ),
    "sdxl": (
        14.615, 11.14916180, 8.50522127, 6.48827151, 5.43707402, 4.60398619, 3.89854704, 3.27407457, 2.74396527,
        2.29968659, 1.95448514, 1.67108715, 1.42878152, 1.23181009, 1.06789649, 0.92579443, 0.80290886, 0.69660121,
        0.60436903, 0.52852552, 0.46773344, 0.41393379, 0.36258186, 0.31008517, 0.26518925, 0.22326461, 0.17653877,
        0.13959192, 0.10587381, 0.05519369, 0.02877334, 0.015,
    ),
}
# fmt: on


def stretched(table: tuple[float, ...], steps: int) -> Tensor:
    """`table` interpolated to `steps` values, evenly in position and in log(sigma), then 0. Shape (steps + 1,)."""
    logs = torch.tensor(table, dtype=torch.float64).log()
    # From the quiet end, so that a single step gets the table's last value, as numpy.interp gives it to A1111.
    position = torch.linspace(0, 1, steps, dtype=torch.float64) * (len(table) - 1)
    rising = logs.flip(0)
    low = position.floor().long().clamp(max=len(table) - 2)
    between = rising[low] + (position - low) * (rising[low + 1] - rising[low])
    return ending_in_zero(between.exp().flip(0).float())


@schedule("Align Your Steps", "align_your_steps", needs=("table",), absolute=True)
def align_your_steps(steps: int, sigma_min: float, sigma_max: float, table: Table = "sd1") -> Tensor:
    """Source: Sabour et al. (2024), arXiv:2404.14507. Shape (steps + 1,). The bounds are not looked at."""
    return stretched(AYS[table], steps)


@schedule("Align Your Steps GITS", "align_your_steps_GITS", "AYS GITS", needs=("table",), absolute=True)
def align_your_steps_gits(steps: int, sigma_min: float, sigma_max: float, table: Table = "sd1") -> Tensor:
    """Source: Chen et al. (2024), arXiv:2405.11326. Shape (steps + 1,). The bounds are not looked at."""
    return stretched(GITS[table], steps)


@schedule("Align Your Steps 11", "align_your_steps_11", "AYS 11", needs=("table",), absolute=True)
def align_your_steps_11(steps: int, sigma_min: float, sigma_max: float, table: Table = "sd1") -> Tensor:
    """The 11-value table under the name that Forge gives it. Shape (steps + 1,)."""
    return stretched(AYS[table], steps)


@schedule("Align Your Steps 32", "align_your_steps_32", "AYS 32", needs=("table",), absolute=True)
def align_your_steps_32(steps: int, sigma_min: float, sigma_max: float, table: Table = "sd1") -> Tensor:
    """The 32-value table. Shape (steps + 1,)."""
    return stretched(AYS_32[table], steps)
