"""The files that stand beside checkpoints which do not bring everything: text encoders and VAEs of their own.

A checkpoint of FLUX is often the denoising network alone. What it lacks is taken from what was chosen (the setting
"VAE / text encoders", or "modules" in the checkpoint's `.json`), else from what lies in the folders for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modules.checkpoints.blueprint import Blueprint, TextPlan, Wanted
from modules.checkpoints.components import MISFITS, Component, fitting
from modules.checkpoints.files import Header, read_header
from modules.checkpoints.kl_vae import vae_component
from modules.terms.errors import NotFound, WebuiError
from modules.terms.registry import nearest

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

ENDINGS = (".safetensors", ".sft", ".gguf")
TEXT_FOLDER = "models/text_encoder"
VAE_FOLDER = "models/VAE"


@dataclass
class Companions:
    """The files in some folders and below, looked at when first asked for."""

    folders: Sequence[Path] = ()
    _headers: dict[Path, tuple[tuple[int, int], Header | None]] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """All that may hold something, each once, by folder and name."""
        found = (
            path
            for folder in self.folders
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in ENDINGS and path.is_file()
        )
        return tuple(dict.fromkeys(found))

    @property
    def names(self) -> tuple[str, ...]:
        """What a person may choose."""
        return tuple(path.name for path in self.files)

    def chosen(self, names: Iterable[str]) -> tuple[Path, ...]:
        """The files of those names or paths, "Built-in" and empty ones left out. Raises: NotFound."""
        by_name = {path.name: path for path in reversed(self.files)}
        paths = []
        for name in names:
            if not name or name in ("Built-in", "None", "Automatic"):
                continue
            path = by_name.get(name) or by_name.get(Path(name).name)
            if path is None and Path(name).is_absolute() and Path(name).is_file():
                path = Path(name)
            if path is None:
                close = nearest(name, list(by_name))
                hint = f" Did you mean {close!r}?" if close else f" Put it into {TEXT_FOLDER} or {VAE_FOLDER}."
                raise NotFound(f"There is no text encoder or VAE called {name!r}.{hint}")
            paths.append(path)
        return tuple(paths)

    def header(self, path: Path) -> Header | None:
        """The header of `path`, read once per version of the file; None if it cannot be read."""
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._headers.get(path)
        if known is None or known[0] != stamp:
            try:
                header: Header | None = read_header(path)
            except WebuiError:
                header = None
            self._headers[path] = known = (stamp, header)
        return known[1]

    def headers(self, chosen: Sequence[Path], hints: Sequence[str] = ()) -> Iterator[Header]:
        """Every readable file: those chosen first, then those whose names have one of `hints`, then the rest."""
        rest = [path for path in self.files if path not in chosen]
        rest.sort(key=lambda path: not any(hint in path.name.lower() for hint in hints))
        for path in (*chosen, *rest):
            header = self.header(path)
            if header is not None:
                yield header


def completed(blueprint: Blueprint, header: Header, companions: Companions, names: Sequence[str] = ()) -> Blueprint:
    """`blueprint` with what its file lacks, taken from `companions`. names: those that were chosen.

    A chosen encoder replaces the file's own. Raises: NotFound naming what is missing and where it belongs.
    """
    chosen = companions.chosen(names)
    missing: list[str] = []
    notes: list[str] = []
    found = {part.name: part for part in blueprint.text}
    for wanted in blueprint.wanted:
        headers = _chosen(companions, chosen) if wanted.name in found else companions.headers(chosen, wanted.hints)
        holder = next((one for one in headers if _recognised(wanted, one)), None)
        if holder is not None:
            with fitting(holder.path, wanted.words):
                found[wanted.name] = _lying_in(wanted.draw(holder), holder.path)
        elif wanted.name in found:
            continue
        elif wanted.needed:
            missing.append(f"{wanted.words} (in {TEXT_FOLDER})")
        elif wanted.without:
            notes.append(wanted.without)
    vae = _vae_for(blueprint, companions, chosen) or blueprint.vae
    if missing:
        raise NotFound(
            f"{header.path.name} is {blueprint.family.name}, and lacks {' and '.join(missing)}. Put the file there and "
            "refresh, or choose it under VAE / text encoders."
        )
    order = [wanted.name for wanted in blueprint.wanted]
    own = [part.name for part in blueprint.text if part.name not in order]
    text = tuple(found[name] for name in (*own, *order) if name in found)
    return replace(blueprint, text=text, vae=vae, wanted=(), notes=(*blueprint.notes, *notes))


def _chosen(companions: Companions, chosen: Sequence[Path]) -> Iterator[Header]:
    return (header for path in chosen if (header := companions.header(path)) is not None)


def _recognised(wanted: Wanted, header: Header) -> bool:
    """Whether the file is what is wanted; one that makes no sense is not."""
    try:
        return wanted.recognise(header)
    except (WebuiError, *MISFITS):
        return False


def _lying_in(part: TextPlan, path: Path) -> TextPlan:
    """`part`, which knows the file that it is in."""
    placed: TextPlan = replace(cast("Any", part), component=replace(part.component, source=path))
    return placed


def _vae_for(blueprint: Blueprint, companions: Companions, chosen: Sequence[Path]) -> Component[AutoencoderKL] | None:
    """A VAE whose latents have the channels that are needed: a chosen one; where the file has none, one that its name
    tells to be the right one."""
    headers = companions.headers(chosen, blueprint.vae_hints) if blueprint.vae is None else _chosen(companions, chosen)
    for header in headers:
        named = any(hint in header.path.name.lower() for hint in blueprint.vae_hints)
        # A VAE without a telling name is not guessed: FLUX's and SD 3's differ in nothing but their numbers.
        if header.path not in chosen and not named:
            continue
        try:
            component = vae_component(header)
        except (WebuiError, *MISFITS):
            continue
        if component is not None and component.config["latent_channels"] == blueprint.latent.channels:
            return replace(component, source=header.path)
    return None
