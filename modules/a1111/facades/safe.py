"""Model files read without running what is in them."""

from __future__ import annotations

import pickle

from modules.a1111.missing import refusing


class TypedStorage:
    """Kept for those who name it."""


class Extra:
    """Within: A1111 lets a pickle name more classes. The studio reads tensors alone, whatever is asked."""

    def __init__(self, handler):
        self.handler = handler

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        return None


def load(filename, *args, **kwargs):
    """What torch reads from the file; tensors and plain values alone. Raises: UnpicklingError for anything else."""
    import torch

    kwargs["weights_only"] = True
    return torch.load(filename, *args, **kwargs)


def load_with_extra(filename, extra_handler=None, *args, **kwargs):
    return load(filename, *args, **kwargs)


def unsafe_torch_load(filename, *args, **kwargs):
    """As `load`: code inside a file is never run. Raises: UnpicklingError saying so."""
    try:
        return load(filename, *args, **kwargs)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"{filename} holds code, which the studio does not run. Convert it to safetensors where you trust it."
        ) from error


__getattr__ = refusing("modules.safe")
