"""The networks that a prompt asks for, in a model for the time of a pass; and what infotext says of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.resting import rest_texts, wake_texts
from modules.conditioning.embeddings import Embedding
from modules.conditioning.encode import PromptEncoder, Timing
from modules.generation.facts import completed
from modules.generation.network_request import read_tags
from modules.generation.network_shelf import FoundLora, NetworkShelf, find
from modules.generation.network_tags import NOT_IN_HASHES
from modules.generation.texts import Texts, encode
from modules.networks.hypernetwork import attending
from modules.networks.names import Part
from modules.networks.patch import Applied, Patches
from modules.prompt.networks import NetworkTag
from modules.terms.progress import Progress, Watcher

if TYPE_CHECKING:
    from PIL.Image import Image

    from modules.generation.session import Session

Settings = Mapping[str, Any]


class PassNetworks:
    """The networks of one pass of a batch, for every model that takes part in it.

    steps: of the pass. hires: whether it is the second one.
    """

    def __init__(self, session: Session, tags: Sequence[NetworkTag], steps: int, *, hires: bool = False) -> None:
        self._session, self._tags, self._steps, self._hires = session, tags, steps, hires
        self._applied: list[AppliedNetworks] = []

    @contextlib.contextmanager
    def texts(
        self,
        bundle: ModelBundle,
        *,
        prompts: Sequence[str],
        negatives: Sequence[str],
        timing: Timing,
        size: tuple[int, int],
    ) -> Iterator[Texts]:
        """What `bundle` is asked for pictures of `size`. Within: the networks are in it; afterwards it is bit by bit as
        before.

        What cannot be found, read or applied becomes a note; the rest goes on.
        """
        tools, settings = self._session.tools, self._session.settings
        if self._tags:
            wake_texts(bundle)
        with networks_applied(self._tags, bundle, tools.networks, settings, self._steps) as applied:
            self._session.hooks.networks_applied(self._session, self._tags, hires=self._hires)
            encoder = applied.encoder(tools.encoder(bundle))
            identity = applied.identity
            texts = bundle.enduring(lambda: encode(prompts, negatives, encoder, timing, settings, identity))
            texts = completed(texts, bundle, settings, size, negatives)
            self._take_down(applied, texts)
            self._applied.append(applied)
            if not applied.identity:
                rest_texts(bundle)
            try:
                yield texts
            finally:
                self._applied.remove(applied)

    def watched(self, watch: Watcher) -> Watcher:
        """`watch`, which also switches on and off the networks that have a start or a stop, after each step."""

        def follow(progress: Progress, preview: Callable[[], Image] | None = None) -> None:
            watch(progress, preview)
            if progress.phase == "sampling":
                for applied in self._applied:
                    applied.at(0 if progress.step >= progress.steps else progress.step, progress.steps)

        return follow

    def _take_down(self, applied: AppliedNetworks, texts: Texts) -> None:
        """Notes and infotext entries about the networks, and the inversions in `texts`, go into the session.

        The hires pass adds its LoRAs to those of the first pass, and says nothing of inversions, as in A1111.
        """
        session = self._session
        for sentence in applied.notes:
            session.note(sentence)
        again = self._hires or bool(self._applied)
        for key, value in applied.recorded.items():
            before = session.extra.get(key) if again else None
            entries = dict.fromkeys([*(before or "").split(", "), *(value or "").split(", ")])
            set_or_drop(session.extra, key, ", ".join(filter(None, entries)))
        if not again:
            set_or_drop(session.extra, "TI hashes", applied.inversion_hashes(texts, session.settings))


class AppliedNetworks:
    """What is in a model at the moment. notes: sentences for the user. recorded: infotext entries."""

    def __init__(self, loras: Sequence[FoundLora], timetable: Timetable, notes: Sequence[str]) -> None:
        self._loras = tuple(loras)
        self._timetable = timetable
        self.recorded: dict[str, str | None] = {}
        self.notes = [*notes]
        self._bundled = {
            embedding.identity: (embedding, one.asked.name) for one in loras for embedding in one.embeddings
        }

    @property
    def identity(self) -> tuple[Hashable, ...]:
        """What shapes the text encoders: part of the question that their answers are remembered by."""
        in_text = zip(self._loras, self._timetable.applied.in_text, strict=True)
        return tuple(one.wanted.text_signature for one, used in in_text if used)

    def at(self, step: int, steps: int) -> None:
        """Brings the networks into the state of that step, counted from 0."""
        self._timetable.at(step, steps)

    def encoder(self, encoder: PromptEncoder) -> PromptEncoder:
        """`encoder`, which knows the inversions inside of LoRA files, too."""
        bundled = [embedding for embedding, _ in self._bundled.values()]
        if not bundled:
            return encoder
        return encoder.with_embeddings(encoder.embeddings.with_(bundled, encoder.widths))

    def inversion_hashes(self, texts: Texts, settings: Settings) -> str | None:
        """The infotext entry "TI hashes" for the inversions that these texts use; None if there is nothing to say.

        In A1111's order, and as often: each text that is encoded puts its own before those of the texts so far,
        negative prompts first.
        """
        if not settings["textual_inversion_add_hashes_to_infotext"]:
            return None
        encoded = [*texts.negative, *(scheduled for composed in texts.positive for scheduled, _ in composed.parts)]
        listed: list[str] = []
        for scheduled in {id(text): text for text in encoded}.values():
            hashes = ((embedding.name, self._hash_of(embedding, settings)) for embedding in scheduled.embeddings)
            listed = [f"{name.translate(NOT_IN_HASHES)}: {hash}" for name, hash in hashes if hash] + listed
        return joined(listed)

    def _hash_of(self, embedding: Embedding, settings: Settings) -> str:
        bundled = self._bundled.get(embedding.identity)
        if bundled is None:
            return embedding.shorthash
        return bundled[1] if settings["lora_bundled_ti_to_infotext"] else ""


@contextlib.contextmanager
def networks_applied(
    tags: Sequence[NetworkTag], bundle: ModelBundle, shelf: NetworkShelf, settings: Settings, steps: int
) -> Iterator[AppliedNetworks]:
    """Within: `bundle` has the networks of `tags` in it; afterwards it is bit by bit as before.

    steps: of the pass that is to be drawn. What cannot be found, read or applied becomes a note; the rest goes on.
    """
    asked = read_tags(tags)
    parts = shelf.parts_of(bundle) if asked.loras else ()
    blocks = partial(shelf.patches.blocks, parts)
    found = find(asked, shelf, blocks, keep=int(settings["lora_in_memory_limit"]))
    timetable = Timetable(shelf.patches, parts, found.loras, beside=bool(settings["lora_functional"]))
    with attending(bundle.unet, found.hypernetworks), contextlib.closing(timetable):
        timetable.at(0, steps)
        applied = AppliedNetworks(found.loras, timetable, found.notes)
        if settings["lora_add_hashes_to_infotext"]:
            applied.recorded["Lora hashes"] = joined(
                f"{one.asked.name.translate(NOT_IN_HASHES)}: {one.hash}" for one in found.loras if one.hash
            )
        unused = [(one, keys) for one, keys in zip(found.loras, timetable.applied.unused, strict=True) if keys]
        applied.notes += [one.about_unused(keys) for one, keys in unused]
        applied.recorded["Networks used in part"] = joined(
            f"{one.asked.name.translate(NOT_IN_HASHES)}: {len(keys)} of {one.keys} keys unused" for one, keys in unused
        )
        yield applied


class Timetable:
    """Which networks are in a model at which step."""

    def __init__(self, patches: Patches, parts: Sequence[Part], loras: Sequence[FoundLora], *, beside: bool) -> None:
        self._patches, self._parts, self._loras, self._beside = patches, parts, loras, beside
        self._undo = contextlib.ExitStack()
        self._acting: tuple[bool, ...] = ()
        self.applied = Applied((), ())

    def at(self, step: int, steps: int) -> None:
        """Brings the model into the state of that step."""
        acting = tuple(one.asked.acts_at(step, steps) for one in self._loras)
        if acting == self._acting:
            return
        self.close()
        wanted = [
            one.wanted if acts else one.wanted.for_text_only() for one, acts in zip(self._loras, acting, strict=True)
        ]
        self.applied = self._undo.enter_context(self._patches.patched(self._parts, wanted, beside=self._beside))
        self._acting = acting

    def close(self) -> None:
        """Brings the model into its own state."""
        self._acting = ()
        self._undo.close()


def set_or_drop(entries: dict[str, Any], key: str, value: str | None) -> None:
    """What an earlier batch said is not true of this one: no value takes the entry away."""
    if value:
        entries[key] = value
    else:
        entries.pop(key, None)


def joined(entries: Iterable[str]) -> str | None:
    return ", ".join(entries) or None
