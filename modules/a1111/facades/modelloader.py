"""Model files of extensions."""

from __future__ import annotations

import os
from urllib.parse import urlparse

from modules.shared import walk_files
from modules.upscaler import Upscaler, UpscalerLanczos, UpscalerNearest, UpscalerNone  # noqa: F401

from modules.a1111.missing import refusing


def load_file_from_url(url, *, model_dir, progress=True, file_name=None, hash_prefix=None):
    """Downloads into `model_dir` unless the file is there; returns its path."""
    os.makedirs(model_dir, exist_ok=True)
    target = os.path.abspath(os.path.join(model_dir, file_name or os.path.basename(urlparse(url).path)))
    if not os.path.exists(target):
        from torch.hub import download_url_to_file

        download_url_to_file(url, target, progress=progress, hash_prefix=hash_prefix)
    return target


def load_models(
    model_path,
    model_url=None,
    command_path=None,
    ext_filter=None,
    download_name=None,
    ext_blacklist=None,
    hash_prefix=None,
):
    """The files in these folders with one of the endings; the one at `model_url` if there is none."""
    found = []
    for place in dict.fromkeys(one for one in (command_path, model_path) if one):
        for path in walk_files(place, allowed_extensions=ext_filter):
            if not (ext_blacklist and path.endswith(tuple(ext_blacklist))) and path not in found:
                found.append(path)
    if model_url is not None and not found:
        if download_name is not None:
            return [load_file_from_url(model_url, model_dir=model_path, file_name=download_name)]
        return [model_url]
    return found


def friendly_name(file):
    return os.path.splitext(os.path.basename(urlparse(file).path if "http" in file else file))[0]


def load_upscalers():
    """The studio lists its upscalers by itself; what extensions appended stays."""


def cleanup_models():
    """Files stay where the user put them."""


def load_spandrel_model(path, *, device, prefer_half=False, dtype=None, expected_architecture=None):
    """The network in a file of an upscaler or face restorer."""
    import spandrel

    model = spandrel.ModelLoader(device=device).load_from_file(str(path))
    model.model.eval()
    if dtype is not None:
        model.model.to(dtype=dtype)
    return model


__getattr__ = refusing("modules.modelloader")
