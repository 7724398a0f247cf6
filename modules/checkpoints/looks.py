"""What files other than checkpoints look like, by their keys alone, and in which folder each kind belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import find_prefix

SMALL = 4  # tensors; no network is that small


@dataclass(frozen=True)
class Look:
    """`words` end the sentence "it looks like …". `folder`: where A1111 keeps such files; "" if it has no place."""

    kind: str
    words: str
    folder: str
    matches: Callable[[Header], bool]


def any_begins(*prefixes: str) -> Callable[[Header], bool]:
    return lambda header: any(key.startswith(prefixes) for key in header)


def any_has(*parts: str) -> Callable[[Header], bool]:
    return lambda header: any(part in key for part in parts for key in header)


def all_in(*keys: str) -> Callable[[Header], bool]:
    return lambda header: all(key in header for key in keys)


def is_embedding(header: Header) -> bool:
    """A few rows of vectors under the names that textual inversions use, or a lonely one under the word it is for."""
    if any(key in header for key in ("emb_params", "clip_l", "clip_g", "string_to_param")):
        return len(header.tensors) <= SMALL
    return len(header.tensors) == 1 and all("." not in key and len(header.shape(key) or ()) <= 2 for key in header)


ADAPTER_PARTS = (
    ".lora_up.", ".lora_down.", ".lora_A.", ".lora_B.", ".lora.up.", "_lora.up.", "_lora1.", ".hada_w1", ".lokr_w",
    ".oft_blocks", ".oft_diag", ".a1.weight",
)  # fmt: skip
ADAPTER_ENDS = (".on_input", ".diff", ".diff_b", ".w_norm")


def is_network(header: Header) -> bool:
    return any(key.endswith(ADAPTER_ENDS) or any(part in key for part in ADAPTER_PARTS) for key in header)


def is_vae(header: Header) -> bool:
    return (
        find_prefix(header) is not None or "decoder.up_blocks.0.resnets.0.conv1.weight" in header
    ) and not header.has_prefix("model.diffusion_model.")


# The first that matches counts: files carry parts of other kinds (a LoRA of a ControlNet, a checkpoint's VAE).
LOOKS = (
    Look("embedding", "a textual inversion embedding", "embeddings", is_embedding),
    Look(
        "network",
        "a LoRA or one of its relatives",
        "models/Lora",
        is_network,
    ),
    Look(
        "controlnet",
        "a ControlNet",
        "models/ControlNet",
        any_begins("control_model.", "controlnet_", "input_hint_block.", "zero_convs."),
    ),
    Look("ip-adapter", "an IP-Adapter", "models/ControlNet", any_begins("ip_adapter.", "image_proj.")),
    Look(
        "t2i-adapter",
        "a T2I-Adapter",
        "models/ControlNet",
        any_begins("adapter.body.", "body.0.block1.", "body.0.resnets."),
    ),
    Look("motion module", "an AnimateDiff motion module", "", any_has("motion_modules.")),
    Look("vae", "a VAE", "models/VAE", is_vae),
    Look("taesd", "a tiny autoencoder (TAESD)", "models/VAE-taesd", any_begins("decoder.layers.", "taesd_decoder.")),
    Look("flux", "FLUX, which is not supported yet", "models/Stable-diffusion",
         any_has("double_blocks.0.img_attn")),
    Look("sd3", "SD 3, which is not supported yet", "models/Stable-diffusion", any_has("joint_blocks.0.")),
    Look("stage", "Stable Cascade, which is not supported yet", "models/Stable-diffusion",
         any_has("effnet_mapper", "clip_txt_pooled_mapper")),
    Look("upscaler", "an upscaler (ESRGAN and kin)", "models/ESRGAN",
         any_begins("conv_first.", "model.0.weight", "model.1.sub.", "body.0.rdb1.", "layers.0.residual_group.",
                    "m_head.", "before_RG.")),
    Look("face restorer", "a face restorer", "models/GFPGAN",
         any_begins("stylegan_decoder", "quantize.embedding", "final_linear.", "toRGB.")),
    Look("text encoder", "a text encoder", "models/text_encoder",
         any_begins("text_model.", "encoder.block.", "shared.weight", "transformer.resblocks.", "model.layers.0.")),
    Look("unet", "a UNet of a diffusers folder, without its text encoder and VAE", "",
         all_in("conv_in.weight", "time_embedding.linear_1.weight")),
    Look("unet", "a UNet without a text encoder that we know", "", any_begins("model.diffusion_model.")),
)  # fmt: skip


def look_of(header: Header) -> Look | None:
    """The first look that fits, None if none does."""
    return next((look for look in LOOKS if look.matches(header)), None)


def guess(header: Header) -> str:
    """The end of a sentence: what a file that is no checkpoint looks like."""
    look = look_of(header)
    if look is None:
        return f"its {len(header.tensors)} tensors begin with {', '.join(list(header)[:3])}"
    place = f"; such files belong in {look.folder}" if look.folder else ""
    return f"it looks like {look.words}{place}"
