"""Describing a picture in words, as A1111's extensions ask for it."""

from __future__ import annotations

from modules.a1111.missing import refusing
from modules.a1111.models import Interrogator as InterrogateModels  # noqa: F401 - the name is the module

__getattr__ = refusing("modules.interrogate")
