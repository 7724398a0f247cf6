"""The one long-lived object: made in webui.py, handed to the faces. It holds; what is done is done elsewhere."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from modules.checkpoints.companions import Companions
from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.control.library import ControlLibrary
from modules.enhance.upscalers.files import UpscalerFiles
from modules.generation.resources import Resources
from modules.networks.index import MetadataIndex
from modules.networks.library import NetworkLibrary
from modules.prompt.styles import StyleBook
from modules.settings.setting import Setting
from modules.settings.store import Settings
from modules.studio import listings, new_networks
from modules.studio.batch_run import run_batch
from modules.studio.caption_run import run_caption
from modules.studio.cards import Cards
from modules.studio.downloads.of_studio import downloads_of, keys_of
from modules.studio.engine import Engine
from modules.studio.extensions.additions import Additions, load_additions
from modules.studio.extensions.available import Available
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.mirrors import Mirrors
from modules.studio.extensions.states import States
from modules.studio.extras_run import run_extras
from modules.studio.flag_table import Flags
from modules.studio.gallery.gallery import Gallery
from modules.studio.hosted_run import run_hosted
from modules.studio.job import Job, Outcome
from modules.studio.jobs import Jobs, JobWatch
from modules.studio.memory_report import memory_report
from modules.studio.merge_run import run_extract, run_merge
from modules.studio.model_folders import YAML as EXTRA_MODEL_PATHS
from modules.studio.model_folders import more_folders
from modules.studio.network_lists import hypernetworks_of, loras_of, resources_of
from modules.studio.outputs import Outputs
from modules.studio.peak_memory import peak_memory
from modules.studio.picture_run import ScriptHost, run_generation
from modules.studio.settings_file import SettingsFile
from modules.studio.uploads import Uploads
from modules.studio.version import INFOTEXT_VERSION, VERSION
from modules.terms.captioning import CaptionRequest
from modules.terms.errors import Refused
from modules.terms.extras import ExtrasRequest
from modules.terms.hosted_call import HostedCall
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from torch import device

    from modules.networks.new_hypernetwork import Shape


class Studio:
    """Flags, settings, model lists, styles, outputs, jobs and the engine, each under its own name.

    Making one opens the files of the data folder; it starts no thread and imports no torch. `start()` does.
    """

    def __init__(self, flags: Flags) -> None:
        self.flags: Flags = flags
        self.version = VERSION
        self.startup: Mapping[str, float] = {}
        self.infotext_version = INFOTEXT_VERSION
        self._settings_file = SettingsFile(flags)
        self.extensions = Extensions(flags, self._settings_file)
        self.additions: Additions = load_additions(self.extensions)
        self.extension_manager = manager_of(self.extensions, flags, self._mirrors)
        self.extension_states = States(
            flags.data_dir / "config_states", self.extensions, self.extension_manager, self.version
        )
        self.extension_index = Available(flags.cache_dir / "extensions.json", self._mirrors)
        self.host: ScriptHost | None = None
        self.flags = flags = with_other_folders(flags, self.settings)
        self.reload_styles()
        database = flags.cache_dir / "models.sqlite"
        self.hashes = hashes = HashCache(database, a1111_cache=flags.data_dir / "cache.json")
        self.library: Library = library_of(flags, hashes, self._lists_hidden)
        self.companions: Companions = Companions((*flags.text_encoder_folders, *flags.vae_folders))
        self.loras: NetworkLibrary = loras_of(flags, hashes, MetadataIndex(database), self._lists_hidden)
        self.hypernetworks: NetworkLibrary = hypernetworks_of(flags, self._lists_hidden)
        self.control_files: ControlLibrary = ControlLibrary(flags.control_folders)
        self.cards = Cards(self)
        self.resources: Resources = resources_of(self, self.hashes)
        self.uploads = Uploads(flags.cache_dir / "uploads", flags)
        self.keys = keys_of(flags)
        self.downloads = downloads_of(self, self.keys)
        self.outputs = Outputs(
            flags.data_dir, prompt_history=not flags.no_prompt_history, unsaved=flags.data_dir / "jobs" / "kept"
        )
        self.upscaler_files = UpscalerFiles(flags.upscaler_folders)
        self.engine = Engine(self)
        self.jobs = Jobs(flags.data_dir / "jobs", self._run)
        self.gallery = Gallery(flags.data_dir, flags.cache_dir, self.picture_folders, lambda: bool(self.jobs.active()))
        self._closing = threading.Event()
        self._changing_styles = threading.Lock()
        self._stop: Callable[[], None] = lambda: None

    @property
    def settings(self) -> Settings:
        """The settings as they stand now; a frozen snapshot."""
        return self._settings_file.current

    def set_options(self, values: Mapping[str, Any], *, from_api: bool = False) -> tuple[str, ...]:
        """Changes settings for good. Returns: the keys that changed. Raises: BadRequest, Refused; then none has."""
        return self._settings_file.change(values, from_api=from_api)

    def on_settings(self, heard: Callable[[tuple[str, ...]], None]) -> None:
        """Calls `heard` with the keys whenever settings have changed."""
        self._settings_file.listen(heard)

    def _mirrors(self) -> Mirrors:
        return Mirrors.named(self.settings)

    def _lists_hidden(self) -> bool:
        return bool(self.settings["list_hidden_files"])

    def add_settings(self, settings: Iterable[Setting]) -> None:
        """Takes in settings that extensions declare; values that the file had for them come into force."""
        self._settings_file.extend(settings)

    @property
    def chosen_checkpoint(self) -> str:
        """The checkpoint that the settings name; before anyone chose, the one of `--ckpt`."""
        named: str = self.settings["sd_model_checkpoint"] or ""
        return named or (self.flags.ckpt.name if self.flags.ckpt else "")

    @property
    def engine_state(self) -> str:
        """ "starting", "ready", or a sentence that says what is wrong."""
        return self.engine.state

    def submit(
        self,
        request: GenerationRequest
        | ExtrasRequest
        | CaptionRequest
        | PictureBatch
        | MergeRequest
        | ExtractRequest
        | HostedCall,
        kind: str = "txt2img",
        *,
        client: str = "",
        task_id: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        """The job that will draw `request`; it is on disk when this returns. Raises: BadRequest."""
        request.check()
        return self.jobs.submit(request, kind=kind, client=client, task_id=task_id, options=dict(options or {}))

    def listing(self, name: str) -> list[str]:
        """What can be chosen for `name` ("checkpoints", "samplers", …), as shown to a person."""
        return listings.names(self, name)

    def details(self, name: str) -> list[dict[str, Any]]:
        """The same with all that is known of each, as `/sdapi/v1` lists it."""
        return listings.details(self, name)

    def refresh(self, name: str) -> list[str]:
        """Looks at the folders again, then as `listing`."""
        return listings.refresh(self, name)

    def reload_styles(self) -> None:
        """Reads the style files again."""
        files = [Path(name) for name in self.flags.styles_file] or [self.flags.data_dir / "styles.csv"]
        self.styles: StyleBook = StyleBook.load(files)

    def change_styles(self, change: Callable[[StyleBook], StyleBook]) -> None:
        """Writes what `change` makes of the styles as their files are now. Raises: Refused where that is impossible."""
        with self._changing_styles:
            self.reload_styles()
            self.styles = change(self.styles)
            try:
                self.styles.save()
            except OSError as error:
                raise Refused(f"The styles cannot be written: {error}. Check who may write there.") from error

    def picture_folders(self) -> tuple[Path, ...]:
        """Where the library of pictures looks: what we write to, and what the user named."""
        settings = self.settings
        own = [folder for folder in self.outputs.folders(settings) if folder != self.outputs.temporary(settings)]
        named = [Path(line.strip()) for line in settings["gallery_folders"].splitlines() if line.strip()]
        return (*own, *(folder for folder in named if folder.is_absolute()))

    def memory(self) -> dict[str, Any]:
        """RAM and device memory in bytes, as `/sdapi/v1/memory` shows them."""
        return memory_report(self.engine)

    def caption(self, image: Image, model: str) -> str:
        """Words for `image` by the interrogation model of that name. Raises: NotFound, UnknownFile."""
        return self.engine.tools(self.settings).captioners[model].caption(image)

    def create_embedding(self, name: str, vectors: int, words: str, *, overwrite: bool = False) -> Path:
        """An embedding that begins as `words`, in its folder. Raises: BadRequest; as `Models.borrow`."""
        return new_networks.create_embedding(self, name, vectors, words, overwrite=overwrite)

    def create_hypernetwork(self, name: str, shape: Shape, *, overwrite: bool = False) -> Path:
        """A hypernetwork of that shape, in its folder. Raises: BadRequest."""
        return new_networks.create_hypernetwork(self, name, shape, overwrite=overwrite)

    def unload(self) -> None:
        """Drops every model from memory, once the job that uses one has ended."""
        self.engine.when_started(lambda tools: tools.models.unload())
        self.engine.when_started(lambda tools: tools.controls.drop())
        self.engine.unload_networks()

    def reload(self) -> None:
        """Loads the chosen checkpoint (again)."""
        self.engine.load_chosen()

    def start(self) -> None:
        """Begins to work: jobs run, the engine warms up. Called once the page is served."""
        self.jobs.start()
        self.gallery.start()
        threading.Thread(target=self._warm_up, name="engine", daemon=True).start()

    def _warm_up(self) -> None:
        self.engine.warm_up()
        self.loras.read_headers(stop=self._closing.is_set)

    def on_stop(self, stop: Callable[[], None]) -> None:
        """What `stop` shall call to end the server."""
        self._stop = stop

    def stop(self, restart: bool = False) -> None:
        """Ends the server; the start script starts it again if `restart`."""
        if restart:
            self.flags.restart_file.parent.mkdir(parents=True, exist_ok=True)
            self.flags.restart_file.touch()
        self._stop()

    def close(self) -> None:
        """Stops working. A job that runs goes back to the queue and is drawn after the next start."""
        self._closing.set()
        self.downloads.close()
        self.jobs.close()
        self.gallery.close()
        self.library.close()

    def _run(self, job: Job, watch: JobWatch) -> Outcome:
        with peak_memory(self._device, self.settings["memmon_poll_rate"]) as memory:
            outcome = RUNS[type(job.request)](self, job, watch)
        self.gallery.added(file.path for file in outcome.files)
        return dataclasses.replace(outcome, record={**outcome.record, "memory": memory})

    def _device(self) -> device | None:
        return self.engine.when_started(lambda tools: tools.models.device)


def with_other_folders(flags: Flags, settings: Settings) -> Flags:
    """`flags` with the model folders of other programs that the settings and yaml files name."""
    files = [*map(Path, flags.extra_model_paths_config), flags.data_dir / EXTRA_MODEL_PATHS]
    return dataclasses.replace(flags, others=more_folders(settings["other_model_folders"], files))


ROOT = Path(__file__).resolve().parents[2]
# With another data folder, too, there is something to draw with from the first minute on.
BUILT_IN_MODEL = ROOT / "models" / "Stable-diffusion" / "atelier-mini.safetensors"


def manager_of(extensions: Extensions, flags: Flags, mirrors: Callable[[], Mirrors] = Mirrors) -> Manager:
    """What installs extensions."""
    records = flags.data_dir / "private" / "extensions.json"
    return Manager(extensions, ROOT, flags.data_dir / "tmp" / "extensions", records, extensions.packages, mirrors)


def library_of(flags: Flags, hashes: HashCache, list_hidden: Callable[[], bool] = lambda: True) -> Library:
    """The checkpoints and VAEs in the folders that the command line names."""
    return Library(
        flags.ckpt_folders,
        flags.vae_folders,
        checkpoint_files=[flags.ckpt] if flags.ckpt else [],
        fallback=BUILT_IN_MODEL,
        hashes=hashes,
        hashing=not flags.no_hashing,
        list_hidden=list_hidden,
    )


# What a job asks -> what the worker does with it.
RUNS: Mapping[type, Callable[[Studio, Job, JobWatch], Outcome]] = {
    GenerationRequest: run_generation,
    PictureBatch: run_batch,
    ExtrasRequest: run_extras,
    CaptionRequest: run_caption,
    MergeRequest: run_merge,
    ExtractRequest: run_extract,
    HostedCall: run_hosted,
}
