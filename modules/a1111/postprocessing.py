"""Postprocessing scripts of extensions, as steps of a job of the Extras tab. Source: spec/extensions.md §6."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import Work, bound
from modules.generation.postprocessing.step import Piece, Step

if TYPE_CHECKING:
    from modules.generation.tools import Tools
    from modules.studio.job import Job
    from modules.studio.job_watch import JobWatch
    from modules.terms.extras import ExtrasRequest

PREFIX = "postprocessing."


def runner() -> Any:
    from modules import scripts

    return scripts.scripts_postproc


def build() -> list[tuple[str, Any]]:
    """Builds the scripts' parts of the Extras tab, here; name and component of every value."""
    found = runner()
    found.setup_ui()
    return [
        (f"{PREFIX}{script.name}.{name}", component)
        for script in found.scripts_in_preferred_order()
        for name, component in (script.controls or {}).items()
    ]


def asked(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the components that `build` returned say, as a request has it: script -> value by name."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name.startswith(PREFIX):
            script, _, own = name.removeprefix(PREFIX).rpartition(".")
            found.setdefault(script, {})[own] = bound().keeper.written(value)
    return found


@contextmanager
def steps(job: Job, tools: Tools, watch: JobWatch) -> Iterator[Sequence[Step]]:
    """Within: a job of the Extras tab in which those steps may take part."""
    from modules import shared

    with bound().working(Work(job, tools, watch)):
        shared.state.begin(job.kind)
        # What the scripts of one picture tell each other; pictures come one after the other.
        told: dict[str, Any] = {}
        scripts = runner().scripts_in_preferred_order()
        yield [
            Step(
                str(script.name),
                int(script.order),
                lambda request: True,
                partial(_applied, script, told),
                partial(_begun, script, told, first=script is scripts[0]),
            )
            for script in scripts
        ]


def _begun(script: Any, told: dict[str, Any], piece: Piece, request: ExtrasRequest, *, first: bool) -> None:
    from modules.scripts_postprocessing import PostprocessedImage, overrides, wrap_call

    if first:
        told["shared"] = PostprocessedImage(None).shared
    if overrides(script, "process_firstpass"):
        pp = _as_pp(piece, told)
        wrap_call(script.process_firstpass, script.filename, "process_firstpass", pp, **_values(script, request))


def _applied(
    script: Any, told: dict[str, Any], piece: Piece, request: ExtrasRequest, tools: Tools, work: Any
) -> list[Piece]:
    """The pieces that a script makes of one; one that fails leaves it as it is, and that is reported."""
    from modules import shared
    from modules.scripts_postprocessing import wrap_call

    shared.state.job = str(script.name)
    pp = _as_pp(piece, told)
    wrap_call(script.process, script.filename, "process", pp, **_values(script, request))
    extra = [one if hasattr(one, "nametags") else pp.create_copy(one) for one in pp.extra_images]
    return [_as_piece(one, piece) for one in (pp, *extra)]


def _values(script: Any, request: ExtrasRequest) -> dict[str, Any]:
    """The script's values by name: what the request says, else what its components began with."""
    said = request.scripts.get(str(script.name), {})
    return {
        name: bound().keeper.read(said[name]) if name in said else getattr(component, "value", None)
        for name, component in (script.controls or {}).items()
    }


def _as_pp(piece: Piece, told: Mapping[str, Any]) -> Any:
    from modules.scripts_postprocessing import PostprocessedImage

    pp = PostprocessedImage(piece.image)
    pp.info, pp.nametags, pp.caption = dict(piece.entries), list(piece.tags), piece.caption or None
    pp.disable_processing = piece.finished
    pp.shared = told["shared"]
    if piece.target is not None:
        pp.shared.target_width, pp.shared.target_height = piece.target
    return pp


def _as_piece(pp: Any, before: Piece) -> Piece:
    target = (pp.shared.target_width, pp.shared.target_height)
    return dataclasses.replace(
        before,
        image=pp.image,
        entries=dict(pp.info),
        tags=tuple(pp.nametags),
        target=target if all(target) else before.target,
        caption=pp.caption or "",
        finished=bool(pp.disable_processing),
    )
