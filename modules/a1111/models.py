"""`shared.sd_model`: the loaded checkpoint in A1111's shape, as far as networks of diffusers can answer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.a1111.missing import NotOffered

if TYPE_CHECKING:
    from modules.checkpoints.bundle import ModelBundle

FAMILIES = {
    "is_sdxl": "sdxl",
    "is_sd1": "sd15",
    "is_sd2": "sd2",
    "is_sd3": "sd3",
    "is_flux": "flux",
}
WITH_MODEL = frozenset(
    {
        "first_stage_model",
        "cond_stage_model",
        "conditioner",
        "model",
        "encode_first_stage",
        "decode_first_stage",
        "get_first_stage_encoding",
        "get_learned_conditioning",
        "cond_stage_model_empty_prompt",
        "parameterization",
        "alphas_cumprod",
        "state_dict",
        "named_modules",
        "parameters",
        "apply_model",
    }
)
CONSTANT = {
    "cond_stage_key": "txt",
    "is_ssd": False,
    "ztsnr": False,
    "lowvram": False,
    "latent_channels": 4,
    "scale_factor": 1.0,
    "used_config": None,
    "embedding_db": None,
}


ENCODERS = "_as_a1111"


class Model:
    """Asks the studio for whatever is loaded at the moment; nothing is loaded for the asking.

    Attributes that extensions write stay, and are read before all others.
    """

    def __init__(self) -> None:
        self.__dict__["_own"] = {}

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__["_own"]
        if name in own:
            return own[name]
        if name == "is_inpaint":
            return self.bundle is not None and self.bundle.variant == "inpaint"
        if name in FAMILIES:
            return self.bundle is not None and self.bundle.family.name == FAMILIES[name]
        if name == "sd_checkpoint_info":
            return checkpoint_info()
        if name == "sd_model_checkpoint":
            return checkpoint_info().filename
        if name in ("sd_model_hash", "sd_model_name"):
            return checkpoint_info().shorthash if name == "sd_model_hash" else checkpoint_info().model_name
        if name in ("device", "dtype"):
            from modules import devices

            return getattr(devices, name)
        if name in WITH_MODEL:
            return getattr(Networks(), name)
        if name == "network_layer_mapping":
            from modules.a1111.unet_blocks import layer_mapping

            return {} if self.bundle is None else layer_mapping(self.bundle)
        if name in CONSTANT:
            return CONSTANT[name]
        raise NotOffered(
            f"shared.sd_model.{name} is not offered here: the networks are those of diffusers. docs/extensions.md "
            "lists what is."
        )

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_own"][name] = value

    def __delattr__(self, name: str) -> None:
        self.__dict__["_own"].pop(name, None)

    def __bool__(self) -> bool:
        return True

    @property
    def bundle(self) -> ModelBundle | None:
        """What is loaded."""
        return loaded()

    @property
    def is_loaded(self) -> bool:
        return loaded() is not None

    def to(self, *args: Any, **options: Any) -> Model:
        """Models are moved by the studio."""
        return self

    def eval(self) -> Model:
        return self

    def half(self) -> Model:
        return self

    def float(self) -> Model:
        return self


class Networks:
    """The parts of the loaded model. Raises: NotOffered if nothing is loaded."""

    def __init__(self) -> None:
        bundle = loaded() or loaded_now()
        if bundle is None:
            raise NotOffered("No checkpoint is in memory: draw a picture or choose a checkpoint first.")
        self.bundle = bundle

    @property
    def first_stage_model(self) -> Any:
        return self.bundle.vae

    @property
    def cond_stage_model(self) -> Any:
        from modules.checkpoints.resting import wake_texts

        # They may have dropped their weights between jobs.
        wake_texts(self.bundle)
        return encoders_of(self.bundle)

    @property
    def conditioner(self) -> Any:
        return self.cond_stage_model

    @property
    def model(self) -> Any:
        return DiffusionWrapper(self.bundle)

    @property
    def parameterization(self) -> str:
        return {"epsilon": "eps", "v_prediction": "v"}.get(self.bundle.prediction, str(self.bundle.prediction))

    @property
    def alphas_cumprod(self) -> Any:
        """(T,), from the noise levels that the network was trained on: 1 / (sigma^2 + 1)."""
        return 1 / (self.bundle.levels.sigmas**2 + 1)  # type: ignore[attr-defined]

    @property
    def cond_stage_model_empty_prompt(self) -> Any:
        return self.get_learned_conditioning([""])

    def get_learned_conditioning(self, texts: Any) -> Any:
        """(B, T, D), or a dictionary for models with a second conditioning."""
        return self.cond_stage_model(list(texts))

    def get_first_stage_encoding(self, encoded: Any) -> Any:
        """What `encode_first_stage` gives is scaled already."""
        return encoded

    def encode_first_stage(self, pixels: Any) -> Any:
        """Latents (B, C, h, w) of pictures (B, 3, H, W) in [-1, 1]."""
        return self.bundle.encode_image(pixels)

    def decode_first_stage(self, latents: Any) -> Any:
        """Pictures (B, 3, H, W) in [-1, 1] of latents (B, C, h, w)."""
        return self.bundle.decode(latents)

    def apply_model(self, x: Any, t: Any, cond: Any) -> Any:
        """One call of the network: its own output for x (B, C, h, w) at timestep t (B,)."""
        vector = None
        if isinstance(cond, dict):
            vector = cond.get("vector")
            cond = cond.get("crossattn", cond.get("c_crossattn"))
        cross = cond[0] if isinstance(cond, (list, tuple)) else cond
        return self.bundle.predict(x, t, cross, vector)

    def state_dict(self) -> Any:
        """The tensors of the UNet, under diffusers' names."""
        return self.bundle.unet.state_dict()

    def parameters(self) -> Any:
        return self.bundle.unet.parameters()

    def named_modules(self) -> Any:
        return self.bundle.unet.named_modules()


def encoders_of(bundle: ModelBundle) -> Any:
    """The text encoders of `bundle`, the same object each time, so that hooks on it stay."""
    holder = vars(bundle.clips[0])
    if ENCODERS not in holder:
        holder[ENCODERS] = _encoders(bundle)
    return holder[ENCODERS]


def _encoders(bundle: ModelBundle) -> Any:
    """Of the class that A1111 has for the family."""
    if bundle.family.name.startswith("sdxl"):
        from modules.a1111.text_encoders import GeneralConditioner

        return GeneralConditioner(bundle)
    if bundle.family.name == "sd2":
        from modules.sd_hijack_open_clip import FrozenOpenCLIPEmbedderWithCustomWords

        return FrozenOpenCLIPEmbedderWithCustomWords(bundle)
    from modules.sd_hijack_clip import FrozenCLIPEmbedderWithCustomWords

    return FrozenCLIPEmbedderWithCustomWords(bundle)


class DiffusionWrapper:
    """`sd_model.model`: the UNet in the place where A1111's wrapper had it."""

    def __init__(self, bundle: ModelBundle) -> None:
        from modules.a1111.unet_blocks import diffusion_model

        self.diffusion_model = diffusion_model(bundle)
        self.conditioning_key = {"inpaint": "hybrid", "edit": "hybrid"}.get(bundle.variant, "crossattn")

    def named_modules(self) -> Any:
        return self.diffusion_model.named_modules()

    def state_dict(self) -> Any:
        return self.diffusion_model.state_dict()


def loaded() -> ModelBundle | None:
    """The bundle of the model that was used last; None if none is in memory."""
    bundle: ModelBundle | None = bound().studio.engine.when_started(lambda tools: tools.models.newest())
    return bundle


def loaded_now() -> ModelBundle | None:
    """The model that the job of this thread draws with, loaded for the asking as A1111 has it by then; None outside."""
    from modules.a1111.drafts import request_in_job

    work = bound().work
    if work is None or work.borrows:
        return None
    from modules.generation.pipeline import chosen_checkpoint
    from modules.generation.switches import loan

    request = work.p.request if work.p is not None else request_in_job()
    work.borrows = True
    try:
        checkpoint, _ = chosen_checkpoint(request, work.settings, work.tools)
        with work.tools.models.borrow(checkpoint.title, **loan(work.settings)) as bundle:
            return bundle
    finally:
        work.borrows = False


def checkpoint_info() -> Any:
    """The checkpoint in memory, else the chosen one, as `modules.sd_models` lists it."""
    from modules.a1111.checkpoints import CheckpointInfo, chosen

    bundle = loaded()
    return chosen() if bundle is None else CheckpointInfo(bundle.info)


class Interrogator:
    """`shared.interrogator`."""

    def interrogate(self, pil_image: Any) -> str:
        """A caption, by the captioner that the studio has. Raises: NotFound saying what is missing."""
        tools = bound().studio.engine.tools(bound().settings)
        captioner = next(iter(tools.captioners))
        text: str = captioner.caption(pil_image)
        return text

    def load(self) -> None:
        """Models are loaded when they are asked."""

    def unload(self) -> None:
        """Memory is the studio's."""

    send_blip_to_ram = send_clip_to_ram = unload
