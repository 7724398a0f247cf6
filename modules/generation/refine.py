"""The refiner: a second checkpoint that takes over on the way. Source: spec/sampling.md §10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.library import CheckpointInfo
from modules.generation import hypertile
from modules.generation.denoise import told
from modules.generation.guide import Handover, Successor
from modules.generation.hires import work_of
from modules.generation.session import Session
from modules.generation.source import blank_conditioning
from modules.generation.switches import loan
from modules.generation.texts import Texts
from modules.generation.tiling import tiled
from modules.generation.token_merging import merged_tokens
from modules.terms.errors import BadRequest

PassName = Literal["first pass", "second pass"]
BOTH = "both passes"


@contextmanager
def refiner_of(
    session: Session,
    bundle: ModelBundle,
    texts_by: Callable[[ModelBundle], Texts],
    size: tuple[int, int],
    *,
    merging: float,
    second: bool = False,
) -> Iterator[Handover | None]:
    """The refiner of a pass that `bundle` begins; None if none is asked for. What it loads is given back at the end.

    texts_by: what the pass asks, encoded by a model. size: of the pictures, in pixels. The networks that the prompt
    names do not act in the refiner: they do not in A1111 (its recording refiner/lora differs by 36 dB otherwise).
    Raises: NotFound for its checkpoint; on the way BadRequest if the latents of the two differ.
    """
    info = refiner_info(session, "second pass" if second else "first pass")
    if info is None or info.path == bundle.info.path or session.request.refiner is None:
        yield None
        return
    switch_at = session.request.refiner.switch_at
    with ExitStack() as lent:

        def load() -> Successor:
            work = work_of(session.request)
            other = lent.enter_context(session.tools.models.borrow(info, **loan(session.settings), work=work))
            if not other.latent.means_the_same(bundle.latent):
                raise BadRequest(
                    f"{info.name} cannot take over from {bundle.info.name} as refiner: their latents differ. "
                    "Choose two checkpoints of the same kind."
                )
            lent.enter_context(tiled(other, session.tiling))
            other = told(other, session.request, session.settings, *size)
            lent.enter_context(merged_tokens(other.unet, merging))
            tiling = hypertile.for_unet(session.settings, *size, session.chance, hires=second)
            lent.enter_context(hypertile.hypertiled(other.unet, tiling))
            extra = None
            if other.extra_channels != bundle.extra_channels:
                extra = blank_conditioning(session, other, *size)
            return Successor(other, texts_by(other), extra, entries(session, info, switch_at))

        yield Handover(switch_at, load)


def refiner_info(session: Session, this_pass: PassName) -> CheckpointInfo | None:
    """The checkpoint that may take over in this pass. Raises: NotFound naming the nearest."""
    request = session.request
    if request.refiner is None or not request.refiner.checkpoint:
        return None
    library = session.tools.models.library
    info = library.hashed(library.find(request.refiner.checkpoint))
    wanted = session.settings["hires_fix_refiner_pass"]
    return info if request.hires is None or wanted in (this_pass, BOTH) else None


def entries(session: Session, info: CheckpointInfo, switch_at: float) -> dict[str, object]:
    """Infotext entries of a refiner that took over."""
    wanted = session.settings["hires_fix_refiner_pass"]
    passes = {"Hires refiner": wanted} if session.request.hires is not None and wanted != "second pass" else {}
    return {**passes, "Refiner": info.short_title, "Refiner switch at": switch_at}
