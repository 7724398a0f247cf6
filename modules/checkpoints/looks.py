"""What files other than checkpoints look like, by their keys alone, and in which folder each kind belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import find_prefix
from modules.checkpoints.other_vaes import PREFIXES, VIDEO
from modules.checkpoints.respelling import prefix_of

SMALL = 4  # tensors; no network is that small


@dataclass(frozen=True)
class Look:
    """`words` end the sentence "it looks like …". `folder`: where A1111 keeps such files; "" if it has no place.

    base: the family of models that it is, "" if the look alone does not tell.
    """

    kind: str
    words: str
    folder: str
    matches: Callable[[Header], bool]
    base: str = ""


def any_begins(*prefixes: str) -> Callable[[Header], bool]:
    return lambda header: any(key.startswith(prefixes) for key in header)


def any_has(*parts: str) -> Callable[[Header], bool]:
    return lambda header: any(part in key for part in parts for key in header)


def all_in(*keys: str) -> Callable[[Header], bool]:
    return lambda header: all(key in header for key in keys)


def has_all_of(*parts: str) -> Callable[[Header], bool]:
    """True if each of `parts` is inside some key."""
    return lambda header: all(any(part in key for key in header) for part in parts)


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
        find_prefix(header) is not None
        or prefix_of(header, VIDEO, PREFIXES) is not None
        or "decoder.up_blocks.0.resnets.0.conv1.weight" in header
    ) and not header.has_prefix("model.diffusion_model.")


CHECKPOINTS = "models/Stable-diffusion"

# Networks of checkpoints by the keys that only they have; whoever of them can be drawn with has a family. Those that
# share a layout stand after the ones with more in it.
NETWORKS = (
    ("FLUX.2", has_all_of("double_blocks.0.img_attn", "double_stream_modulation_img")),
    ("FLUX.2", has_all_of("transformer_blocks.0.", "double_stream_modulation_img")),
    ("Chroma", has_all_of("double_blocks.0.img_attn", "distilled_guidance_layer")),
    ("Chroma", has_all_of("single_transformer_blocks.0.", "distilled_guidance_layer")),
    ("FLUX.1", any_has("double_blocks.0.img_attn")),
    ("FLUX.1", has_all_of("single_transformer_blocks.0.proj_mlp", "context_embedder")),
    ("SD 3", any_has("joint_blocks.0.")),
    ("Z-Image", has_all_of("cap_embedder.", "noise_refiner.0.", "cap_pad_token")),
    ("Lumina 2", has_all_of("cap_embedder.", "noise_refiner.0.", "context_refiner.0.")),
    ("Qwen-Image", has_all_of("transformer_blocks.0.attn.add_q_proj", "transformer_blocks.0.img_mlp", "txt_norm")),
    ("Stable Cascade", any_has("effnet_mapper", "clip_txt_pooled_mapper")),
    ("HiDream", has_all_of("double_stream_blocks.0.", "caption_projection.0.")),
    ("Anima", has_all_of("llm_adapter.", "blocks.0.cross_attn")),
    ("Wan", has_all_of("blocks.0.cross_attn.", "head.modulation", "text_embedding.0")),
    ("AuraFlow", any_has("double_layers.0.attn.w1q")),
    ("PixArt", has_all_of("adaln_single.", "caption_projection.linear_1")),
    ("HunyuanDiT", has_all_of("mlp_t5.0", "pooler.positional_embedding")),
)


def checkpoint_look(base: str, matches: Callable[[Header], bool]) -> Look:
    return Look(
        "checkpoint", f"a checkpoint: {base}, whose network cannot be drawn with here", CHECKPOINTS, matches, base
    )


# The first that matches counts: files carry parts of other kinds (a LoRA of a ControlNet, a checkpoint's VAE).
LOOKS = (
    Look("embedding", "a textual inversion embedding", "embeddings", is_embedding),
    Look("network", "a LoRA or one of its relatives", "models/Lora", is_network),
    Look("controlnet", "a ControlNet", "models/ControlNet",
         any_begins("control_model.", "controlnet_", "input_hint_block.", "zero_convs.")),
    Look("ip-adapter", "an IP-Adapter", "models/ControlNet", any_begins("ip_adapter.", "image_proj.")),
    Look("t2i-adapter", "a T2I-Adapter", "models/ControlNet",
         any_begins("adapter.body.", "body.0.block1.", "body.0.resnets.")),
    Look("motion module", "an AnimateDiff motion module", "", any_has("motion_modules.")),
    Look("vae", "a VAE", "models/VAE", is_vae),
    Look("taesd", "a tiny autoencoder (TAESD)", "models/VAE-taesd",
         any_begins("decoder.layers.", "encoder.layers.0.conv", "taesd_decoder.", "taesd_encoder.")),
    *(checkpoint_look(base, matches) for base, matches in NETWORKS),
    Look("clip vision", "an image encoder (CLIP vision)", "models/clip_vision",
         any_begins("vision_model.", "visual.transformer.", "visual.trunk.")),
    Look("face restorer", "a face restorer", "models/GFPGAN",
         any_begins("stylegan_decoder", "quantize.embedding", "final_linear.", "toRGB.")),
    Look("upscaler", "an upscaler (ESRGAN and kin)", "models/ESRGAN",
         any_begins("conv_first.", "model.0.weight", "model.1.sub.", "body.0.rdb1.", "layers.0.residual_group.",
                    "m_head.", "before_RG.", "feature_extraction.", "to_feat.")),
    Look("text encoder", "a text encoder", "models/text_encoder",
         any_begins("text_model.", "encoder.block.", "shared.weight", "transformer.resblocks.", "model.layers.0.",
                    "model.language_model.layers.0.", "enc.blk.0.", "blk.0.attn_q")),
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
