"""Networks are moved between memories by the studio."""

from __future__ import annotations

from modules.a1111.missing import refusing

module_in_gpu = None
cpu = "cpu"


def send_everything_to_cpu():
    """The studio moves networks when it needs the memory."""


def is_needed(sd_model):
    return False


def is_enabled(sd_model):
    return False


def apply(sd_model):
    """The studio decides by the flags and by what is free."""


def setup_for_low_vram(sd_model, use_medvram):
    """The studio decides by the flags and by what is free."""


__getattr__ = refusing("modules.lowvram")
