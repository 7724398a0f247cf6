"""The names of all samplers and schedules, for pages that are drawn before torch is there.

tests/diffusion/test_names.py holds them against the registries.
"""

from __future__ import annotations

SAMPLER_NAMES = ()
SCHEDULE_NAMES = ()
