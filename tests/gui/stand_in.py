"""A studio that draws coloured gradients: the real jobs, settings, styles and page, without torch and at any speed."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.generation.resources import LocalResources
from modules.networks.library import NetworkLibrary
from modules.prompt.styles import Style, StyleBook
from modules.settings.store import Settings
from modules.studio.cards import Cards
from modules.studio.downloads.of_studio import downloads_of, keys_of
from modules.studio.extensions.additions import load_additions
from modules.studio.extensions.available import Available
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.states import States
from modules.studio.flags import parse_flags
from modules.studio.gallery.gallery import Gallery
from modules.studio.job import Job, Outcome, SavedFile
from modules.studio.job_watch import JobWatch
from modules.studio.jobs import Jobs
from modules.studio.outputs import Outputs as RealOutputs
from modules.studio.settings_file import SettingsFile
from modules.studio.studio import manager_of
from modules.studio.uploads import Uploads
from modules.terms.errors import BadRequest, Interrupted, Skipped
from modules.terms.extras import ExtrasRequest
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest
from tests.studio.downloads.bad_server import allowed

LISTS: dict[str, list[str]] = {
    "detectors": ["face", "person"],
    "checkpoints": ["atelier-mini.safetensors [0123456789]"],
    "samplers": ["DPM++ 2M", "Euler a", "Euler"],
    "schedulers": ["Automatic", "Karras", "Exponential"],
    "upscalers": ["Latent", "None", "Lanczos"],
    "pixel_upscalers": ["None", "Lanczos", "4x_one"],
    "styles": ["Woodcut", "Watercolour"],
    "vae": ["Automatic", "None"],
}


@dataclass
class Outputs:
    root: Path

    def folders(self, settings: Mapping[str, Any] | None = None) -> tuple[Path, ...]:
        return (self.root, self.root.parent / "log" / "images")

    def store(self, *given: Any) -> Path:
        return RealOutputs(self.root.parent).store(*given)


@dataclass
class StandIn:
    """What the page needs of a studio. `step_seconds` is how long a step takes; `gate`, when cleared, holds jobs.

    refused: what it says instead of taking a job; fault: what a job fails with; note: what a job says while it works.
    """

    folder: Path
    step_seconds: float = 0.0
    engine_state: str = "ready"
    settings: Settings = field(
        default_factory=lambda: Settings().with_flat({"sd_model_checkpoint": LISTS["checkpoints"][0]})
    )
    refused: str = ""
    fault: str = ""
    note: str = ""
    version: str = "0"
    host: Any = None
    memory: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.flags = parse_flags(["--data-dir", str(self.folder)], environ={})
        self.models = self.folder / "models"
        self.models.mkdir(parents=True)
        self.library = Library([self.models], hashing=False)
        self.loras = NetworkLibrary(self.flags.lora_folders)
        self.hypernetworks = NetworkLibrary(self.flags.hypernetwork_folders, endings=(".pt",))
        self.cards = Cards(self)
        self.resources = LocalResources(self.library, self.loras, self.hypernetworks)
        self.hashes = HashCache()
        self.extensions = Extensions(self.flags, SettingsFile(self.flags))
        self.additions = load_additions(self.extensions)
        self.extension_manager = manager_of(self.extensions, self.flags)
        self.extension_states = States(self.folder / "states", self.extensions, self.extension_manager, self.version)
        self.extension_index = Available(self.folder / "extensions.json", allowed)
        self.extension_manager = manager_of(self.extensions, self.flags)
        self.extension_states = States(
            self.folder / "config_states", self.extensions, self.extension_manager, self.version
        )
        self.extension_index = Available(self.flags.cache_dir / "extensions.json", allowed)
        self.uploads = Uploads(self.folder / "uploads", self.flags)
        self.keys = keys_of(self.flags)
        self.downloads = downloads_of(self, self.keys, allowed)
        self.outputs = Outputs(self.folder / "outputs")
        self.outputs.root.mkdir(parents=True)
        self.gallery = Gallery(self.folder, self.flags.cache_dir, self.outputs.folders)
        self.styles = StyleBook(
            (Style("Woodcut", "woodcut of {prompt}", "photo"), Style("Watercolour", "watercolour", ""))
        )
        self.lists = {name: list(entries) for name, entries in LISTS.items()}
        self.listeners: list[Callable[[tuple[str, ...]], None]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.drawn: list[GenerationRequest] = []
        self.actions: list[str] = []
        self.asked: list[ExtrasRequest] = []
        self.batches: list[PictureBatch] = []
        self.merged: list[MergeRequest | ExtractRequest] = []
        self.jobs = Jobs(self.folder / "jobs", self._run)
        self.jobs.start()

    def reset(self) -> None:
        """As it was made; jobs and pictures stay."""
        self.step_seconds, self.engine_state = 0.0, "ready"
        self.refused = self.fault = self.note = ""
        self.memory = {}
        self.settings = Settings().with_flat({"sd_model_checkpoint": LISTS["checkpoints"][0]})
        self.lists = {name: list(entries) for name, entries in LISTS.items()}
        self.gate.set()

    def unload(self) -> None:
        self.actions.append("unload")

    def reload(self) -> None:
        self.actions.append("reload")

    def stop(self, restart: bool = False) -> None:
        self.actions.append("restart" if restart else "stop")

    def listing(self, name: str) -> list[str]:
        return list(self.lists.get(name, []))

    def refresh(self, name: str) -> list[str]:
        if name == "loras":
            self.loras.refresh()
        return self.listing(name)

    def caption(self, image: Image.Image, model: str) -> str:
        return f"{model} of {image.width}x{image.height}"

    def change_styles(self, change: Callable[[StyleBook], StyleBook]) -> None:
        self.styles = change(self.styles)
        self.lists["styles"] = [style.name for style in self.styles.styles]

    def details(self, name: str) -> list[dict[str, Any]]:
        return []

    def set_options(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        before = self.settings
        self.settings = before.with_flat(values)
        changed = tuple(self.settings.changed_since(before))
        for heard in self.listeners if changed else ():
            heard(changed)
        return changed

    def on_settings(self, heard: Callable[[tuple[str, ...]], None]) -> None:
        self.listeners.append(heard)

    def submit(self, request: GenerationRequest | ExtrasRequest | PictureBatch, kind: str = "txt2img", **_: Any) -> Job:
        request.check()
        if self.refused:
            raise BadRequest(self.refused)
        return self.jobs.submit(request, kind=kind)

    def _run(self, job: Job, watch: JobWatch) -> Outcome:
        if isinstance(job.request, ExtrasRequest):
            return self._enlarged(job.request)
        if isinstance(job.request, PictureBatch):
            self.batches.append(job.request)
            return self._saved(job.request.request, 1, False)
        if isinstance(job.request, (MergeRequest, ExtractRequest)):
            return self._merged(job.request, watch)
        request: GenerationRequest = job.request
        self.drawn.append(request)
        if "explode" in request.prompt:
            raise BadRequest("The prompt asked for <b>trouble</b>.")
        if self.fault:
            raise BadRequest(self.fault)
        seed = request.seed if request.seed >= 0 else 12345 + len(self.drawn)
        interrupted = False
        try:
            for step in range(request.steps):
                watch(
                    Progress("sampling", step, request.steps, note=self.note),
                    lambda step=step: gradient(request.width // 8, request.height // 8, seed, step / request.steps),
                )
                self.gate.wait(30)
                time.sleep(self.step_seconds)
        except Skipped:
            interrupted = False
        except Interrupted:
            interrupted = True
        return self._saved(request, seed, interrupted)

    def _merged(self, request: MergeRequest | ExtractRequest, watch: JobWatch) -> Outcome:
        """A name in the list of checkpoints; what was asked is kept."""
        self.merged.append(request)
        for step in range(3):
            watch(Progress("merging", step, 3))
            self.gate.wait(30)
        self.lists["checkpoints"].append(f"{request.custom_name}.safetensors")
        return Outcome({"images": [], "said": f"Saved <{request.custom_name}>", "notes": ["One note."]})

    def _enlarged(self, request: ExtrasRequest) -> Outcome:
        """Every picture twice as large, whatever was asked; what was asked is kept."""
        self.asked.append(request)
        images, files = [], []
        for number, picture in enumerate(request.pictures):
            large = picture.image.resize((picture.image.width * 2, picture.image.height * 2))
            text = ", ".join(filter(None, (picture.texts.get("parameters"), "Postprocess upscale by: 2")))
            data = png(large, text)
            path = self.outputs.root / f"extras-{len(self.asked)}-{number}.png"
            path.write_bytes(data)
            files.append(SavedFile(path, hashlib.sha256(data).hexdigest()))
            images.append({"path": str(path), "infotext": text, "seed": None, "subseed": None, "kind": "sample"})
        return Outcome({"images": images, "notes": [], "request": {}, "model": {}}, tuple(files))

    def _saved(self, request: GenerationRequest, seed: int, interrupted: bool) -> Outcome:
        images, files = [], []
        for number in range(request.n_iter * request.batch_size):
            image = gradient(request.width, request.height, seed + number, 1.0)
            text = infotext(request, seed + number)
            data = png(image, text)
            path = self.outputs.root / f"{len(list(self.outputs.root.iterdir())):05d}-{seed + number}.png"
            path.write_bytes(data)
            files.append(SavedFile(path, hashlib.sha256(data).hexdigest()))
            images.append(
                {"path": str(path), "infotext": text, "seed": seed + number, "subseed": 7 + number, "kind": "sample"}
            )
        record = {
            "images": images,
            "seeds": [image["seed"] for image in images],
            "notes": [self.note] if self.note else [],
            "interrupted": interrupted,
            "memory": dict(self.memory),
            "request": {name: getattr(request, name) for name in ("prompt", "negative_prompt", "width", "height")}
            | {name: getattr(request, name) for name in ("sampler", "cfg_scale", "steps")},
            "model": {"name": "atelier-mini", "hash": "0123456789"},
        }
        return Outcome(record, tuple(files), interrupted)


def infotext(request: GenerationRequest, seed: int) -> str:
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(
        f"Steps: {request.steps}, Sampler: {request.sampler}, Schedule type: {request.scheduler}, "
        f"CFG scale: {request.cfg_scale}, Seed: {seed}, Size: {request.width}x{request.height}"
    )
    return "\n".join(lines)


def gradient(width: int, height: int, seed: int, share: float) -> Image.Image:
    """A picture that depends on the seed and brightens with `share`."""
    base = Image.linear_gradient("L").resize((width, height))
    tint = [(seed * factor) % 200 for factor in (37, 91, 53)]
    bands = [base.point(lambda value, tint=one: int((value * 0.5 + tint * 0.5) * (0.3 + 0.7 * share))) for one in tint]
    return Image.merge("RGB", bands)


def png(image: Image.Image, text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()
