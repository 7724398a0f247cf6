"""Samplers that A1111 keeps apart; the studio has them among its own."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.sd_samplers_extra")
