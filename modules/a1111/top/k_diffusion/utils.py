"""Helpers of k-diffusion."""

from __future__ import annotations

from modules.a1111.missing import refusing


def append_dims(x, target_dims):
    """`x` with axes of one at its end, so that it has so many. Raises: ValueError if it has more."""
    missing = target_dims - x.ndim
    if missing < 0:
        raise ValueError(f"input has {x.ndim} dims but target_dims is {target_dims}, which is less")
    return x[(...,) + (None,) * missing]


__getattr__ = refusing("k_diffusion.utils")
