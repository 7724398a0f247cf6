"""The class of the whole model, for those who ask."""

from __future__ import annotations

from ldm.modules.diffusionmodules.util import extract_into_tensor  # noqa: F401
from ldm.util import default, exists  # noqa: F401
from modules.a1111.missing import refusing
from modules.a1111.models import DiffusionWrapper  # noqa: F401
from modules.a1111.models import Model as LatentDiffusion  # noqa: F401

__getattr__ = refusing("ldm.models.diffusion.ddpm")
