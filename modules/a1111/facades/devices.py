"""Where networks run, under A1111's names."""

from __future__ import annotations

import contextlib

import torch

from modules.a1111.bound import bound
from modules.a1111.missing import not_offered

cpu = torch.device("cpu")
fp8 = False
force_fp16 = False
unet_needs_upcast = False
patch_module_list: list = []
force_cpu = False
backend = "cuda" if torch.cuda.is_available() else "cpu"


class NansException(Exception):
    pass


def _place():
    return bound().studio.engine.when_started(lambda tools: tools.models)


def __dir__():
    return sorted([*globals(), "device", "device_interrogate", "dtype", "dtype_unet", "dtype_vae", "dtype_inference"])


def __getattr__(name):
    models = _place()
    if name.startswith("device"):
        return models.device if models is not None else get_optimal_device()
    if name in ("dtype", "dtype_unet", "dtype_inference"):
        return models.placement.unet if models is not None else torch.float32
    if name == "dtype_vae":
        return getattr(models.placement, "vae", torch.float32) if models is not None else torch.float32
    if name.startswith("__"):
        raise AttributeError(name)
    raise not_offered("modules.devices", name)


def has_mps():
    return torch.backends.mps.is_available()


def has_xpu():
    return hasattr(torch, "xpu") and torch.xpu.is_available()


def get_cuda_device_id():
    return int(bound().studio.flags.device_id or 0)


def get_optimal_device_name():
    if torch.cuda.is_available():
        return f"cuda:{get_cuda_device_id()}"
    if has_mps():
        return "mps"
    return "xpu" if has_xpu() else "cpu"


def get_optimal_device():
    return torch.device(get_optimal_device_name())


def get_device_for(task):
    return cpu if task in (bound().studio.flags.use_cpu or ()) else get_optimal_device()


def torch_gc():
    """Gives memory that nothing uses back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.ipc_collect()
    elif has_mps():
        torch.mps.empty_cache()


def cond_cast_unet(tensor):
    return tensor


def cond_cast_float(tensor):
    return tensor.float()


def autocast(disable=False, current_model=None):
    return contextlib.nullcontext()


def without_autocast(disable=False):
    return contextlib.nullcontext()


def test_for_nans(x, where, *args):
    """Raises: NansException if nothing but NaN is in x."""
    if bool(torch.isnan(x).all()):
        raise NansException(f"A tensor with NaNs was produced in {where}.")


def enable_tf32():
    """Number formats are the studio's."""


def first_time_calculation():
    """Nothing is warmed up."""


def randn_local(seed, shape):
    return randn(seed, shape)


def randn_without_seed(shape, generator=None):
    return torch.randn(shape, generator=generator).to(get_optimal_device())


def manual_cast(target_dtype):
    return contextlib.nullcontext()


def randn(seed, shape, generator=None):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(int(seed))).to(get_optimal_device())


def randn_like(x):
    return torch.randn(x.shape).to(x)


def manual_seed(seed):
    torch.manual_seed(seed)
