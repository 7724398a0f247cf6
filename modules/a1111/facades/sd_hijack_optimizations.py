"""Attention is PyTorch's own; what extensions ask about memory is answered."""

from __future__ import annotations

from modules.a1111.missing import refusing


def get_available_vram():
    """Bytes that are free on the device."""
    from modules import devices
    from modules.checkpoints.memory import device_memory

    return device_memory(devices.device)[0]


def get_xformers_flash_attention_op(q, k, v):
    """xformers is not used."""
    return


def _heads(tensor):
    return tensor if tensor.dim() == 4 else tensor.unsqueeze(1)


def sub_quad_attention(
    q, k, v, q_chunk_size=1024, kv_chunk_size=None, kv_chunk_size_min=None, chunk_threshold=None, use_checkpoint=True
):
    """Attention of (B, T, D); PyTorch's own, which needs no chunks."""
    import torch

    return torch.nn.functional.scaled_dot_product_attention(_heads(q), _heads(k), _heads(v)).view_as(q)


class SdOptimization:
    """What an extension may register; its `apply` is never called."""

    name = None
    label = None
    cmd_opt = None
    priority = 0

    def title(self):
        return self.name if self.label is None else f"{self.name} - {self.label}"

    def is_available(self):
        return True

    def apply(self):
        pass

    def undo(self):
        pass


__getattr__ = refusing("modules.sd_hijack_optimizations")
