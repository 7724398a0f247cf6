"""The part of the studio that needs torch. Importing this module is cheap; the first use of an `Engine` is not."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modules.enhance.captions import captioners
from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from modules.enhance.caption_models import CaptionModels
    from modules.enhance.networks import Networks
    from modules.enhance.upscaler import Upscaler
    from modules.generation.tools import Tools
    from modules.settings.store import Settings
    from modules.studio.studio import Studio
    from modules.terms.registry import Registry

log = logging.getLogger("atelier.engine")

T = TypeVar("T")


class Engine:
    """Makes the tools of generation once, on first use, whoever asks first."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._tools: Tools | None = None
        self._picture_networks: Networks | None = None
        self._caption_models: CaptionModels | None = None
        self.state = "starting"

    def tools(self, settings: Settings) -> Tools:
        """The tools for a job under `settings`. The first call imports torch and finds the device."""
        with self._lock:
            if self._tools is None:
                from modules.enhance.caption_models import CaptionModels
                from modules.enhance.detection.detect import Detectors
                from modules.enhance.faces.restore import Faces

                self._studio.additions.enter_engine()
                self._tools = make_tools(self._studio)
                self._picture_networks = make_picture_networks(self._studio, self._tools)
                faces = Faces(self._picture_networks, self._studio.flags.face_folders)
                self._caption_models = CaptionModels(
                    (self._studio.flags.models_dir,),
                    lambda: caption_device(self._studio, self._tools),
                    self._tools.models.residents,
                )
                detectors = Detectors(self._studio.flags.face_folders, (self._studio.flags.models_dir / "adetailer",))
                self._tools = self._tools.with_(faces=faces, detectors=detectors)
            self._tools.models.follow(settings)
            return self._tools.with_(
                settings=settings,
                styles=self._studio.styles,
                captioners=captioners(self._caption_models, settings),
                upscalers=upscalers_of(self._studio, self._picture_networks),
            )

    def warm_up(self) -> None:
        """Starts the engine and loads the chosen checkpoint, so that the first picture need not wait for either.

        What goes wrong is told through `state`, and again to the job that needs it; the page stays up.
        """
        began = time.monotonic()
        try:
            tools = self.tools(self._studio.settings)
            if not (self._studio.flags.skip_load_model_at_start or self._studio.flags.ui_debug_mode):
                self.load_chosen()
            self._studio.library.hash_in_background()
            # Half a million objects by now, nearly all for good: libraries, the page, routes. Looking through them for
            # garbage stopped every thread for 0.4 s each time. A model among them still goes with its last user.
            gc.freeze()
        except WebuiError as error:
            self.state = str(error)
            log.warning("%s", error)
        except ImportError as error:
            self.state = f"The engine could not be started ({error}). Delete the folder venv and start again."
            log.exception("The engine could not be started.")
        else:
            self.state = "ready"
            log.info("The engine is ready on %s after %.1f s", tools.models.device, time.monotonic() - began)

    def load_chosen(self) -> None:
        """Loads the checkpoint that the settings name, unless it is in memory. Raises: as `Models.borrow`."""
        tools = self.tools(self._studio.settings)
        info, _ = tools.models.library.find_or_first(self._studio.chosen_checkpoint)
        with tools.models.borrow(info.title):
            pass

    def unload_networks(self) -> None:
        """Drops the networks that enlarge pictures, find or repair faces or describe pictures."""
        if self._caption_models is not None:
            self._caption_models.unload()
        if self._picture_networks is not None:
            self._picture_networks.unload()
        self.when_started(lambda tools: tools.detectors.forget())

    def when_started(self, act: Callable[[Tools], T]) -> T | None:
        """`act(tools)` if the engine runs, else None: there is nothing to unload or free before that."""
        return act(self._tools) if self._tools is not None else None


def make_tools(studio: Studio) -> Tools:
    """Tools over the studio's files, on the device that the flags ask for."""
    from modules.checkpoints.approximate import Approximations
    from modules.checkpoints.devices import DeviceWishes
    from modules.checkpoints.memory import Models
    from modules.checkpoints.offload import Offload
    from modules.conditioning.embeddings import EmbeddingLibrary
    from modules.control.shelf import ControlShelf
    from modules.generation.network_shelf import NetworkShelf
    from modules.generation.tools import Tools

    flags = studio.flags
    on_cpu = bool({"all", "sd"} & set(flags.use_cpu or ()))
    wishes = DeviceWishes(
        device="cpu" if on_cpu else device_named(flags.device_id),
        full_precision=flags.no_half or flags.precision == "full",
        full_precision_vae=flags.no_half_vae,
        half_text=flags.precision == "half",
        offload=Offload.BLOCKS if flags.lowvram else Offload.PARTS if flags.medvram else Offload.NONE,
        offload_sdxl=Offload.PARTS if flags.medvram_sdxl else Offload.NONE,
    )
    models = Models(
        studio.library,
        wishes,
        forced_vae=flags.vae_path,
        companions=studio.companions,
        on_loaded=lambda bundle: studio.host.model_loaded() if studio.host else None,
    )
    return Tools(
        models=models,
        settings=studio.settings,
        styles=studio.styles,
        embeddings=EmbeddingLibrary(flags.embedding_folders),
        networks=NetworkShelf(studio.loras, studio.hypernetworks),
        controls=ControlShelf(
            flags.control_folders, flags.controlnet_preprocessor_models_dir, residents=models.residents
        ),
        approximations=Approximations(flags.approximation_folders),
        version=studio.infotext_version,
    )


def caption_device(studio: Studio, tools: Tools | None) -> Any:
    """Where pictures are described; `--use-cpu interrogate` keeps that off the device."""
    on_cpu = bool({"all", "interrogate"} & {name.lower() for name in studio.flags.use_cpu or ()})
    return "cpu" if on_cpu or tools is None else tools.models.device


def make_picture_networks(studio: Studio, tools: Tools) -> Networks:
    """The networks that enlarge pictures or repair faces; `--use-cpu` may name their folders ("esrgan", "swinir")."""
    import torch

    from modules.enhance.networks import Networks, Placement

    flags = studio.flags
    on_cpu = {name.lower() for name in flags.use_cpu or ()}

    def place(path: Path) -> Placement:
        named = {folder.lower() for folder in path.parent.parts[-2:]}
        if on_cpu & {"all", *named}:
            return Placement(torch.device("cpu"))
        return Placement(tools.models.device, half=tools.models.placement.unet == torch.float16)

    return Networks(place, residents=tools.models.residents)


def upscalers_of(studio: Studio, networks: Networks | None) -> Registry[Upscaler]:
    """Every upscaler by name: those without a file, then those in the studio's folders."""
    from modules.enhance.upscaler import simple_upscalers
    from modules.enhance.upscalers.network import file_upscalers

    upscalers = simple_upscalers()
    for one in file_upscalers(studio.upscaler_files.files, networks) if networks else ():
        upscalers.add(one)
    for load in studio.additions.upscalers.values():
        upscalers.add(load())
    return upscalers


def device_named(device_id: str | None) -> Any:
    """What `--device-id` means: a number is a CUDA device, "" lets the machine decide."""
    return f"cuda:{device_id}" if device_id and device_id.isdecimal() else device_id or ""
