"""`th`: torch, as A1111's UNet saw it."""

from __future__ import annotations

import torch

from modules.a1111.missing import refusing

th = torch

__getattr__ = refusing("modules.sd_hijack_unet")
