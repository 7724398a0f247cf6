"""What the worker does with a job of the Checkpoint Merger: a new file in the folder of checkpoints, or of LoRAs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.prompt.networks import extract_networks
from modules.studio.job import Job, Outcome
from modules.terms.errors import BadRequest, NotFound
from modules.terms.merging import ADD_DIFFERENCE, NO_INTERPOLATION, NOT_BAKED, SAFETENSORS, ExtractRequest, MergeRequest
from modules.terms.progress import Progress, Watcher
from modules.terms.registry import nearest

if TYPE_CHECKING:
    from modules.checkpoints.files import StateDict
    from modules.merging.bake import Baked
    from modules.studio.studio import Studio


def run_merge(studio: Studio, job: Job, watch: Watcher) -> Outcome:
    """Writes the merged checkpoint. A job that is stopped leaves no file. Raises: WebuiError, Stopped."""
    from modules.checkpoints.files import open_tensors
    from modules.merging.merge import Sources, plan
    from modules.merging.names import config_of, merged_metadata, merged_name, path_for

    began = time.monotonic()
    request: MergeRequest = job.request
    models = [studio.library.find(name) for name in _named(request)]
    primary = open_tensors(models[0].path)
    secondary, tertiary = (open_tensors(models[n].path) if len(models) > n else None for n in (1, 2))
    vae = _vae(studio, request.vae)
    sources = Sources(
        primary,
        secondary,
        tertiary,
        vae=open_tensors(vae) if vae else None,
        baked=_baked(studio, request.loras, primary),
    )
    planned = plan(request, sources)
    path = path_for(studio.flags.ckpt_folders[0], merged_name(request, models, planned.variant))
    metadata = {}
    if request.file_format == SAFETENSORS:
        metadata = merged_metadata(request, models, planned.variant, studio.library.hashed)
    planned.write(path, metadata, _steps(watch))
    config = config_of(request, models)
    if config is not None:
        shutil.copyfile(config, path.with_suffix(config.suffix))
    studio.refresh("checkpoints")
    return _outcome(f"Checkpoint saved to {path}", path, planned.notes, began)


def run_extract(studio: Studio, job: Job, watch: Watcher) -> Outcome:
    """Writes the LoRA that takes one checkpoint to another. Raises: WebuiError, Stopped."""
    from modules.checkpoints.files import open_tensors
    from modules.merging.extract import extract
    from modules.merging.names import path_for
    from modules.merging.writer import write_all

    began = time.monotonic()
    request: ExtractRequest = job.request
    tuned, base = studio.library.find(request.tuned), studio.library.find(request.base)
    stem = request.custom_name.strip() or f"{tuned.model_name}-{base.model_name}-r{request.rank}"
    path = path_for(studio.flags.lora_dir, f"{stem}.safetensors")
    made = extract(open_tensors(tuned.path), open_tensors(base.path), request, _steps(watch))
    said = {
        "ss_output_name": path.stem,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(request.rank),
        "ss_network_alpha": str(request.rank),
        "ss_sd_model_name": base.name,
    }
    write_all(path, made.tensors, said)
    studio.refresh("loras")
    notes = [f"The LoRA has {made.captured:.1%} of the difference."]
    if made.left:
        notes.append(f"{made.left} normalisations differ, too; a LoRA cannot hold them.")
    return _outcome(f"LoRA saved to {path}", path, notes, began)


def _named(request: MergeRequest) -> Sequence[str]:
    """The models that take part, in order."""
    count = {NO_INTERPOLATION: 1, ADD_DIFFERENCE: 3}.get(request.method, 2)
    return (request.primary, request.secondary, request.tertiary)[:count]


def _vae(studio: Studio, name: str) -> Path | None:
    if name in NOT_BAKED:
        return None
    known = {vae.name: vae.path for vae in studio.library.vaes}
    if name not in known:
        close = nearest(name, known)
        raise NotFound(
            f"There is no VAE called {name!r}.{f' Did you mean {close}?' if close else ''} "
            "Choose one of the list, or None."
        )
    return known[name]


def _baked(studio: Studio, text: str, state: StateDict) -> Baked | None:
    """Raises: BadRequest if a LoRA is not there, or cannot be read: a file without it is not what was asked for."""
    if not text.strip():
        return None
    from modules.generation.network_request import read_tags
    from modules.generation.network_shelf import NetworkShelf, find
    from modules.merging.bake import bake, blocks_of

    asked = read_tags(extract_networks(text)[1])
    if not asked.loras:
        raise BadRequest(f"{text!r} names no LoRA. Write it as in a prompt: <lora:name:0.8>.")
    if any(one.scheduled for one in asked.loras):
        raise BadRequest("A LoRA that is baked in acts at every step: leave start and stop out.")
    found = find(asked, NetworkShelf(studio.loras, studio.hypernetworks), lambda: blocks_of(state))
    if found.notes:
        raise BadRequest(" ".join(found.notes))
    return bake(state, [(one.asked.name, one.wanted) for one in found.loras])


def _steps(watch: Watcher) -> Callable[[int, int], None]:
    return lambda done, total: watch(Progress("merging", done, total))


def _outcome(said: str, path: Path, notes: Sequence[str], began: float) -> Outcome:
    record: dict[str, Any] = {
        "images": [],
        "seeds": [],
        "subseeds": [],
        "notes": list(notes),
        "interrupted": False,
        "seconds": time.monotonic() - began,
        "request": {},
        "extra": {},
        "model": {},
        "settings": {},
        "said": said,
        "path": str(path),
    }
    return Outcome(record)
