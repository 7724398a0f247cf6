"""What is this file? Its kind, what it goes with, how it was trained and where it belongs, from its header alone.

A 7 GB file takes as long as a small one; torch is needed for pickles only.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.checkpoints.blueprint import Blueprint, Defaults
from modules.checkpoints.families import known_families
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header, kind_of, read_header, read_pickle
from modules.checkpoints.looks import look_of
from modules.checkpoints.sidecar import read_sidecar, user_metadata
from modules.networks.keys import spelt
from modules.networks.kinds import known_kinds
from modules.terms.errors import UnknownFile

CONTEXT_BASES = {768: "SD 1.x", 1024: "SD 2.x", 2048: "SDXL"}
EMBEDDING_BASES = {768: "SD 1.x", 1024: "SD 2.x", 1280: "SDXL", 2048: "SDXL"}
# What trainers and the ModelSpec standard write, the longer words before those that they contain.
SAID_BASES = (
    ("sdxl", "SDXL"), ("stable-diffusion-xl", "SDXL"), ("sd_v1", "SD 1.x"), ("stable-diffusion-v1", "SD 1.x"),
    ("sd_v2", "SD 2.x"), ("stable-diffusion-v2", "SD 2.x"), ("flux2", "FLUX.2"), ("flux-2", "FLUX.2"),
    ("flux.2", "FLUX.2"), ("chroma", "Chroma"), ("flux", "FLUX.1"), ("sd3", "SD 3"), ("stable-diffusion-3", "SD 3"),
    ("zimage", "Z-Image"), ("z-image", "Z-Image"), ("z_image", "Z-Image"), ("qwen", "Qwen-Image"),
    ("lumina", "Lumina 2"), ("wan", "Wan"), ("hidream", "HiDream"), ("anima", "Anima"),
)  # fmt: skip
# Modules that only networks of one family have, in any trainer's spelling; dots and underscores count as one.
MODULE_BASES = (
    ("lora_te2_", "SDXL"), ("distilled_guidance_layer", "Chroma"), ("double_stream_modulation", "FLUX.2"),
    ("double_blocks_", "FLUX.1"), ("single_transformer_blocks_", "FLUX.1"), ("joint_blocks_", "SD 3"),
    ("ff_context_", "SD 3"), ("img_mlp_", "Qwen-Image"), ("llm_adapter_", "Anima"),
)  # fmt: skip
# Width of the layers that Z-Image and Lumina 2 call alike.
LUMINA_LAYERS, LUMINA_WIDTHS = "layers_0_", {3840: "Z-Image", 2304: "Lumina 2"}
MOST_TAGS = 20
TRAINING_FACTS = {
    "ss_sd_model_name": "trained on",
    "ss_num_train_images": "pictures",
    "ss_num_epochs": "epochs",
    "ss_steps": "steps",
    "ss_resolution": "resolution",
    "ss_network_dim": "rank",
    "ss_network_alpha": "alpha",
    "ss_clip_skip": "clip skip",
    "ss_learning_rate": "learning rate",
    "ss_optimizer": "optimizer",
    "ss_training_comment": "comment",
}


@dataclass(frozen=True)
class FileReport:
    """What a file is.

    kind: "checkpoint", "vae", "network", "embedding", "hypernetwork", "controlnet", "upscaler" …, "unknown". base: the
    family it is or goes with, "" if nothing tells. folder: where it belongs, relative to the data folder. algorithms:
    kinds of network in it. prediction: of a checkpoint, "" if only loading tells. trigger_words: what the prompt should
    say. training: facts for a table. tags: most frequent words of its captions. defaults: what a page may set its
    controls to for a checkpoint (`blueprint.Defaults`). notes: sentences for the user.
    """

    path: Path
    kind: str
    sentence: str
    base: str = ""
    variant: str = ""
    folder: str = ""
    prediction: str = ""
    algorithms: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] = ()
    training: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ()
    tensors: int = 0
    defaults: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    notes: tuple[str, ...] = ()


def inspect_file(path: Path) -> FileReport:
    """What `path` is. A model of an unknown kind is reported as such.

    Raises: NotFound; UnknownFile if it is broken or no model file at all; Refused if it is a pickle with code inside.
    """
    if "pickle" in kind_of(path):
        special = _pickled(path, read_pickle(path))
        if special is not None:
            return special
    header = read_header(path)
    common = {
        "path": path,
        "tensors": len(header.tensors),
        "parameters": sum(info.elements for info in header.tensors.values()),
        "dtypes": tuple(dtype for dtype, _ in Counter(info.dtype for info in header.tensors.values()).most_common()),
        "training": _training(header.metadata),
        "tags": _tags(header.metadata),
        "trigger_words": _trigger_words(path, header.metadata),
    }
    return _checkpoint(header, common) or _other(header, common)


def _checkpoint(header: Header, common: Mapping[str, Any]) -> FileReport | None:
    family = next((family for family in known_families() if family.recognise(header)), None)
    if family is None:
        return None
    try:
        blueprint = family.draw(header, read_sidecar(header.path))
    except UnknownFile as error:
        return FileReport(
            **common, kind="checkpoint", base=family.name, folder="models/Stable-diffusion", sentence=str(error)
        )
    notes = () if blueprint.vae else ("It has no VAE inside: choose one beside it.",)
    inside = {part.name for part in blueprint.text}
    lacking = ", ".join(wanted.words for wanted in blueprint.wanted if wanted.name not in inside)
    if lacking:
        notes = (f"It does not hold {lacking}: they are looked for beside it and in models/text_encoder.", *notes)
    variant = f", {blueprint.variant}" if blueprint.variant not in ("", "refiner") else ""
    predicts = ", v-prediction" if blueprint.prediction == "v" else ""
    terminal = ", zero terminal SNR" if blueprint.zero_terminal else ""
    return FileReport(
        **common,
        kind="checkpoint",
        base=family.name,
        variant=blueprint.variant,
        folder="models/Stable-diffusion",
        prediction=blueprint.prediction or "",
        defaults=_defaults(family, blueprint),
        notes=(*notes, *blueprint.notes),
        sentence=f"A checkpoint: {family.name}{variant}{predicts}{terminal}.",
    )


def _defaults(family: Family, blueprint: Blueprint) -> dict[str, Any]:
    said = blueprint.defaults
    if said == Defaults():
        said = replace(said, width=family.native_size, height=family.native_size)
    return asdict(said)


def _other(header: Header, common: Mapping[str, Any]) -> FileReport:
    look = look_of(header)
    if look is None:
        some = ", ".join(list(header)[:3])
        architecture = header.metadata.get("general.architecture")  # of GGUF files
        if architecture:
            some += f"; its header calls it {architecture!r}"
        return FileReport(
            **common, kind="unknown", sentence=f"A model of an unknown kind; its tensors begin with {some}."
        )
    algorithms = _algorithms(header) if look.kind == "network" else ()
    base = look.base or _base(header, look.kind)
    words = f"a network ({', '.join(algorithms)})" if algorithms else look.words
    return FileReport(
        **common,
        kind=look.kind,
        base=base,
        folder=look.folder,
        algorithms=algorithms,
        sentence=f"It looks like {words}{f' for {base}' if base and not look.base else ''}.",
    )


def _pickled(path: Path, loaded: object) -> FileReport | None:
    """Reports of what only pickles hold: A1111's embeddings and hypernetworks; None for anything else."""
    if not isinstance(loaded, Mapping):
        return None
    if "string_to_param" in loaded:
        vectors = next(iter(dict(loaded["string_to_param"]).values()), None)
        shape = tuple(getattr(vectors, "shape", ()))
        base = EMBEDDING_BASES.get(shape[-1], "") if shape else ""
        training = {"trained on": str(loaded["sd_checkpoint_name"])} if loaded.get("sd_checkpoint_name") else {}
        return FileReport(
            path, "embedding", f"A textual inversion embedding{f' for {base}' if base else ''}.", base=base,
            folder="embeddings", training=training, trigger_words=(path.stem,), tensors=1,
        )  # fmt: skip
    # A hypernetwork has, by width of the attention it changes, a pair of networks for keys and values.
    widths = {key for key, pair in loaded.items() if isinstance(key, int) and isinstance(pair, (tuple, list))}
    if widths:
        base = next((CONTEXT_BASES[width] for width in sorted(widths) if width in CONTEXT_BASES), "")
        return FileReport(
            path, "hypernetwork", f"A hypernetwork{f' for {base}' if base else ''}.", base=base,
            folder="models/hypernetworks", tensors=len(widths),
        )  # fmt: skip
    return None


def _algorithms(header: Header) -> tuple[str, ...]:
    """Names of the kinds of network in the file, the most frequent first."""
    ends: dict[str, set[str]] = {}
    for key in header:
        part = spelt(key)
        if part:
            ends.setdefault(part.group, set()).add(part.end)
    found: Counter[str] = Counter()
    for group in ends.values():
        found.update(kind.name for kind in known_kinds() if kind.recognise(frozenset(group)))
        if "dora_scale" in group:
            found["DoRA"] += 1
    return tuple(name for name, _ in found.most_common())


def _base(header: Header, kind: str) -> str:
    """The family that a file goes with: as its metadata say, else by names and widths."""
    metadata = header.metadata
    said = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}".lower()
    for word, base in SAID_BASES:
        if word in said:
            return base
    if kind == "embedding":
        if "clip_g" in header:
            return "SDXL"
        widths = {info.shape[-1] for info in header.tensors.values() if info.shape}
        return EMBEDDING_BASES.get(min(widths), "") if len(widths) == 1 else ""
    flat = {key.replace(".", "_"): info for key, info in header.tensors.items()}
    for part, base in MODULE_BASES:
        if any(part in key for key in flat):
            return base
    widths = {side for key, info in flat.items() if LUMINA_LAYERS in key for side in info.shape}
    for width, base in LUMINA_WIDTHS.items():
        if width in widths:
            return base
    for key, info in header.tensors.items():
        # What reads the text has its width: the only number that tells the families apart.
        if re.search(r"attn2[._]to_[kv]\b.*(down|lora_A|w1_b|\.diff$|to_k\.weight|to_v\.weight)", key) and info.shape:
            width = info.shape[-1] if len(info.shape) == 2 else info.shape[1]
            if width in CONTEXT_BASES:
                return CONTEXT_BASES[width]
    return ""


def _training(metadata: Mapping[str, str]) -> dict[str, str]:
    facts = {
        name: metadata[key] for key, name in TRAINING_FACTS.items() if metadata.get(key, "None") not in ("None", "")
    }
    for key, name in (("modelspec.title", "title"), ("modelspec.author", "author"), ("modelspec.license", "licence")):
        if metadata.get(key):
            facts[name] = metadata[key]
    return facts


def _tags(metadata: Mapping[str, str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for folder in _json_object(metadata.get("ss_tag_frequency")).values():
        if isinstance(folder, Mapping):
            counts.update({str(tag).strip(): int(count) for tag, count in folder.items() if _is_number(count)})
    return dict(counts.most_common(MOST_TAGS))


def _trigger_words(path: Path, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What the user noted, else what the author said, else the class words of the training folders ("10_sks dog")."""
    said = user_metadata(path).get("activation text") or metadata.get("modelspec.trigger_phrase")
    if isinstance(said, str) and said.strip():
        return tuple(word.strip() for word in said.split(",") if word.strip())
    folders = _json_object(metadata.get("ss_tag_frequency")) or _json_object(metadata.get("ss_dataset_dirs"))
    regular = _json_object(metadata.get("ss_reg_dataset_dirs"))  # pictures of the class in general
    named = (folder for folder in folders if re.match(r"\d+_\S", folder) and folder not in regular)
    words = (re.sub(r"^\d+_", "", folder).strip() for folder in named)
    return tuple(dict.fromkeys(word for word in words if word))


def _json_object(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isdecimal())
