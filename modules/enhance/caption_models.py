"""Models that put pictures into words, run through transformers from files on this machine.

Sentences: any model that writes text for a picture (BLIP, GIT …). Tags: any classifier with many labels.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from modules.enhance.caption_files import SENTENCES, TAGS, CaptionKind
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from modules.checkpoints.residents import Residents

TAG_LIST = "selected_tags.csv"
# What reading a folder of another kind, or a damaged one, can raise.
MISFITS = (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError)


@dataclass
class CaptionModels:
    """The models in the folders `roots`; one of each kind is kept in memory where the settings say so.

    device: asked at the first use, since that finds the device. residents: the list of all that is kept in memory,
    None before torch is there.
    """

    roots: tuple[Path, ...] = ()
    device: Callable[[], Any] = lambda: "cpu"
    residents: Residents | None = None
    _held: dict[str, tuple[Path, Any, Any]] = field(default_factory=dict, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sentence(self, picture: Image.Image, settings: Mapping[str, Any]) -> str:
        """A sentence for `picture`. Raises: NotFound, UnknownFile."""
        import torch

        with self._turn:
            processor, model = self._loaded(SENTENCES, "AutoProcessor", "AutoModelForImageTextToText")
            seen = processor(images=picture.convert("RGB"), return_tensors="pt").to(self.device())
            with torch.inference_mode():
                ids = model.generate(
                    **seen,
                    num_beams=int(settings["interrogate_clip_num_beams"]),
                    min_length=int(settings["interrogate_clip_min_length"]),
                    max_length=int(settings["interrogate_clip_max_length"]),
                    do_sample=False,
                )
            self._put_away(SENTENCES, settings)
            said: str = processor.batch_decode(ids, skip_special_tokens=True)[0]
        return said.strip()

    def tags(self, picture: Image.Image, settings: Mapping[str, Any]) -> str:
        """Tags for `picture`, parted by commas, as the settings want them. Raises: NotFound, UnknownFile."""
        import torch

        with self._turn:
            processor, model = self._loaded(TAGS, "AutoImageProcessor", "AutoModelForImageClassification")
            folder = TAGS.folder_in(self.roots)
            shown = as_wd_sees(picture) if (folder / TAG_LIST).is_file() else picture.convert("RGB")
            seen = processor(images=shown, return_tensors="pt").to(self.device())
            with torch.inference_mode():
                shares = torch.sigmoid(model(**seen).logits[0].float()).tolist()
            names = labels_of(folder, model.config.id2label)
            self._put_away(TAGS, settings)
        return tag_text(dict(zip(names, shares, strict=False)), settings)

    def unload(self) -> None:
        """Forgets what is kept in memory."""
        with self._turn:
            for name in list(self._held):
                self._forget(name)

    def _forget(self, name: str) -> None:
        self._held.pop(name, None)
        if self.residents is not None:
            self.residents.gone(("captions", name))

    def _put_away(self, kind: CaptionKind, settings: Mapping[str, Any]) -> None:
        if not settings["interrogate_keep_models_in_memory"]:
            self._forget(kind.name)

    def _give_up(self, name: str) -> bool:
        if not self._turn.acquire(blocking=False):
            return False
        try:
            return self._held.pop(name, None) is not None
        finally:
            self._turn.release()

    def _loaded(self, kind: CaptionKind, processor: str, model: str) -> tuple[Any, Any]:
        """The processor and the model of `kind`, by the names of transformers' classes."""
        folder = kind.folder_in(self.roots)
        held = self._held.get(kind.name)
        if held is None or held[0] != folder:
            import transformers

            if self.residents is not None:
                self.residents.make_room(weight_bytes(folder), self.device())
            try:
                made = (
                    getattr(transformers, processor).from_pretrained(folder, local_files_only=True),
                    getattr(transformers, model).from_pretrained(
                        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
                    ),
                )
            except MISFITS as error:
                raise UnknownFile(
                    f"The model in {kind.folder}/{folder.name} cannot be used: {str(error).splitlines()[0][:200]}. "
                    f"It must be a folder as transformers writes it, with all its files, such as {kind.example}."
                ) from error
            made[1].to(self.device()).eval()
            self._held[kind.name] = held = (folder, *made)
        if self.residents is not None:
            from modules.checkpoints.residents import Resident

            drop = partial(self._give_up, kind.name)
            self.residents.used(("captions", kind.name), Resident(held[2].get_memory_footprint(), held[2].device, drop))
        return held[1], held[2]


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights in a folder as transformers writes it."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def as_wd_sees(picture: Image.Image) -> Image.Image:
    """`picture` as WD taggers, which have a list of tags beside them, were trained: on a white square, blue first."""
    side = max(picture.size)
    sheet = Image.new("RGB", (side, side), "white")
    upright = picture.convert("RGBA")
    sheet.paste(upright, ((side - picture.width) // 2, (side - picture.height) // 2), upright)
    return Image.merge("RGB", sheet.split()[::-1])


def labels_of(folder: Path, id2label: Mapping[int, str]) -> list[str]:
    """The names of a tagger's outputs in order: from the list beside it, as WD taggers have one, or its own."""
    path = folder / TAG_LIST
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            return [row["name"] for row in csv.DictReader(file)]
    return [id2label[number] for number in sorted(id2label)]


def tag_text(shares: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    """The tags that are probable enough, as A1111 writes them: sorted, with spaces, brackets escaped."""
    filtered = {tag.strip().replace(" ", "_") for tag in str(settings["deepbooru_filter_tags"]).split(",")}
    kept = {
        tag: share
        for tag, share in shares.items()
        if share >= settings["interrogate_deepbooru_score_threshold"]
        and not tag.startswith("rating:")
        and tag.replace(" ", "_") not in filtered
    }
    order = sorted(kept) if settings["deepbooru_sort_alpha"] else sorted(kept, key=lambda tag: -kept[tag])
    return ", ".join(_written(tag, kept[tag], settings) for tag in order)


def _written(tag: str, share: float, settings: Mapping[str, Any]) -> str:
    text = tag.replace("_", " ") if settings["deepbooru_use_spaces"] else tag
    if settings["deepbooru_escape"]:
        for sign in "\\()":
            text = text.replace(sign, f"\\{sign}")
    return f"({text}:{share:.3f})" if settings["interrogate_return_ranks"] else text
