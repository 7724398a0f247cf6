"""Which checkpoints and VAEs there are, what they are called, and which one a name means. Knows nothing of torch, so
that the page lists models while torch is still being imported.

Source: spec/models_and_networks.md §1, §2, §4.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from modules.checkpoints.files import read_header
from modules.checkpoints.folder import INDEX, identity_file
from modules.checkpoints.hashes import BackgroundHashing, HashCache, HashingProgress, legacy_hash
from modules.checkpoints.sidecar import user_metadata
from modules.networks.folders import ModelFile, ModelFiles
from modules.terms.errors import NotFound, WebuiError
from modules.terms.registry import nearest

CHECKPOINT_ENDINGS = (".ckpt", ".safetensors", ".gguf")
VAE_ENDINGS = (".ckpt", ".pt", ".safetensors")
VAE_BESIDE_CHECKPOINT = (".vae.ckpt", ".vae.pt", ".vae.safetensors")
AUTOMATIC = ("Automatic", "auto")
BUILT_IN = "None"


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint, a file or a folder of diffusers, under the names by which A1111 knows it.

    sha256: None until it has been computed.
    """

    path: Path
    name: str
    sha256: str | None = None

    @property
    def name_for_extra(self) -> str:
        """The file's name without folder and extension: what infotext calls "Model"."""
        return self.path.stem if self.path.suffix.lower() in CHECKPOINT_ENDINGS else self.path.name

    @property
    def model_name(self) -> str:
        ending = self.path.suffix if self.path.suffix.lower() in CHECKPOINT_ENDINGS else ""  # folders have none
        return self.name.removesuffix(ending).replace("/", "_").replace("\\", "_")

    @property
    def shorthash(self) -> str | None:
        """The first ten digits of the SHA-256: what infotext calls "Model hash"."""
        return self.sha256[:10] if self.sha256 else None

    @property
    def title(self) -> str:
        return f"{self.name} [{self.shorthash}]" if self.shorthash else self.name

    @property
    def short_title(self) -> str:
        return f"{self.name_for_extra} [{self.shorthash}]" if self.shorthash else self.name_for_extra

    @cached_property
    def hash(self) -> str:
        """The legacy hash; reads 64 KB of the file when first asked."""
        return legacy_hash(self.path)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """What the file says of itself, JSON values decoded, the thumbnail left out; empty if it cannot be read."""
        try:
            raw = read_header(self.path).metadata if self.path.suffix in (".safetensors", ".gguf") else {}
        except WebuiError:
            return {}
        return {key: _decoded(value) for key, value in raw.items() if key != "modelspec.thumbnail"}

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every exact name but those with the legacy hash, which costs a read."""
        names = (self.name, self.model_name, self.name_for_extra, self.title, self.short_title)
        return names + ((self.shorthash, self.sha256) if self.shorthash and self.sha256 else ())


@dataclass(frozen=True)
class VaeInfo:
    """A VAE file; `name` is its file name."""

    path: Path
    name: str
    sha256: str | None = None

    @property
    def shorthash(self) -> str | None:
        return self.sha256[:10] if self.sha256 else None


@dataclass(frozen=True)
class VaeChoice:
    """Which VAE a checkpoint is to be used with (None: its own), who decided, and what went wrong, if something did."""

    vae: VaeInfo | None
    source: str
    note: str = ""


class Library:
    """The checkpoints and VAEs in some folders.

    checkpoint_folders: searched in this order (`--ckpt-dir` first). checkpoint_files: single files from elsewhere
    (`--ckpt`). fallback: the one that counts where there is no other. vae_folders: beside them, `*.vae.*` in
    checkpoint folders count. hashing False: no hashes at all.
    Files that come or go are noticed without a refresh. All methods may be called from any thread.
    """

    def __init__(
        self,
        checkpoint_folders: Sequence[Path],
        vae_folders: Sequence[Path] = (),
        *,
        checkpoint_files: Sequence[Path] = (),
        fallback: Path | None = None,
        hashes: HashCache | None = None,
        hashing: bool = True,
        list_hidden: Callable[[], bool] = lambda: True,
    ) -> None:
        self._checkpoint_folders = tuple(folder.absolute() for folder in checkpoint_folders)
        self._checkpoint_files = tuple(file.absolute() for file in checkpoint_files)
        beside = (*CHECKPOINT_ENDINGS, *VAE_BESIDE_CHECKPOINT, INDEX)
        self._checkpoint_places = [
            ModelFiles([folder], beside, list_hidden=list_hidden) for folder in self._checkpoint_folders
        ]
        self._vae_places = [
            ModelFiles([folder.absolute()], VAE_ENDINGS, list_hidden=list_hidden) for folder in vae_folders
        ]
        self._fallback = fallback
        self._hashes = hashes or HashCache()
        self._hashing = hashing
        self._lock = threading.Lock()
        self._seen: list[tuple[ModelFile, ...]] = []
        self._checkpoints: dict[Path, CheckpointInfo] = {}
        self._vaes: dict[str, VaeInfo] = {}
        self._background = BackgroundHashing(self._hashes, self._hash_found)

    # --- listing ---

    def refresh(self) -> None:
        """Looks at every file again, those that were overwritten too. Reads none."""
        self._look(afresh=True)

    def _look(self, *, afresh: bool = False) -> None:
        seen = [place.look(afresh=afresh) for place in (*self._checkpoint_places, *self._vae_places)]
        with self._lock:
            if (
                not afresh
                and len(seen) == len(self._seen)
                and all(a is b for a, b in zip(seen, self._seen, strict=True))
            ):
                return
        beside_count = len(self._checkpoint_places)
        checkpoints = {path: self._checkpoint(path) for path in self._checkpoint_paths(seen[:beside_count])}
        vaes = {
            path.name: VaeInfo(path, path.name, self._known_hash(path, "vae"))
            for path in self._vae_paths(seen[:beside_count], seen[beside_count:])
        }
        with self._lock:
            self._seen = seen
            self._checkpoints = checkpoints
            self._vaes = dict(sorted(vaes.items(), key=lambda item: natural_key(item[0])))

    @property
    def checkpoints(self) -> tuple[CheckpointInfo, ...]:
        self._look()
        with self._lock:
            return tuple(self._checkpoints.values())

    @property
    def vaes(self) -> tuple[VaeInfo, ...]:
        self._look()
        with self._lock:
            return tuple(self._vaes.values())

    def __len__(self) -> int:
        return len(self.checkpoints)

    # --- names ---

    def closest(self, name: str) -> CheckpointInfo | None:
        """The checkpoint that `name` means: an exact alias; else the shortest title that contains it; else the same
        without a trailing ` [hash]`. None if there is none."""
        infos = self.checkpoints
        if not name or not infos:
            return None
        for info in reversed(infos):  # of two files with one name, A1111 takes the later
            if name in info.aliases:
                return info
        wanted_hash = re.search(r"\b[0-9a-f]{8}\b", name)
        if wanted_hash:
            for info in infos:
                if info.hash == wanted_hash[0] and name in (info.hash, f"{info.name} [{info.hash}]"):
                    return info
        for text in (name, re.sub(r"\s*\[[^\]]*\]\s*$", "", name)):
            found = [info for info in infos if text and text in info.title]
            if found:
                return min(found, key=lambda info: len(info.title))
        return None

    def find(self, name: str) -> CheckpointInfo:
        """The checkpoint that `name` means. Raises: NotFound naming the nearest, or where files were looked for."""
        info = self.closest(name)
        if info is not None:
            return info
        self._need_some()
        close = nearest(name, [info.name for info in self.checkpoints])
        hint = f" Did you mean {close!r}?" if close else ""
        raise NotFound(f"There is no checkpoint called {name!r} among {len(self)}.{hint}")

    def find_or_first(self, name: str | None) -> tuple[CheckpointInfo, str]:
        """The checkpoint that the setting `name` means, else the first one and a note for the user that says so.

        Raises: NotFound if there is no checkpoint at all.
        """
        self._need_some()
        info = self.closest(name or "")
        if info is not None:
            return info, ""
        first = self.checkpoints[0]
        return first, f"Checkpoint {name!r} was not found; {first.name!r} is used instead." if name else ""

    # --- hashes ---

    def hashed(self, info: CheckpointInfo) -> CheckpointInfo:
        """`info` with its SHA-256, which is computed now if it is not known yet (seconds for a large file)."""
        if info.sha256 or not self._hashing:
            return info
        self._hashes.compute(identity_file(info.path), f"checkpoint/{info.name}")
        self._hash_found(info.path)
        return self._checkpoint(info.path, info.name)

    def hashed_vae(self, vae: VaeInfo) -> VaeInfo:
        """`vae` with its SHA-256."""
        if vae.sha256 or not self._hashing:
            return vae
        return VaeInfo(vae.path, vae.name, self._hashes.compute(vae.path, f"vae/{vae.name}"))

    def hash_in_background(self) -> None:
        """Starts hashing what has no hash yet; titles change as hashes become known."""
        if self._hashing:
            waiting = [info for info in self.checkpoints if info.sha256 is None]
            self._background.start((identity_file(info.path), f"checkpoint/{info.name}") for info in waiting)

    @property
    def hashing(self) -> HashingProgress:
        """How far background hashing is."""
        return self._background.progress

    def wait_for_hashes(self) -> None:
        self._background.wait()

    def close(self) -> None:
        """Ends background work."""
        self._background.stop()
        self._hashes.close()

    # --- VAE ---

    def resolve_vae(
        self,
        info: CheckpointInfo,
        setting: str = "Automatic",
        *,
        setting_wins: bool = True,
        forced: Path | None = None,
    ) -> VaeChoice:
        """Which VAE `info` is used with.

        setting: `sd_vae`, a file name, "Automatic" or "None" (built-in). setting_wins: a setting that is not Automatic
        beats what stands beside the checkpoint. forced: `--vae-path`, which beats everything.
        """
        automatic = setting in AUTOMATIC
        if forced is not None:
            return VaeChoice(VaeInfo(forced, forced.name, self._known_hash(forced, "vae")), "command line")
        if setting_wins and not automatic:
            return self._named_vae(setting, "setting")
        preferred = user_metadata(info.path).get("vae")
        if isinstance(preferred, str) and preferred and preferred not in AUTOMATIC:
            return self._named_vae(preferred, "user metadata")
        beside = [vae for vae in self.vaes if vae.name.startswith(info.path.stem)]
        if beside:
            return VaeChoice(beside[0], "beside the checkpoint")
        return VaeChoice(None, "built-in") if automatic else self._named_vae(setting, "setting")

    def _named_vae(self, name: str, source: str) -> VaeChoice:
        if name == BUILT_IN:
            return VaeChoice(None, source)
        vae = next((vae for vae in self.vaes if vae.name == name), None)
        if vae is None:
            return VaeChoice(None, "built-in", f"VAE {name!r} was not found; the checkpoint's own is used.")
        return VaeChoice(vae, source)

    # --- files ---

    def _checkpoint_paths(self, places: Iterable[Iterable[ModelFile]]) -> Iterator[Path]:
        seen = set()
        files = [file for file in self._checkpoint_files if file.is_file()]
        listed = [*files, *_in_order(places, (*CHECKPOINT_ENDINGS, INDEX))]
        models = {path.parent for path in listed if path.name == INDEX}
        for path in listed:
            if path.name == INDEX:
                path = path.parent
            elif models and not models.isdisjoint(path.parents):
                continue  # a part of a folder
            if path not in seen and not path.name.lower().endswith(VAE_BESIDE_CHECKPOINT):
                seen.add(path)
                yield path
        if not seen and self._fallback is not None and self._fallback.is_file():
            yield self._fallback

    def _vae_paths(
        self, beside: Iterable[Iterable[ModelFile]], places: Iterable[Iterable[ModelFile]]
    ) -> Iterator[Path]:
        yield from _in_order(beside, VAE_BESIDE_CHECKPOINT)
        yield from _in_order(places, VAE_ENDINGS)

    def _checkpoint(self, path: Path, name: str = "") -> CheckpointInfo:
        name = name or self._name(path)
        return CheckpointInfo(path, name, self._known_hash(path, "checkpoint", name))

    def _name(self, path: Path) -> str:
        for folder in self._checkpoint_folders:
            if path.is_relative_to(folder):
                return str(path.relative_to(folder)) if path != folder else path.name
        return path.name

    def _known_hash(self, path: Path, section: str, name: str = "") -> str | None:
        return self._hashes.known(identity_file(path), f"{section}/{name or path.name}") if self._hashing else None

    def _hash_found(self, path: Path) -> None:
        with self._lock:
            infos = [info for known, info in self._checkpoints.items() if path == known or known in path.parents]
            for info in infos:
                self._checkpoints[info.path] = self._checkpoint(info.path, info.name)

    def _need_some(self) -> None:
        if not len(self):
            places = ", ".join(str(folder) for folder in self._checkpoint_folders)
            raise NotFound(f"There is no checkpoint yet. Put a .safetensors file into one of: {places}; then refresh.")


def info_of_file(path: Path) -> CheckpointInfo:
    """The identity of a checkpoint that lies in no library folder."""
    return CheckpointInfo(path.absolute(), path.name)


def _in_order(places: Iterable[Iterable[ModelFile]], endings: tuple[str, ...]) -> Iterator[Path]:
    """The files with one of `endings`, place by place, each in natural order."""
    for files in places:
        paths = [file.path for file in files if file.path.name.lower().endswith(endings)]
        yield from sorted(paths, key=lambda path: natural_key(str(path)))


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which v2 comes before v10, whatever the case."""
    return [
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, "" if part.isdecimal() else part)
        for part in re.split(r"(\d+)", text.lower())
    ]


def _decoded(value: str) -> Any:
    if value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
