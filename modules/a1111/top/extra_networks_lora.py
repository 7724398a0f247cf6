"""`<lora:…>` as an extra network. The studio applies it by itself."""

from __future__ import annotations

from modules import extra_networks
from modules.a1111.missing import refusing


class ExtraNetworkLora(extra_networks.ExtraNetwork):
    def __init__(self):
        super().__init__("lora")
        self.errors = {}

    def activate(self, p, params_list):
        """The studio has applied what the prompt names."""

    def deactivate(self, p):
        """The studio takes its networks off."""


__getattr__ = refusing("extra_networks_lora")
