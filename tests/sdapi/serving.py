"""A real server on a free port, over a studio whose pictures are plain colours."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image

from modules.checkpoints.companions import Companions
from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.control.library import ControlLibrary
from modules.enhance.captions import captioners
from modules.enhance.upscalers.files import UpscalerFiles
from modules.generation.resources import LocalResources
from modules.imaging.files import save_image
from modules.prompt.styles import StyleBook
from modules.sdapi.server import guarded, make_app
from modules.studio import listings, new_networks
from modules.studio.caption_run import run_caption
from modules.studio.cards import Cards
from modules.studio.downloads.of_studio import downloads_of, keys_of
from modules.studio.engine import Engine
from modules.studio.extensions.additions import load_additions
from modules.studio.extensions.available import Available
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.states import States
from modules.studio.flag_table import Flags
from modules.studio.gallery.gallery import Gallery
from modules.studio.jobs import Job, Jobs, JobWatch, Outcome
from modules.studio.network_lists import hypernetworks_of, loras_of
from modules.studio.outputs import Outputs
from modules.studio.record import record_of
from modules.studio.settings_file import SettingsFile
from modules.studio.studio import manager_of
from modules.studio.uploads import Uploads
from modules.terms.captioning import CaptionRequest
from modules.terms.errors import BadRequest
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage, GenerationResult
from tests.studio.downloads.bad_server import allowed


class QueueStudio:
    """Everything of the studio but the drawing. `draw_step` may be set to hold a job up at its steps."""

    def __init__(self, flags: Flags) -> None:
        self.flags = flags
        self.version = "test"
        self.infotext_version = "test"
        self.engine_state = "ready"
        self.host = None
        self.chosen_checkpoint = ""
        self.engine = Engine(self)  # type: ignore[arg-type]
        self._settings_file = SettingsFile(flags)
        self.extensions = Extensions(flags, self._settings_file)
        self.additions = load_additions(self.extensions)
        self.extension_manager = manager_of(self.extensions, flags)
        self.extension_states = States(
            flags.data_dir / "config_states", self.extensions, self.extension_manager, self.version
        )
        self.extension_index = Available(flags.cache_dir / "extensions.json", allowed)
        self.styles = StyleBook.load([flags.data_dir / "styles.csv"])
        self.library = Library(flags.ckpt_folders, flags.vae_folders)
        self.companions = Companions((*flags.text_encoder_folders, *flags.vae_folders))
        self.hashes = HashCache()
        self.loras = loras_of(flags, self.hashes)
        self.hypernetworks = hypernetworks_of(flags)
        self.cards = Cards(self)  # type: ignore[arg-type]
        self.uploads = Uploads(flags.cache_dir / "uploads", flags)
        self.keys = keys_of(flags)
        self.downloads = downloads_of(self, self.keys, allowed)  # type: ignore[arg-type]
        self.resources = LocalResources(self.library, self.loras, self.hypernetworks)
        self.control_files = ControlLibrary(flags.control_folders)
        self.upscaler_files = UpscalerFiles(flags.upscaler_folders)
        self.outputs = Outputs(flags.data_dir, unsaved=flags.data_dir / "jobs" / "kept")
        self.draw_step: Callable[[Job, int], None] = lambda job, step: None
        self.stopped: list[bool] = []
        self.jobs = Jobs(flags.data_dir / "jobs", self._run)
        self.jobs.start()
        self.gallery = Gallery(flags.data_dir, flags.cache_dir, lambda: [flags.data_dir / "outputs"])

    @property
    def settings(self) -> Any:
        return self._settings_file.current

    def submit(self, request: GenerationRequest, kind: str = "txt2img", **options: Any) -> Job:
        request.check()
        return self.jobs.submit(request, kind, **options)

    def set_options(self, values: Mapping[str, Any], *, from_api: bool = False) -> tuple[str, ...]:
        return self._settings_file.change(values, from_api=from_api)

    def on_settings(self, heard: Callable[[tuple[str, ...]], None]) -> None:
        self._settings_file.listen(heard)

    def details(self, name: str) -> list[dict[str, Any]]:
        return listings.details(self, name)  # type: ignore[arg-type]

    def refresh(self, name: str) -> list[str]:
        return listings.refresh(self, name)  # type: ignore[arg-type]

    def memory(self) -> dict[str, Any]:
        return {"ram": {"free": 1, "used": 1, "total": 2}, "cuda": {"error": "unavailable"}}

    def caption(self, image: Image.Image, model: str) -> str:
        return captioners()[model].caption(image)

    def change_styles(self, change: Callable[[StyleBook], StyleBook]) -> None:
        self.styles = change(self.styles)
        self.styles.save()

    def create_embedding(self, name: str, vectors: int, words: str, *, overwrite: bool = False) -> Path:
        return new_networks.create_embedding(self, name, vectors, words, overwrite=overwrite)  # type: ignore[arg-type]

    def create_hypernetwork(self, name: str, shape: Any, *, overwrite: bool = False) -> Path:
        return new_networks.create_hypernetwork(self, name, shape, overwrite=overwrite)  # type: ignore[arg-type]

    def unload(self) -> None: ...

    def reload(self) -> None: ...

    def stop(self, restart: bool = False) -> None:
        self.stopped.append(restart)

    def close(self) -> None:
        self.jobs.close()

    def _run(self, job: Job, watch: JobWatch) -> Outcome:
        if isinstance(job.request, CaptionRequest):
            return run_caption(self, job, watch)  # type: ignore[arg-type]
        request: GenerationRequest = job.request
        if request.prompt.startswith("fail"):
            raise BadRequest("This prompt cannot be drawn.")
        for step in range(1, request.steps + 1):
            self.draw_step(job, step)
            watch(Progress("sampling", step, request.steps), lambda: Image.new("RGB", (8, 8), "red"))
        seed = request.seed if request.seed >= 0 else 7
        images, paths = [], []
        for number in range(request.batch_size * request.n_iter):
            picture = Image.new("RGB", (request.width, request.height), (seed % 256, number, 0))
            text = f"{request.prompt}\nSteps: {request.steps}, Sampler: {request.sampler}, Seed: {seed + number}"
            images.append(GeneratedImage(picture, request.prompt, request.negative_prompt, seed + number, 1, text))
            paths.append(save_image(picture, watch.folder / f"{number}.png", text))
        seeds = tuple(range(seed, seed + len(images)))
        model = {"name": "plain", "hash": "0123456789"}
        result = GenerationResult(request, tuple(images), seeds, seeds, model=model)
        settings = self.settings.with_flat(request.settings)
        return Outcome(record_of(result, paths, settings=settings))


@dataclasses.dataclass
class Server:
    """A running server. `client` speaks to it."""

    url: str
    client: httpx.Client
    studio: Any


@contextmanager
def serving(folder: Path, **flags: Any) -> Iterator[Server]:
    """A server whose data lie in `folder`, started with `flags`."""
    studio = QueueStudio(Flags(data_dir=folder, **flags))
    with serving_studio(studio) as server:
        yield server


@contextmanager
def serving_studio(studio: Any) -> Iterator[Server]:
    """A server over `studio`, which is closed afterwards."""
    app = guarded(make_app(studio), studio.flags)
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Server(url, client, studio)
    finally:
        studio.draw_step = lambda job, step: None
        studio.close()
        server.should_exit = True
        thread.join(10)
