"""Networks that make a picture of a picture: upscalers, face restorers. Recognised and built by spandrel.

A file's tensors are read by `checkpoints.files`, which runs no code of it; spandrel gets the tensors only.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.checkpoints.device_memory import trim
from modules.checkpoints.files import open_tensors
from modules.checkpoints.residents import Resident, Residents
from modules.terms.errors import OutOfMemory, UnknownFile, WebuiError

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

log = logging.getLogger("atelier.enhance")

# What building a network from tensors of the wrong shapes can raise, whatever its architecture.
_MISFITS = (RuntimeError, KeyError, ValueError, IndexError, TypeError, AssertionError, ZeroDivisionError)


@dataclass(frozen=True)
class Placement:
    """Where networks run; `half`: in half precision where they can."""

    device: torch.device
    half: bool = False


@dataclass(frozen=True)
class PictureNetwork:
    """A network with its weights, on its device. `kind`: spandrel's name of the architecture ("ESRGAN", "SwinIR")."""

    name: str
    kind: str
    purpose: str
    scale: int
    channels: int
    descriptor: ImageModelDescriptor[Any]

    def __call__(self, pixels: Tensor) -> Tensor:
        """(1, C, H, W) in [0, 1] -> (1, C, H * scale, W * scale) float32 on the CPU, in [0, 1].

        Sizes that the network cannot take are padded and cut. Raises: OutOfMemory.
        """
        with out_of_memory_told(self.name):
            drawn: Tensor = self.descriptor(pixels.to(self.descriptor.device, self.descriptor.dtype))
            return drawn.float().cpu()


def load_network(path: Path, placement: Placement) -> PictureNetwork:
    """The network in `path`.

    Raises: NotFound, Refused as `open_tensors`; UnknownFile if it is no such network; WebuiError if the packages that
    build them are not installed.
    """
    registry = _registry()
    tensors = dict(open_tensors(path))
    from spandrel import ImageModelDescriptor, UnsupportedModelError

    try:
        built = registry.load(tensors)
    except UnsupportedModelError as error:
        raise UnknownFile(
            f"{path.name} is no upscaler or face restorer of a known kind (ESRGAN, SwinIR, DAT, HAT, SPAN, GFPGAN "
            "and some forty others). Checkpoints and LoRAs have folders of their own."
        ) from error
    except _MISFITS as error:
        raise UnknownFile(
            f"{path.name} cannot be built: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}. "
            "It is damaged, or a variant of its kind that is not known."
        ) from error
    if not isinstance(built, ImageModelDescriptor):
        raise UnknownFile(f"{path.name} fills masked parts of pictures ({built.architecture.name}): no upscaler.")
    half = placement.half and built.supports_half
    built.to(placement.device, torch.float16 if half else torch.float32)
    built.eval()
    log.info("%s is a %s network, %dx, %s", path.name, built.architecture.name, built.scale, placement.device)
    return PictureNetwork(
        path.stem, str(built.architecture.id), built.purpose, built.scale, built.input_channels, built
    )


def _registry() -> Any:
    """spandrel's architectures, with those of its second package where that is installed.

    Raises: WebuiError with what to do where they cannot be imported.
    """
    try:
        from spandrel import MAIN_REGISTRY
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision for another PyTorch fails in all three ways
        raise WebuiError(
            "Networks for upscaling and faces need the packages torchvision and spandrel, which are not installed "
            f"here or do not fit this PyTorch ({str(error).splitlines()[0][:120]}). Start with --reinstall-torch; "
            "Lanczos and Nearest work without."
        ) from error
    registry = MAIN_REGISTRY.copy()
    try:
        from spandrel_extra_arches import EXTRA_REGISTRY
    except ImportError:
        return registry
    registry.add(*EXTRA_REGISTRY.architectures(), ignore_duplicates=True)
    return registry


@contextmanager
def out_of_memory_told(name: str) -> Iterator[None]:
    """Inside, running out of memory becomes OutOfMemory with a way out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        # torch's CPU allocator raises a plain RuntimeError.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
    else:
        return
    trim()
    raise OutOfMemory(f"There is not enough memory for {name}. Choose a smaller tile in Settings, Upscaling.")


class Networks:
    """Networks in memory, lent to one worker at a time; the ones used last are kept, `limit` of them.

    place(path): where the network of that file is to run; asked when it is loaded. residents: the list of all that is
    kept in memory.
    """

    def __init__(self, place: Callable[[Path], Placement], limit: int = 2, residents: Residents | None = None) -> None:
        self._place = place
        self._residents = residents or Residents()
        self._lent: list[Path] = []
        self._limit = limit
        self._turn = threading.RLock()
        self._held: OrderedDict[Path, tuple[tuple[int, int], PictureNetwork]] = OrderedDict()

    @contextmanager
    def borrow(self, path: Path) -> Iterator[PictureNetwork]:
        """The network in `path`, for the time of the `with` block. Raises: as `load_network`."""
        with self._turn:
            network = self._network(path)
            self._lent.append(path)
            try:
                yield network
            finally:
                self._lent.remove(path)

    def _network(self, path: Path) -> PictureNetwork:
        stamp = _stamp(path)
        held = self._held.get(path)
        if held is None or held[0] != stamp:
            self._held.pop(path, None)
            placement = self._place(path)
            self._residents.make_room(stamp[1], placement.device)
            self._held[path] = held = (stamp, load_network(path, placement))
        self._held.move_to_end(path)
        model = held[1].descriptor.model
        size = sum(weight.nbytes for weight in model.parameters())
        self._residents.used(_key(path), Resident(size, held[1].descriptor.device, partial(self._give_up, path)))
        while len(self._held) > self._limit:
            self._forget(next(iter(self._held)))
        return held[1]

    def _forget(self, path: Path) -> None:
        self._held.pop(path, None)
        self._residents.gone(_key(path))

    def _give_up(self, path: Path) -> bool:
        if path in self._lent or not self._turn.acquire(blocking=False):
            return False
        try:
            return self._held.pop(path, None) is not None
        finally:
            self._turn.release()

    def held(self) -> tuple[Path, ...]:
        """Files of the networks in memory, the one used last at the end."""
        return tuple(self._held)

    def unload(self, path: Path | None = None) -> None:
        """Drops the network of `path`, or all, once nobody uses one."""
        with self._turn:
            for one in list(self._held) if path is None else [path]:
                self._forget(one)
            trim()


def _key(path: Path) -> tuple[str, Path]:
    return "picture network", path


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when the file is replaced; (0, 0) if it is gone, which loading will tell."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
