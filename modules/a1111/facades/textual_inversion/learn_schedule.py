"""Nothing of it is offered: training is not done by extensions here."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.textual_inversion.learn_schedule")
