"""Names that extensions share with A1111's training."""

from __future__ import annotations

import re

from modules.a1111.missing import refusing

re_numbers_at_start = re.compile(r"^[-\d]+\s*")

__getattr__ = refusing("modules.textual_inversion.dataset")
