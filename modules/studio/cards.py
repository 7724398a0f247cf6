"""The models as cards: searched, sorted, a page at a time, with what people keep beside the files.

A list of ten thousand is searched in memory; what stands beside a file is read only for the cards that are shown.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.library import CheckpointInfo, natural_key
from modules.checkpoints.notes import description_of, preview_among, preview_of, write_notes
from modules.checkpoints.sidecar import user_metadata
from modules.conditioning.embeddings import EmbeddingLibrary
from modules.imaging.files import open_image
from modules.imaging.metadata import png_chunks, texts_in
from modules.networks.files import read_metadata
from modules.networks.folders import ModelFile
from modules.networks.index import Said
from modules.networks.library import NetworkInfo
from modules.studio.lora_versions import fitting
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, NotFound
from modules.terms.registry import nearest

if TYPE_CHECKING:
    from modules.studio.studio import Studio

MOST = 1000


@dataclass(frozen=True)
class Model:
    """One model of a list. `place`: its path below the folder that is searched. `words`: what a search looks at.
    `size`: of its file, in bytes."""

    name: str
    alias: str
    title: str
    path: Path
    place: str
    modified: float
    base: str
    hash: str
    words: str
    size: int = 0
    info: NetworkInfo | None = field(default=None, repr=False, compare=False)

    @property
    def slashed(self) -> str:
        """`place` with "/" whatever the system."""
        return self.place.replace(os.sep, "/")

    @property
    def hidden(self) -> bool:
        """Whether it is in a folder whose name begins with a dot."""
        return self.slashed.startswith(".") or "/." in self.slashed

    def with_header(self) -> Model:
        """With what the header says, if it is a network whose header may not have been read."""
        if self.info is None:
            return self
        return dataclasses.replace(self, alias=self.info.alias, base=self.info.base, hash=self.info.stated_hash)


@dataclass(frozen=True)
class Card:
    """A model with what stands beside it. `preview`: the picture, None if there is none."""

    model: Model
    preview: Path | None
    notes: Mapping[str, Any]
    description: str


@dataclass(frozen=True)
class Page:
    """Some cards of the `total` that a search found."""

    total: int
    cards: tuple[Card, ...]


ORDERS: Mapping[str, Callable[[Model], Any]] = {
    "path": lambda model: natural_key(model.place),
    "name": lambda model: natural_key(model.name),
    "date_modified": lambda model: model.modified,
    "date_created": lambda model: created(model.path),
    "size": lambda model: model.size,
}
# A search shows what is hidden only if it has at least so many letters, as in A1111.
SEARCHED = 4


class Cards:
    """The cards of a studio's models. All methods may be called from any thread."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._embeddings = EmbeddingLibrary(studio.flags.embedding_folders)
        self._made: dict[str, tuple[object, bool, tuple[Model, ...]]] = {}
        self._ordered: dict[tuple[str, str], tuple[object, tuple[Model, ...]]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(_SOURCES)

    def search(
        self,
        kind: str,
        text: str = "",
        *,
        order: str = "path",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
        folder: str = "",
        base: str = "",
    ) -> Page:
        """The cards whose path, alias, hash or base model contain every word of `text` (any case).

        folder: only those below it, as `folders` names it. base: only those made for it, as `bases` names it; without,
        LoRAs for another kind of checkpoint than the chosen one are left out, unless the settings want all.
        Raises: NotFound for an unknown kind, BadRequest for an unknown order or a page that cannot be.
        """
        if order not in ORDERS:
            raise BadRequest(f"Cards are not ordered by {order!r}. Known: {', '.join(ORDERS)}.")
        if offset < 0 or not 0 <= limit <= MOST:
            raise BadRequest(f"A page begins at 0 or later and has at most {MOST} cards.")
        words, below = text.lower().split(), f"{folder}/" if folder else ""
        hidden = self._shows_hidden(text)
        # A base that was asked for is shown, whatever the checkpoint.
        fits = fitting(self._studio) if kind == "loras" and not base else (lambda base: True)
        found = [
            model
            for model in self._in_order(kind, order)
            if all(word in model.words for word in words)
            and model.slashed.startswith(below)
            and (not base or model.base == base)
            and (hidden or not model.hidden)
            and fits(model.base)
        ]
        if descending:
            found.reverse()
        return Page(len(found), tuple(_cards(found[offset : offset + limit])))

    def folders(self, kind: str) -> tuple[str, ...]:
        """The folders that have models, "people/old", each with those that it is in. Raises: NotFound."""
        found: set[str] = set()
        dots = self._studio.settings["extra_networks_show_hidden_directories"]
        for model in self._models(kind):
            if "/" in model.slashed and (dots or not model.hidden):
                parts = model.slashed.split("/")[:-1]
                found.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
        return tuple(sorted(found, key=natural_key))

    def bases(self, kind: str) -> Mapping[str, int]:
        """What the models say that they are made for -> how many do, the most frequent first. Raises: NotFound."""
        return dict(Counter(model.base for model in self._models(kind) if model.base).most_common())

    def metadata(self, kind: str, name: str) -> Mapping[str, str]:
        """What the file of a model says of itself; empty if nothing, or it is no safetensors. Raises: NotFound."""
        return read_metadata(self._model(kind, name).path)

    def _shows_hidden(self, text: str) -> bool:
        wanted = self._studio.settings["extra_networks_hidden_models"]
        return wanted == "Always" or (wanted == "When searched" and len(text.strip()) >= SEARCHED)

    def card(self, kind: str, name: str) -> Card:
        """The card of one model by its name. Raises: NotFound naming the nearest."""
        return next(iter(_cards([self._model(kind, name)])))

    def prompt(self, kind: str, card: Card) -> tuple[str, str]:
        """What a click on the card puts into the prompt and into the negative prompt."""
        name, settings = card.model.name, self._studio.settings
        if kind == "checkpoints":
            return "", ""
        if kind == "loras" and settings["lora_preferred_name"] == "Alias from file":
            name = self._alias(card.model)
        weight = card.notes.get("preferred weight") or settings["extra_networks_default_multiplier"]
        tag = {"loras": f"<lora:{name}:{weight:g}>", "hypernetworks": f"<hypernet:{name}:{weight:g}>"}.get(kind, name)
        activation, negative = (card.notes.get(key) or "" for key in ("activation text", "negative text"))
        return f"{tag} {activation}".rstrip(), str(negative)

    def _alias(self, model: Model) -> str:
        """The name it was trained under if that means this file alone, else its file's."""
        models = self._models("loras")
        alone = sum(model.alias in (other.alias, other.name) for other in models) == 1
        return model.alias if self._studio.loras.headers_read and alone else model.name

    def set_preview(self, kind: str, name: str, data: bytes) -> Card:
        """Makes a picture the preview of a model: `<stem>.png`, which comes before all others, with its text.

        Raises: NotFound; BadRequest if it is no picture.
        """
        path = self._model(kind, name).path.with_suffix(".png")
        image = open_image(data)
        with self._lock, replacing(path) as draft:
            if image.format == "PNG":
                draft.write_bytes(data)
            else:
                texts = png_chunks(texts_in(image))
                image.convert("RGB").save(draft, "PNG", pnginfo=texts)
        return self.card(kind, name)

    def preview(self, kind: str, name: str) -> Path | None:
        """The picture of one model, None if it has none. Raises: NotFound."""
        return preview_of(self._model(kind, name).path)

    def set_notes(self, kind: str, name: str, changes: Mapping[str, Any]) -> Card:
        """Writes notes beside the model's file (see checkpoints/notes.py). Raises: NotFound, BadRequest, Refused."""
        model = self._model(kind, name)
        with self._lock:
            write_notes(model.path, changes)
        return self.card(kind, name)

    def _model(self, kind: str, name: str) -> Model:
        models = self._models(kind)
        for model in models:
            if model.name == name:
                return model
        close = nearest(name, [model.name for model in models])
        raise NotFound(f"There is nothing called {name!r} here.{f' Did you mean {close!r}?' if close else ''}")

    def _models(self, kind: str) -> tuple[Model, ...]:
        """All models of a kind; made anew only when the list has changed."""
        if kind not in _SOURCES:
            raise NotFound(f"There are no cards of {kind!r}. Known: {', '.join(_SOURCES)}.")
        source, make = _SOURCES[kind]
        listed, complete = source(self), self._studio.loras.headers_read
        with self._lock:
            known = self._made.get(kind)
            if known is None or known[1] != complete or (known[0] is not listed and known[0] != listed):
                self._made[kind] = known = (listed, complete, make(self, listed))
            return known[2]

    def _in_order(self, kind: str, order: str) -> tuple[Model, ...]:
        models = self._models(kind)
        with self._lock:
            known = self._ordered.get((kind, order))
            if known is None or known[0] is not models:
                self._ordered[kind, order] = known = (models, tuple(sorted(models, key=ORDERS[order])))
            return known[1]

    def _loras(self, infos: Sequence[NetworkInfo]) -> tuple[Model, ...]:
        """Headers that nobody has read yet are left to the background: they count in searches once they are known."""
        return _networks(infos, self._studio.loras.folders)

    def _hypernetworks(self, infos: Sequence[NetworkInfo]) -> tuple[Model, ...]:
        return _networks(infos, self._studio.hypernetworks.folders)

    def _checkpoints(self, infos: Sequence[CheckpointInfo]) -> tuple[Model, ...]:
        folders = self._studio.flags.ckpt_folders
        return tuple(
            _model(
                info.name,
                info.path,
                folders,
                _changed(info.path),
                title=info.title,
                alias=info.name_for_extra,
                hash=info.sha256 or "",
                size=_size(info.path),
            )
            for info in infos
        )

    def _inversions(self, files: Sequence[ModelFile]) -> tuple[Model, ...]:
        folders = self._studio.flags.embedding_folders
        return tuple(
            _model(file.path.stem, file.path, folders, file.stamp[0] / 1e9, size=file.stamp[1]) for file in files
        )


_SOURCES: Mapping[str, tuple[Callable[[Cards], Any], Callable[[Cards, Any], tuple[Model, ...]]]] = {
    "checkpoints": (lambda cards: cards._studio.library.checkpoints, Cards._checkpoints),
    "loras": (lambda cards: cards._studio.loras.infos, Cards._loras),
    "embeddings": (lambda cards: cards._embeddings.listed(), Cards._inversions),
    "hypernetworks": (lambda cards: cards._studio.hypernetworks.infos, Cards._hypernetworks),
}


def _networks(infos: Sequence[NetworkInfo], folders: Sequence[Path]) -> tuple[Model, ...]:
    models = []
    for info in infos:
        said = info.said_if_read or Said("", "", "")
        changed = info.stamp[0] / 1e9
        model = _model(info.name, info.path, folders, changed, alias=said.alias, base=said.base, hash=said.hash)
        models.append(dataclasses.replace(model, info=info, size=info.stamp[1]))
    return tuple(models)


def _model(
    name: str,
    path: Path,
    folders: Sequence[Path],
    modified: float,
    *,
    alias: str = "",
    title: str = "",
    base: str = "",
    hash: str = "",
    size: int = 0,
) -> Model:
    # Text and not Path: ten thousand of them are compared here, each time the list changes.
    whole = str(path)
    root = next((start for folder in folders if whole.startswith(start := f"{folder}{os.sep}")), "")
    place = whole[len(root) :] if root else path.name
    words = "\n".join((place, alias, base, hash)).lower()
    return Model(name, alias or name, title or name, path, place, modified, base, hash, words, size)


def created(path: Path) -> float:
    """When the file was created, in seconds since 1970, as far as the system tells; 0 if it is gone."""
    try:
        return path.stat().st_ctime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # deleted meanwhile


def _cards(models: Sequence[Model]) -> list[Card]:
    listed: dict[Path, frozenset[str]] = {}
    cards = []
    for model in models:
        folder = model.path.parent
        if folder not in listed:
            listed[folder] = _names_in(folder)
        beside = listed[folder]
        preview = preview_among(model.path.stem, beside)
        has_notes = f"{model.path.stem}.json" in beside
        notes = dict(user_metadata(model.path)) if has_notes else {}
        has_text = any(f"{model.path.stem}{ending}" in beside for ending in (".txt", ".description.txt"))
        description = str(notes.get("description") or (description_of(model.path) if has_text else ""))
        cards.append(Card(model.with_header(), folder / preview if preview else None, notes, description))
    return cards


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return frozenset()
