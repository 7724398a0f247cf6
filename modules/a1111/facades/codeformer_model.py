"""CodeFormer, as the studio has it."""

from __future__ import annotations

from modules.a1111.faces import Restorer
from modules.a1111.missing import refusing

codeformer = Restorer("CodeFormer")


def setup_model(dirname):
    """The studio lists its restorers by itself."""


__getattr__ = refusing("modules.codeformer_model")
