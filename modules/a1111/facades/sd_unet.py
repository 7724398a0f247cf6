"""Other UNets than the checkpoint's: the studio draws with the checkpoint's own."""

from __future__ import annotations

from modules import script_callbacks
from modules.a1111.missing import refusing

unet_options: list = []
current_unet_option = None
current_unet = None


class SdUnetOption:
    model_name = None
    label = None

    def create_unet(self):
        raise NotImplementedError


class SdUnet:
    def forward(self, x, timesteps, context, *args, **kwargs):
        raise NotImplementedError

    def activate(self):
        pass

    def deactivate(self):
        pass


def list_unets():
    unet_options[:] = script_callbacks.list_unets_callback()


def get_unet_option(option=None):
    return next((one for one in unet_options if one.label == option), None)


def apply_unet(option=None):
    """The checkpoint's own UNet is used."""


__getattr__ = refusing("modules.sd_unet")
