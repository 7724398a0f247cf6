"""What is not offered says so: the name, who wanted it, and where the list of what is offered stands."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from types import FrameType
from typing import Any

from modules.a1111.bound import bound

PAGE = "docs/extensions.md"
# What stands in for names of engines that the studio does not have.
INSTEAD = {
    "ldm": "The networks are those of diffusers; the layers of the UNet are offered, the rest of ldm is not.",
    "sgm": "The networks are those of diffusers; the layers of the UNet are offered, the rest of sgm is not.",
    "k_diffusion": "Samplers are the studio's own; modules.sd_samplers lists them.",
    "lycoris": "LyCORIS files are applied by the studio like LoRAs.",
    **dict.fromkeys(
        ("network_lora", "network_lokr", "network_hada", "network_full", "lora_patches"),
        "LoRAs are in the weights of the networks while a picture is drawn.",
    ),
    "modules_forge": "Forge's memory management has no counterpart here.",
    "backend": "Forge's backend has no counterpart here.",
}

# What models have there and no longer here. Where pydantic 2 still answers, it warns.
OF_PYDANTIC_1 = frozenset({"__config__", "__validators__", "__schema_cache__"})


class NotOffered(AttributeError):
    """A name of A1111 that this studio has no counterpart for."""


class NotImportable(ImportError):
    """The same, where it is asked for by an import."""


class NoSuchModule(ModuleNotFoundError):
    """A module of A1111, or of an engine it is built on, that this studio has no counterpart for."""


def not_offered(module: str, name: str) -> NotOffered | NotImportable:
    """The error for `module.name`, to be raised by a module's `__getattr__`.

    An ImportError for `from module import name`, since Python hides the sentence of an AttributeError there.
    """
    frame = _asking_frame()
    sentence = f"{module}.{name} is not offered here; {_asked_by(frame)} asked for it. {PAGE} lists what is."
    return NotImportable(sentence) if frame is not None and _imports(frame) else NotOffered(sentence)


def refusing(module: str) -> Callable[[str], Any]:
    """A module's `__getattr__` that says of every name it lacks that it is not offered."""

    def refuse(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise not_offered(module, name)

    return refuse


class MissingFunction:
    """A function of A1111 that the studio has no counterpart for: who calls it, or reads its source, is told."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise not_offered(self.module, self.name)

    @property
    def __wrapped__(self) -> Any:
        # `inspect` looks here first of all, and takes an AttributeError for a function that wraps no other.
        raise NotImportable(str(not_offered(self.module, self.name)))


def explained(error: BaseException, extension: str) -> BaseException:
    """`error`; the sentence for one that only means that A1111 has pydantic 1."""
    if not (isinstance(error, AttributeError) and str(error) in OF_PYDANTIC_1):
        return error
    sentence = f"pydantic 1's {error} is not offered here, pydantic is of version 2; {extension} asked for it."
    told = NotOffered(f"{sentence} {PAGE} lists what is.")
    told.__cause__ = error
    return told


def not_importable(module: str) -> NoSuchModule:
    """The error for an import of a whole module of A1111, or of an engine that it is built on."""
    instead = INSTEAD.get(module.partition(".")[0], "")
    sentence = f"{module} is not offered here; {_asked_by(_asking_frame())} asked for it. {instead}".rstrip()
    return NoSuchModule(f"{sentence} {PAGE} lists what is.")


def _asking_frame() -> FrameType | None:
    """The nearest frame that is neither of this room nor of what Python imports and inspects with."""
    frame = inspect.currentframe()
    while frame is not None:
        file = frame.f_code.co_filename.replace("\\", "/")
        if "/modules/a1111/" not in file and "importlib" not in file and not file.endswith("/inspect.py"):
            return frame
        frame = frame.f_back
    return None


def _asked_by(frame: FrameType | None) -> str:
    return "an extension" if frame is None else bound().studio.extensions.name_of(frame.f_code.co_filename)


def _imports(frame: FrameType) -> bool:
    """Whether the frame stands at `from … import …`."""
    opcode = frame.f_code.co_code[frame.f_lasti] if frame.f_lasti >= 0 else 0
    return dis.opname[opcode] == "IMPORT_FROM"
