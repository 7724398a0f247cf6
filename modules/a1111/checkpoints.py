"""The studio's checkpoints and VAEs in A1111's shape: `modules.sd_models` and `modules.sd_vae` stand on this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.terms.errors import NotFound

if TYPE_CHECKING:
    from modules.checkpoints.library import CheckpointInfo as Info

# What extensions merge in memory is drawn with from there, until they merge again.
MADE = "merged-by-extension.safetensors"


class CheckpointInfo:
    """One checkpoint, made of the studio's entry or of a file's path."""

    def __init__(self, filename: Any) -> None:
        self._info = filename if hasattr(filename, "name_for_extra") else info_of(str(filename))
        info = self._info
        self.filename = str(info.path)
        self.name = info.name
        self.name_for_extra = info.name_for_extra
        self.model_name = info.model_name
        self.sha256 = info.sha256
        self.shorthash = info.shorthash
        self.title = info.title
        self.short_title = info.short_title
        self.is_safetensors = info.path.suffix.lower() == ".safetensors"
        self.ids = [one for one in info.aliases if one]
        self.config = None

    # These two read the file, when they are first asked; an extension may write others over them.
    @cached_property
    def hash(self) -> str:
        return self._info.hash

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return dict(self._info.metadata)

    @property
    def modelspec_thumbnail(self) -> str | None:
        return None

    def register(self) -> None:
        """The library lists what lies in its folders."""

    def calculate_shorthash(self) -> str | None:
        """The first ten digits of the file's SHA-256, which is worked out if it is not known."""
        self._info = bound().studio.library.hashed(self._info)
        self.sha256, self.shorthash = self._info.sha256, self._info.shorthash
        self.title, self.short_title = self._info.title, self._info.short_title
        return self.shorthash

    def __str__(self) -> str:
        return str({"filename": self.filename, "hash": self.shorthash})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckpointInfo) and other.filename == self.filename

    def __hash__(self) -> int:
        return hash(self.filename)


def info_of(path: str) -> Info:
    """The library's entry of a file, or one for a file that lies elsewhere."""
    from modules.checkpoints.library import info_of_file

    file = Path(path).absolute()
    found = next((info for info in bound().studio.library.checkpoints if info.path == file), None)
    return found or info_of_file(file)


def chosen() -> CheckpointInfo:
    """The checkpoint that the settings name, else the first one. Raises: NotFound if there is none."""
    settings = bound().settings
    named = settings["sd_model_checkpoint"] or bound().studio.chosen_checkpoint
    info, _ = bound().studio.library.find_or_first(named)
    return CheckpointInfo(info)


def closest(search: str) -> CheckpointInfo | None:
    """The checkpoint that a name, hash or part of a title means; None for none."""
    if not search:
        return None
    info = bound().studio.library.closest(search)
    return None if info is None else CheckpointInfo(info)


class ByName(MutableMapping[str, CheckpointInfo]):
    """The checkpoints as they stand now, by title, or by every alias; and those that extensions have put there."""

    def __init__(self, *, aliases: bool) -> None:
        self._aliases = aliases
        self._put: dict[str, CheckpointInfo] = {}

    def _all(self) -> dict[str, CheckpointInfo]:
        found: dict[str, CheckpointInfo] = {}
        for info in bound().studio.library.checkpoints:
            names = [one for one in info.aliases if one] if self._aliases else [info.title]
            one = CheckpointInfo(info)
            found.update((name, one) for name in names if name not in found)
        return {**found, **self._put}

    def __setitem__(self, name: str, info: CheckpointInfo) -> None:
        self._put[name] = info

    def __delitem__(self, name: str) -> None:
        """Forgets one that was put there; the library lists what lies in its folders."""
        self._put.pop(name, None)

    def __getitem__(self, name: str) -> CheckpointInfo:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Vaes(Mapping[str, str]):
    """The VAE files as they stand now: name -> path."""

    def __getitem__(self, name: str) -> str:
        return {vae.name: str(vae.path) for vae in bound().studio.library.vaes}[name]

    def __iter__(self) -> Iterator[str]:
        return iter([vae.name for vae in bound().studio.library.vaes])

    def __len__(self) -> int:
        return len(bound().studio.library.vaes)


class ModelData:
    """`sd_models.model_data`: the loaded model."""

    @property
    def sd_model(self) -> Any:
        from modules import shared

        return shared.sd_model

    @property
    def loaded_sd_models(self) -> list[Any]:
        return [self.sd_model] if self.sd_model.is_loaded else []

    @property
    def was_loaded_at_least_once(self) -> bool:
        return bool(self.sd_model.is_loaded)

    def get_sd_model(self) -> Any:
        """The model, loaded now if it is not."""
        if not self.sd_model.is_loaded:
            load_now()
        return self.sd_model

    def set_sd_model(self, v: Any, already_loaded: bool = False) -> None:
        """Models are kept by the studio; an extension chooses one by `sd_models.reload_model_weights`."""


def load_now(title: str = "") -> None:
    """Loads a checkpoint, or the chosen one, unless it is in memory. Raises: as `Models.borrow`."""
    studio = bound().studio
    tools = studio.engine.tools(bound().settings)
    with tools.models.borrow(title or chosen().title):
        pass


def kept(state_dict: Mapping[str, Any]) -> CheckpointInfo:
    """The checkpoint made of tensors in memory: a file of its own, the same for every such model.

    Raises: OSError; WebuiError if it has no place on the disk.
    """
    from modules.merging.writer import write_all

    studio = bound().studio
    path = studio.flags.models_dir / "Stable-diffusion" / MADE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_all(path, {key: value.detach().cpu() for key, value in state_dict.items() if hasattr(value, "detach")}, {})
    studio.refresh("checkpoints")
    return CheckpointInfo(str(path))


def choose(info: CheckpointInfo | None) -> None:
    """From now on `info` is drawn with: in a job for this job, else for good."""
    from modules import shared

    if info is None:
        raise NotFound("No checkpoint was named.")
    shared.opts.sd_model_checkpoint = info.title
