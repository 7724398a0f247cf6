"""Small helpers of the original code."""

from __future__ import annotations

from inspect import isfunction

from modules.a1111.missing import refusing


def exists(value):
    return value is not None


def default(value, other):
    """`value`, or `other` (called if it is a function) where there is none."""
    if exists(value):
        return value
    return other() if isfunction(other) else other


__getattr__ = refusing("ldm.util")
