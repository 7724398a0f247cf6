"""`shared.sd_model`: the loaded checkpoint in A1111's shape, as far as networks of diffusers can answer for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules.a1111.bound import bound
from modules.a1111.missing import NotOffered

FAMILIES = {
    "is_sdxl": "sdxl",
    "is_sd1": "sd15",
    "is_sd2": "sd2",
    "is_sd3": "sd3",
    "is_flux": "flux",
}
WITH_MODEL = frozenset({"first_stage_model", "cond_stage_model", "model", "encode_first_stage", "decode_first_stage"})


class Model:
    """Asks the studio for whatever is loaded at the moment; nothing is loaded for the asking."""

    def __init__(self) -> None:
        self.__dict__["_own"] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_own"]:
            return self.__dict__["_own"][name]
        if name in FAMILIES:
            return self._family() == FAMILIES[name]
        if name in ("sd_checkpoint_info",):
            return checkpoint_info()
        if name == "sd_model_checkpoint":
            return checkpoint_info().filename
        if name == "sd_model_hash":
            return checkpoint_info().shorthash
        if name in ("device", "dtype"):
            from modules import devices

            return getattr(devices, name)
        if name in WITH_MODEL:
            return getattr(Networks(), name)
        if name == "network_layer_mapping":
            return {}
        raise AttributeError(
            f"shared.sd_model.{name} is not offered here: the networks are those of diffusers. docs/extensions.md "
            "lists what is."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_own"][name] = value

    def __delattr__(self, name: str) -> None:
        self.__dict__["_own"].pop(name, None)

    def __bool__(self) -> bool:
        return True

    def _family(self) -> str:
        bundle = loaded()
        return bundle.family.name if bundle is not None else ""

    def to(self, *args: Any, **options: Any) -> Model:
        """Models are moved by the studio."""
        return self

    def eval(self) -> Model:
        return self


class Networks:
    """The parts of the loaded model. Raises: NotOffered if nothing is loaded."""

    def __init__(self) -> None:
        bundle = loaded()
        if bundle is None:
            raise NotOffered("No checkpoint is in memory: draw a picture or choose a checkpoint first.")
        self.bundle = bundle

    @property
    def first_stage_model(self) -> Any:
        return self.bundle.vae

    @property
    def cond_stage_model(self) -> Any:
        from modules.a1111.text_encoders import TextEncoders

        return TextEncoders(self.bundle)

    @property
    def model(self) -> Any:
        return _Wrapped(self.bundle.unet)

    def encode_first_stage(self, pixels: Any) -> Any:
        """Latents (B, C, h, w) of pictures (B, 3, H, W) in [-1, 1]."""
        return self.bundle.encode_image(pixels)

    def decode_first_stage(self, latents: Any) -> Any:
        """Pictures (B, 3, H, W) in [-1, 1] of latents (B, C, h, w)."""
        return self.bundle.decode(latents)


class _Wrapped:
    """`sd_model.model`: the UNet in the place where A1111's wrapper had it."""

    def __init__(self, unet: Any) -> None:
        self.diffusion_model = unet

    def named_modules(self) -> Any:
        return self.diffusion_model.named_modules()


def loaded() -> Any:
    """The bundle of the model that was used last; None if none is in memory."""
    current: Callable[[Any], Any] = lambda tools: tools.models.current()  # noqa: E731
    return bound().studio.engine.when_started(current)


def checkpoint_info() -> Any:
    """The chosen checkpoint as `modules.sd_models` lists it."""
    from modules import sd_models

    info, _ = bound().studio.library.find_or_first(bound().studio.chosen_checkpoint)
    return sd_models.CheckpointInfo(info)


class Interrogator:
    """`shared.interrogator`."""

    def interrogate(self, pil_image: Any) -> str:
        """A caption, by the captioner that the studio has. Raises: NotFound saying what is missing."""
        from modules.a1111.bound import work_now

        tools = work_now("interrogate").tools
        captioner = next(iter(tools.captioners))
        text: str = captioner.caption(pil_image)
        return text

    def unload(self) -> None:
        """Memory is the studio's."""
