"""The models in memory: lent to one worker at a time, kept within one budget, the least recently used dropped first.

The one place with device state. Switching back to a model that is still held is a look into a dictionary.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modules.checkpoints.budget import Need, Work, decided, decode_bytes, step_bytes
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.components import Component
from modules.checkpoints.devices import DeviceWishes, placement_for
from modules.checkpoints.files import Header, read_header
from modules.checkpoints.library import CheckpointInfo, Library, VaeChoice, VaeInfo
from modules.checkpoints.load import (
    OnProgress,
    Placement,
    draw_blueprint,
    load_checkpoint,
    load_vae,
    silent,
    whole_blueprint,
    with_vae,
)
from modules.checkpoints.offload import HOME, Offload, Offloading, bytes_of
from modules.checkpoints.sidecar import read_sidecar, user_metadata
from modules.terms.errors import OutOfMemory

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

KEPT_FREE = 1 << 30  # for activations, pictures and the rest of the machine
SHARE = 0.9  # of the free memory: the rest is lost to fragments
LARGEST_DECODED = 768 * 768  # pixels; a larger picture is decoded in tiles before memory runs out


@dataclass(frozen=True)
class MemoryUse:
    """Bytes. `free` and `total` are the device's own; `held` is what the models kept here take."""

    free: int
    total: int
    held: int


@dataclass
class _Held:
    bundle: ModelBundle
    stamp: tuple[object, ...]


class Models:
    """Checkpoints of `library`, loaded when they are borrowed.

    limit: how many may be held at once (`sd_checkpoints_limit`); fewer are if memory is short. companions: text
    encoders and VAEs for checkpoints that lack them; modules: names of those chosen for all. on_loaded and on_dropped
    hear of each change, on the thread that caused it.

    Borrowing is exclusive: a second thread waits until the first has given back, because networks are patched while
    they are lent; the same thread may borrow several (a refiner, a hires checkpoint).
    """

    def __init__(
        self,
        library: Library,
        wishes: DeviceWishes | None = None,
        *,
        limit: int = 1,
        vae_setting: str = "Automatic",
        vae_setting_wins: bool = True,
        forced_vae: Path | None = None,
        companions: Companions | None = None,
        modules: Sequence[str] = (),
        on_loaded: Callable[[ModelBundle], None] = lambda bundle: None,
        on_dropped: Callable[[CheckpointInfo], None] = lambda info: None,
    ) -> None:
        self.library = library
        self.limit = limit
        self.vae_setting, self.vae_setting_wins, self.forced_vae = vae_setting, vae_setting_wins, forced_vae
        self.companions, self.modules = companions or Companions(), tuple(modules)
        self._wishes = wishes or DeviceWishes()
        self._placement: Placement | None = None
        self._on_loaded, self._on_dropped = on_loaded, on_dropped
        self._turn = threading.RLock()
        self._book = threading.Lock()
        self._held: OrderedDict[Path, _Held] = OrderedDict()
        self._vaes: OrderedDict[Path, tuple[tuple[int, int], AutoencoderKL]] = OrderedDict()
        self._lent: list[Path] = []

    @property
    def placement(self) -> Placement:
        """Device and number formats, found out when first asked for. Raises: BadRequest if the device is not there."""
        if self._placement is None:
            self._placement = placement_for(self._wishes)
        return self._placement

    @property
    def device(self) -> torch.device:
        return self.placement.device

    @contextmanager
    def borrow(
        self,
        name: str | CheckpointInfo | None = None,
        *,
        vae: str | None = None,
        vae_wins: bool | None = None,
        modules: Sequence[str] | None = None,
        work: Work | None = None,
        on_progress: OnProgress = silent,
    ) -> Iterator[ModelBundle]:
        """The model that `name` means (None: the one last used, else the first), for the time of the `with` block.

        vae, vae_wins: a file name, "Automatic" or "None", and whether it beats what stands beside the checkpoint, for
        this loan; modules: chosen text encoders and VAEs. None means as the settings of this object say.
        work: what is to be drawn, so that as much as necessary is offloaded before; a note says so.
        on_progress: hears the share loaded, 0 to 1, if something has to be loaded; may raise to stop.
        Raises: NotFound, UnknownFile, Refused, OutOfMemory. A model that could not be loaded changes nothing held.
        """
        with self._turn:
            info = self._meant(name)
            choice = self.library.resolve_vae(
                info,
                self.vae_setting if vae is None else vae,
                setting_wins=self.vae_setting_wins if vae_wins is None else vae_wins,
                forced=self.forced_vae,
            )
            bundle = self._bundle(info, choice, self.modules if modules is None else tuple(modules), on_progress)
            if choice.vae:
                bundle = with_vae(bundle, self._vae(choice.vae, on_progress), choice.vae)
            short = self._offloaded(bundle, work)
            # The title changes when the hash becomes known, so the identity is that of now.
            notes = tuple(note for note in (*bundle.notes, choice.note, short) if note)
            bundle = replace(bundle, info=info, notes=notes)
            self._lent.append(info.path)
            try:
                with out_of_memory_explained(info):
                    yield bundle
            finally:
                self._lent.remove(info.path)

    def current(self) -> CheckpointInfo | None:
        """The model used last, if it is still held."""
        with self._book:
            return next(reversed(self._held.values())).bundle.info if self._held else None

    def newest(self) -> ModelBundle | None:
        """What was loaded of `current`, for looking at; whoever draws with it borrows."""
        with self._book:
            return next(reversed(self._held.values())).bundle if self._held else None

    def held(self) -> tuple[CheckpointInfo, ...]:
        """The models in memory, the one used last at the end."""
        with self._book:
            return tuple(entry.bundle.info for entry in self._held.values())

    def unload(self, name: str | None = None) -> int:
        """Drops the model that `name` means, or all; waits for running loans to end. Returns how many were dropped."""
        with self._turn:
            paths = [self.library.find(name).path] if name else list(self._held)
            dropped = sum(self._drop(path) for path in paths if path not in self._lent)
            if name is None:
                self._vaes.clear()
            trim()
            return dropped

    def use(self) -> MemoryUse:
        """Memory of the device."""
        with self._book:
            held = sum(_bytes_of(entry.bundle) for entry in self._held.values())
        free, total = device_memory(self.device)
        return MemoryUse(free, total, held)

    def needed(self, name: str | None = None) -> int:
        """Bytes that the weights of a model will take here, from its header alone. Raises: as `borrow`."""
        return _needed(read_header(self._meant(name).path), self.placement, self.companions, self.modules)

    # --- inside ---

    def _meant(self, name: str | CheckpointInfo | None) -> CheckpointInfo:
        if isinstance(name, CheckpointInfo):
            return name
        if name:
            return self.library.find(name)
        return self.current() or self.library.find_or_first(None)[0]

    def _bundle(
        self, info: CheckpointInfo, choice: VaeChoice, modules: tuple[str, ...], on_progress: OnProgress
    ) -> ModelBundle:
        stamp = (*_stamp(info.path), modules, user_metadata(info.path).get("modules"), read_sidecar(info.path))
        entry = self._held.get(info.path)
        if entry is not None and entry.stamp == stamp:
            with self._book:
                self._held.move_to_end(info.path)
            return entry.bundle
        if entry is not None and info.path not in self._lent:
            self._drop(info.path)  # the file was replaced, or what is noted or chosen for it
        self._make_room(info, modules)
        placement = self._placement_for(info, modules)
        with out_of_memory_explained(info):
            try:
                # A checkpoint without a VAE inside needs the chosen one; others keep their own to come back to.
                stand_in = self._vae(choice.vae, on_progress) if choice.vae and not _has_vae(info) else None
                bundle = load_checkpoint(
                    info,
                    placement,
                    vae=stand_in,
                    companions=self.companions,
                    modules=modules,
                    on_progress=on_progress,
                )
            except BaseException:
                trim()
                raise
        if placement.device != self.device:
            bundle = replace(bundle, device=self.device)
        if self.device.type in ("cuda", "xpu"):
            offloading = Offloading(bundle.unet, bundle.networks[1:], self.device)
            offloading.change(Offload.NONE if placement.device == self.device else Offload.PARTS)
            bundle = replace(bundle, offloading=offloading)
        with self._book:
            self._held[info.path] = _Held(bundle, stamp)
        self._on_loaded(bundle)
        return bundle

    def _placement_for(self, info: CheckpointInfo, modules: Sequence[str]) -> Placement:
        """Where a model is loaded to: into memory, if it is to be offloaded or would fill the device."""
        if self.device.type not in ("cuda", "xpu"):
            return self.placement
        header = read_header(info.path)
        needed = _needed(header, self.placement, self.companions, modules)
        asked = self._wishes.offload_for(draw_blueprint(header).family.name)
        short = needed + KEPT_FREE > device_memory(self.device)[0]
        return replace(self.placement, device=HOME) if asked or short else self.placement

    def _offloaded(self, bundle: ModelBundle, work: Work | None) -> str:
        """Keeps `bundle` as the device's memory allows. Returns: a note, if that is slower than it could be."""
        if bundle.offloading is None:
            return ""
        least = self._wishes.offload_for(bundle.family.name)
        if work is None:
            bundle.offloading.change(max(least, bundle.offloading.mode))
            return ""
        need = need_of(bundle, work)
        here = sum(bytes_of(one) for one in bundle.networks if next(one.parameters()).device == self.device)
        free = device_memory(self.device)[0] + here
        decision = decided(need, int(free * SHARE), least=least)
        bundle.offloading.change(decision.mode)
        return decision.note

    def _vae(self, info: VaeInfo, on_progress: OnProgress) -> AutoencoderKL:
        stamp = _stamp(info.path)
        known = self._vaes.get(info.path)
        if known is None or known[0] != stamp:
            self._vaes[info.path] = known = (stamp, load_vae(info.path, self.placement, on_progress=on_progress))
        self._vaes.move_to_end(info.path)
        while len(self._vaes) > max(1, self.limit):
            self._vaes.popitem(last=False)
        return known[1]

    def _make_room(self, info: CheckpointInfo, modules: Sequence[str]) -> None:
        """Drops the least recently used models until one more fits, by number and by memory."""
        needed = _needed(read_header(info.path), self.placement, self.companions, modules)
        for path in list(self._held):
            free = device_memory(self.device)[0]
            if len(self._held) < self.limit and needed + KEPT_FREE <= free:
                break
            if path not in self._lent:
                self._drop(path)
                trim()

    def _drop(self, path: Path) -> bool:
        with self._book:
            entry = self._held.pop(path, None)
        if entry is None:
            return False
        self._on_dropped(entry.bundle.info)
        return True


@contextmanager
def out_of_memory_explained(info: CheckpointInfo) -> Iterator[None]:
    """Inside, running out of memory becomes OutOfMemory with a way out, and what was half made is given back."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        sentence = _sentence(info)
        error.__traceback__ = None  # its frames hold the tensors
        trim()
        raise OutOfMemory(sentence) from None
    except RuntimeError as error:
        # torch's CPU allocator raises a plain RuntimeError.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        trim()
        raise OutOfMemory(_sentence(info)) from None


def _sentence(info: CheckpointInfo) -> str:
    return (
        f"There is not enough memory for this with {info.name}. Make the picture or the batch smaller, "
        "unload other models, or close other programs that use the device."
    )


def device_memory(device: torch.device) -> tuple[int, int]:
    """(free, total) bytes of the device; of the machine's RAM where the device has none of its own."""
    if device.type in ("cuda", "xpu"):
        module: Any = getattr(torch, device.type)
        free, total = module.mem_get_info(device)
        return int(free), int(total)
    import psutil

    ram = psutil.virtual_memory()
    return int(ram.available), int(ram.total)


def trim() -> None:
    """Gives freed memory back to the system and the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim_heap()


def trim_heap() -> None:
    """Gives what the C library keeps of freed memory back to the system: 0.2 s after a model of 4 GB."""
    if sys.platform == "linux":
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if release is not None:
            release(0)


def _needed(
    header: Header, placement: Placement, companions: Companions | None = None, modules: Sequence[str] = ()
) -> int:
    """Bytes of all weights in their target formats. Raises: UnknownFile, NotFound."""
    blueprint = whole_blueprint(header, companions or Companions(), modules)
    denoising = placement.wide if blueprint.wide_range else placement.unet
    formats: list[tuple[Component[Any], torch.dtype]] = [(blueprint.unet, denoising)]
    formats += [(part.component, placement.large_text if part.large else placement.text) for part in blueprint.text]
    formats += [(blueprint.vae, placement.vae)] if blueprint.vae else []
    total = 0
    for component, dtype in formats:
        tensors = (read_header(component.source) if component.source else header).tensors
        keys = {piece.key for piece in component.pieces.values()}
        total += sum(tensors[key].bytes_in(dtype.itemsize) for key in keys)
    return total


def need_of(bundle: ModelBundle, work: Work) -> Need:
    """What drawing `work` with `bundle` takes of the device."""
    denoiser, vae, *texts = (bytes_of(one) for one in bundle.networks)
    return Need(
        denoiser=denoiser,
        texts=sum(texts),
        vae=vae,
        step=step_bytes(bundle.unet.config, work, bundle.latent.downscale, bundle.dtype.itemsize),
        decode=decode_bytes(bundle.vae.config, work, bundle.vae.dtype.itemsize, LARGEST_DECODED),
    )


def _has_vae(info: CheckpointInfo) -> bool:
    return draw_blueprint(read_header(info.path)).vae is not None


def _bytes_of(bundle: ModelBundle) -> int:
    return sum(weight.nbytes for one in bundle.networks for weight in one.parameters())


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
