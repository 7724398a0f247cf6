"""`th`: torch, as A1111's UNet sees it. What an extension puts in place of `th.cat` joins its two halves."""

from __future__ import annotations

import torch

from modules.a1111.missing import refusing


class TorchHijackForUnet:
    """torch with a `cat` of its own: halves of different size are brought to that of the second one."""

    def __getattr__(self, name):
        return self._cat if name == "cat" else getattr(torch, name)

    @staticmethod
    def _cat(tensors, *args, **kwargs):
        if len(tensors) == 2:
            first, second = tensors
            if first.shape[-2:] != second.shape[-2:]:
                first = torch.nn.functional.interpolate(first, second.shape[-2:], mode="nearest")
            tensors = (first, second)
        return torch.cat(tensors, *args, **kwargs)


th = TorchHijackForUnet()

__getattr__ = refusing("modules.sd_hijack_unet")
