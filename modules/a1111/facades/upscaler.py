"""What extensions derive their upscalers from; those they add to `shared.sd_upscalers` can be chosen by scripts."""

from __future__ import annotations

from modules.images import LANCZOS, NEAREST

from modules.a1111.library import UpscalerEntry
from modules.a1111.missing import refusing


class Upscaler:
    """`do_upscale(image, selected_model)` enlarges by what its model does; `upscale` repeats it and trims the rest."""

    name = None
    model_path = None
    model_name = None
    model_url = None
    enable = True
    filter = None
    model = None
    user_path = None
    scalers: list = []
    tile = True

    def __init__(self, create_dirs=False):
        from modules import paths_internal, shared

        self.mod_pad_h = None
        self.tile_size = shared.opts.ESRGAN_tile
        self.tile_pad = shared.opts.ESRGAN_tile_overlap
        self.half = False
        self.pre_pad = 0
        self.mod_scale = None
        self.scale = 1
        self.scalers = []
        if self.model_path is None and self.name:
            self.model_path = f"{paths_internal.models_path}/{self.name}"

    @property
    def device(self):
        from modules import devices

        return devices.device

    def do_upscale(self, img, selected_model):
        return img

    def upscale(self, img, scale, selected_model=None):
        """`img` enlarged by `scale`, its sides a multiple of eight."""
        self.scale = scale
        width, height = int((img.width * scale) // 8 * 8), int((img.height * scale) // 8 * 8)
        for _ in range(3):
            if img.width >= width and img.height >= height:
                break
            before = img.size
            img = self.do_upscale(img, selected_model)
            if img.size == before:
                break
        return img if img.size == (width, height) else img.resize((width, height), LANCZOS)

    def load_model(self, path):
        pass

    def find_models(self, ext_filter=None):
        from modules import modelloader

        return modelloader.load_models(self.model_path, command_path=self.user_path, ext_filter=ext_filter)

    def update_status(self, prompt):
        """The studio shows progress by itself."""


class UpscalerData(UpscalerEntry):
    """One entry of `shared.sd_upscalers`."""

    def __init__(self, name, path, upscaler=None, scale=4, model=None, sha256=None):
        self.name = name
        self.data_path = self.local_data_path = path
        self.own_scaler = upscaler
        self.scale = scale
        self.model = model
        self.sha256 = sha256

    @property
    def scaler(self):
        return self.own_scaler if self.own_scaler is not None else self


class UpscalerNone(Upscaler):
    name = "None"

    def upscale(self, img, scale, selected_model=None):
        return img


class UpscalerLanczos(Upscaler):
    name = "Lanczos"

    def do_upscale(self, img, selected_model=None):
        return img.resize((int(img.width * self.scale), int(img.height * self.scale)), resample=LANCZOS)


class UpscalerNearest(Upscaler):
    name = "Nearest"

    def do_upscale(self, img, selected_model=None):
        return img.resize((int(img.width * self.scale), int(img.height * self.scale)), resample=NEAREST)


__getattr__ = refusing("modules.upscaler")
