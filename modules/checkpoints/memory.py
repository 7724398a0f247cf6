"""The models in memory: lent to one worker at a time, kept within one budget, the least recently used dropped first.

The one place with device state. Switching back to a model that is still held is a look into a dictionary.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modules.checkpoints.budget import AUTOMATIC, OFFLOADS, Work
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.device_memory import out_of_memory_explained, trim
from modules.checkpoints.devices import DeviceWishes, placement_for
from modules.checkpoints.files import read_header
from modules.checkpoints.keeping import Keeping, Wish
from modules.checkpoints.library import CheckpointInfo, Library, VaeChoice, VaeInfo
from modules.checkpoints.load import (
    OnProgress,
    Placement,
    draw_blueprint,
    load_checkpoint,
    load_vae,
    silent,
    with_vae,
)
from modules.checkpoints.needs import need_before, need_of
from modules.checkpoints.offload import HOME, Offload, Offloading, bytes_of
from modules.checkpoints.residents import Resident, Residents
from modules.checkpoints.sidecar import read_sidecar, user_metadata

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

AS_MANY_AS_FIT = "As many as fit"  # of the setting `models_kept`


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


def unheard(sentence: str) -> None:
    """Nobody wants to know."""


class Models:
    """Checkpoints of `library`, loaded when they are borrowed.

    limit: how many may be held at once, None: as many as fit; fewer are if memory is short. residents: whatever else is
    kept in memory, which gives way as models do. companions: text encoders and VAEs for checkpoints that lack them;
    modules: names of those chosen for all. on_loaded and on_dropped hear of each change, on the thread that caused it.

    Borrowing is exclusive: a second thread waits until the first has given back, because networks are patched while
    they are lent; the same thread may borrow several (a refiner, a hires checkpoint).
    """

    def __init__(
        self,
        library: Library,
        wishes: DeviceWishes | None = None,
        *,
        limit: int | None = 1,
        vae_setting: str = "Automatic",
        vae_setting_wins: bool = True,
        forced_vae: Path | None = None,
        companions: Companions | None = None,
        modules: Sequence[str] = (),
        residents: Residents | None = None,
        on_loaded: Callable[[ModelBundle], None] = lambda bundle: None,
        on_dropped: Callable[[CheckpointInfo], None] = lambda info: None,
    ) -> None:
        self.library = library
        self.limit = limit
        self.vae_setting, self.vae_setting_wins, self.forced_vae = vae_setting, vae_setting_wins, forced_vae
        self.companions, self.modules = companions or Companions(), tuple(modules)
        self.residents = residents or Residents()
        # More VAEs than the one in use; whether others leave the device for a model; how weights wait and are stored.
        self.spare_vaes, self.one_on_device = 0, False
        self.offload, self.fp8 = AUTOMATIC, ""
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
    def _keeping(self) -> Keeping:
        return Keeping(self.placement, self._wishes, self.residents)

    @property
    def device(self) -> torch.device:
        return self.placement.device

    def follow(self, settings: Mapping[str, Any]) -> None:
        """What the settings say of memory, VAEs and text encoders, from the next loan on."""
        by_number = settings["models_kept"] != AS_MANY_AS_FIT
        self.limit = int(settings["sd_checkpoints_limit"]) if by_number else None
        self.one_on_device = bool(settings["sd_checkpoints_keep_in_cpu"])
        self.spare_vaes = int(settings["sd_vae_checkpoint_cache"])
        self.offload, self.fp8 = settings["model_offload"], settings["fp8_storage"]
        self.vae_setting = settings["sd_vae"]
        self.vae_setting_wins = settings["sd_vae_overrides_per_model_preferences"]
        self.modules = tuple(settings["forge_additional_modules"])

    @contextmanager
    def borrow(
        self,
        name: str | CheckpointInfo | None = None,
        *,
        vae: str | None = None,
        vae_wins: bool | None = None,
        modules: Sequence[str] | None = None,
        offload: str | None = None,
        fp8: str | None = None,
        work: Work | None = None,
        on_progress: OnProgress = silent,
        on_note: Callable[[str], None] = unheard,
    ) -> Iterator[ModelBundle]:
        """The model that `name` means (None: the one last used, else the first), for the time of the `with` block.

        vae, vae_wins: a file name, "Automatic" or "None", and whether it beats what stands beside the checkpoint, for
        this loan; modules: chosen text encoders and VAEs; offload, fp8: the settings `model_offload` and `fp8_storage`.
        None means as the settings of this object say.
        work: what is to be drawn, so that as much as necessary is offloaded before; a note of the bundle says so, and
        `on_note` hears it before anything is loaded.
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
            wish = Wish(
                self.modules if modules is None else tuple(modules),
                OFFLOADS.get(self.offload if offload is None else offload, OFFLOADS[AUTOMATIC]),
                self.fp8 if fp8 is None else fp8,
                work,
                on_note,
            )
            bundle = self._bundle(info, choice, wish, on_progress)
            if choice.vae:
                bundle = with_vae(bundle, self._vae(choice.vae, on_progress), choice.vae)
            short = self._offloaded(bundle, wish)
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
                for path in list(self._vaes):
                    self._drop_vae(path)
            trim()
            return dropped

    def use(self) -> MemoryUse:
        """Memory of the device."""
        with self._book:
            held = sum(_bytes_of(entry.bundle) for entry in self._held.values())
        free, total = self.residents.measure(self.device)
        return MemoryUse(free, total, held)

    def needed(self, name: str | None = None) -> int:
        """Bytes that the weights of a model will take here, from its header alone. Raises: as `borrow`."""
        header = read_header(self._meant(name).path)
        return need_before(header, self._keeping.formats(header, self.fp8), self.companions, self.modules).weights

    # --- inside ---

    def _meant(self, name: str | CheckpointInfo | None) -> CheckpointInfo:
        if isinstance(name, CheckpointInfo):
            return name
        if name:
            return self.library.find(name)
        return self.current() or self.library.find_or_first(None)[0]

    def _bundle(self, info: CheckpointInfo, choice: VaeChoice, wish: Wish, on_progress: OnProgress) -> ModelBundle:
        header = read_header(info.path)
        formats = self._keeping.formats(header, wish.fp8)
        sidecars = user_metadata(info.path).get("modules"), read_sidecar(info.path)
        stamp = (*_stamp(info.path), wish.modules, formats.eight_bit, *sidecars)
        entry = self._held.get(info.path)
        if entry is not None and entry.stamp == stamp:
            with self._book:
                self._held.move_to_end(info.path)
            self._used(info.path, entry.bundle)
            return entry.bundle
        if entry is not None and info.path not in self._lent:
            self._drop(info.path)  # the file was replaced, or what is noted or chosen for it
        need = need_before(header, formats, self.companions, wish.modules, wish.work)
        self._make_room(need.weights)
        family = draw_blueprint(header).family.name
        if wish.work is not None and (note := self._keeping.decided(need, family, wish, present=0).note):
            wish.on_note(note)
        placement = self._keeping.loaded_to(need.weights, family, wish, formats)
        if placement.device != self.device:
            self.residents.make_room(need.weights, placement.device)
        with out_of_memory_explained(info):
            try:
                # A checkpoint without a VAE inside needs the chosen one; others keep their own to come back to.
                stand_in = self._vae(choice.vae, on_progress) if choice.vae and not _has_vae(info) else None
                bundle = load_checkpoint(
                    info,
                    placement,
                    vae=stand_in,
                    companions=self.companions,
                    modules=wish.modules,
                    on_progress=on_progress,
                )
            except BaseException:
                trim()
                raise
        if placement.device != self.device:
            bundle = replace(bundle, device=self.device)
        if self._keeping.apart:
            offloading = Offloading(bundle.unet, bundle.networks[1:], self.device)
            offloading.change(Offload.NONE if placement.device == self.device else Offload.PARTS)
            bundle = replace(bundle, offloading=offloading)
        with self._book:
            self._held[info.path] = _Held(bundle, stamp)
        self._used(info.path, bundle)
        self._on_loaded(bundle)
        return bundle

    def _offloaded(self, bundle: ModelBundle, wish: Wish) -> str:
        """Keeps `bundle` as the device's memory allows. Returns: a note, if that is slower than it could be."""
        offloading = bundle.offloading
        need = need_of(bundle, wish.work or Work())
        if offloading is None:
            # What is there is counted already.
            return self._keeping.decided(need, "", wish, present=need.weights).note if wish.work else ""
        if bundle.info.path not in self._lent:
            offloading.told()  # what a job that failed left
        family = bundle.family.name
        if self.one_on_device:
            self.residents.clear_device(self.device, but=_key(bundle.info.path))
        here = offloading.present
        least, offloading.most = self._keeping.allowed(family, wish)
        self.residents.make_room(need.peak(least) - here, self.device)
        decision = self._keeping.decided(need, family, wish, present=here)
        offloading.change(decision.mode)
        self._used(bundle.info.path, bundle)
        return decision.note if wish.work else ""

    def _vae(self, info: VaeInfo, on_progress: OnProgress) -> AutoencoderKL:
        stamp = _stamp(info.path)
        known = self._vaes.get(info.path)
        if known is None or known[0] != stamp:
            self._vaes[info.path] = known = (stamp, load_vae(info.path, self.placement, on_progress=on_progress))
        self._vaes.move_to_end(info.path)
        while len(self._vaes) > 1 + self.spare_vaes:
            self._drop_vae(next(iter(self._vaes)))
        drop = partial(self._in_turn, partial(self._drop_vae, info.path))
        self.residents.used(_key(info.path), Resident(bytes_of(known[1]), self.device, drop))
        return known[1]

    def _make_room(self, needed: int) -> None:
        """Drops the least recently used models until one more fits, by number and by memory."""
        for path in list(self._held):
            if self.limit is None or len(self._held) < self.limit:
                break
            if path not in self._lent:
                self._drop(path)
                trim()
        self.residents.make_room(needed, self.device)

    def _used(self, path: Path, bundle: ModelBundle) -> None:
        """Tells the list of what is kept that this model was used now, and how it gives way."""
        offloading = bundle.offloading
        waits = offloading is not None and offloading.mode != Offload.NONE
        leave = partial(self._leave, path, offloading) if offloading is not None else None
        drop = partial(self._in_turn, partial(self._drop, path), path)
        where = HOME if waits else self.device
        self.residents.used(_key(path), Resident(_bytes_of(bundle), where, drop, leave))

    def _leave(self, path: Path, offloading: Offloading) -> bool:
        def leave() -> bool:
            offloading.leave()
            return True

        return self._in_turn(leave, path)

    def _in_turn(self, give_up: Callable[[], bool], path: Path | None = None) -> bool:
        """`give_up()`, unless another thread or a loan has the model."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            return path not in self._lent and give_up()
        finally:
            self._turn.release()

    def _drop_vae(self, path: Path) -> bool:
        self.residents.gone(_key(path))
        return self._vaes.pop(path, None) is not None

    def _drop(self, path: Path) -> bool:
        with self._book:
            entry = self._held.pop(path, None)
        self.residents.gone(_key(path))
        if entry is None:
            return False
        self._on_dropped(entry.bundle.info)
        return True


def _has_vae(info: CheckpointInfo) -> bool:
    return draw_blueprint(read_header(info.path)).vae is not None


def _bytes_of(bundle: ModelBundle) -> int:
    return sum(weight.nbytes for one in bundle.networks for weight in one.parameters())


def _key(path: Path) -> tuple[str, Path]:
    return "checkpoint", path


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
