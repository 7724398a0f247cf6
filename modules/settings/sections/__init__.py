"""Every setting, in the order of the Settings tab. Keys, labels and defaults are those of A1111 1.10.1."""

from __future__ import annotations

from modules.settings.catalogue import Catalogue
from modules.settings.sections import (
    compatibility,
    diffusion,
    editing,
    extensions,
    flow,
    interface,
    large,
    models,
    networks,
    postprocessing,
    sampling,
    saving,
    system,
    training,
)
from modules.settings.setting import Section, Setting, in_order_of_display

__all__ = ["SETTINGS", "Section", "Setting"]

SETTINGS = Catalogue(
    in_order_of_display(
        (
            *saving.SETTINGS,
            *diffusion.SETTINGS,
            *flow.SETTINGS,
            *large.SETTINGS,
            *sampling.SETTINGS,
            *compatibility.SETTINGS,
            *networks.SETTINGS,
            *interface.SETTINGS,
            *editing.SETTINGS,
            *system.SETTINGS,
            *models.SETTINGS,
            *extensions.SETTINGS,
            *postprocessing.SETTINGS,
            *training.SETTINGS,
        )
    )
)
