"""The class of SDXL's text encoders, for those who ask."""

from __future__ import annotations

from modules.a1111.text_encoders import GeneralConditioner  # noqa: F401
