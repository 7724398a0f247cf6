"""`launch` under its other name."""

from __future__ import annotations

from launch import *  # noqa: F403 - it is the same
