"""What extensions written for this studio add: samplers, schedules, networks, upscalers, tabs, panels, routes, hooks.

An extension has a file `atelier_extension.py` with a function `register(add)`, and `add` is an `Additions`. What needs
torch is handed over as a function that is called when the engine starts, so that the page need not wait for it.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from modules.diffusion.schedule import Schedule
    from modules.diffusion.walk import Sampler
    from modules.enhance.upscaler import Upscaler
    from modules.generation.hooks import Hooks
    from modules.networks.kind import NetworkKind
    from modules.studio.extensions.folder import Extensions

log = logging.getLogger("atelier.extensions")
FILE = "atelier_extension.py"
TABS = ("txt2img", "img2img")


@dataclass(frozen=True)
class Tab:
    """A tab of the page. build: makes its Gradio components, called once within the tab."""

    title: str
    name: str
    build: Callable[[], None]


@dataclass(frozen=True)
class Panel:
    """A part of a generating tab. build: makes its components and returns those whose values count, by name.
    apply: the request with what the values, by the same names, say."""

    title: str
    name: str
    tab: str
    build: Callable[[], Mapping[str, Any]]
    apply: Callable[[GenerationRequest, Mapping[str, Any]], GenerationRequest]


@dataclass
class Additions:
    """What all extensions have added. While one registers, `extension` is its name and `folder` its folder."""

    extension: str = ""
    folder: Path = field(default_factory=Path)
    samplers: dict[str, Callable[[], Sampler]] = field(default_factory=dict)
    schedules: dict[str, Callable[[], Schedule]] = field(default_factory=dict)
    upscalers: dict[str, Callable[[], Upscaler]] = field(default_factory=dict)
    network_kinds: list[Callable[[], NetworkKind]] = field(default_factory=list)
    routers: list[tuple[str, Any]] = field(default_factory=list)
    tabs: list[Tab] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    hook_makers: list[tuple[str, Callable[[GenerationRequest], Hooks | None]]] = field(default_factory=list)

    def sampler(self, label: str, load: Callable[[], Sampler], default_schedule: str = "") -> None:
        """A sampler under `label`. load: called when the engine starts; its result bears that name.

        default_schedule: what Automatic means for it, "" for the model's own. Raises: BadRequest if the label is taken.
        """
        from modules.generation.sampler_names import add_sampler

        add_sampler(label, default_schedule)
        self.samplers[label] = load

    def schedule(self, label: str, load: Callable[[], Schedule]) -> None:
        """A schedule under `label`. Raises: BadRequest if the label is taken."""
        from modules.generation.sampler_names import add_schedule

        add_schedule(label)
        self.schedules[label] = load

    def upscaler(self, name: str, load: Callable[[], Upscaler]) -> None:
        """An upscaler. Raises: BadRequest if the name is taken by another extension."""
        if name in self.upscalers:
            raise BadRequest(f"There is an upscaler {name!r} of another extension already.")
        self.upscalers[name] = load

    def network_kind(self, load: Callable[[], NetworkKind]) -> None:
        """A kind of network (LoRA and its like): it is asked before the studio's own."""
        self.network_kinds.append(load)

    def routes(self, router: Any) -> None:
        """A FastAPI router, served below /extensions/<name of the extension>; the studio's guards hold there, too."""
        self.routers.append((f"/extensions/{self.extension}", router))

    def tab(self, title: str, build: Callable[[], None]) -> None:
        """A tab of the page."""
        self.tabs.append(Tab(title, f"{self.extension}-{len(self.tabs)}", build))

    def panel(
        self,
        tab: str,
        title: str,
        build: Callable[[], Mapping[str, Any]],
        apply: Callable[[GenerationRequest, Mapping[str, Any]], GenerationRequest],
    ) -> None:
        """A part of txt2img or img2img. Raises: BadRequest for another tab."""
        if tab not in TABS:
            raise BadRequest(f"A panel stands in {' or '.join(TABS)}, not in {tab!r}.")
        self.panels.append(Panel(title, f"{self.extension}-{len(self.panels)}", tab, build, apply))

    def hooks(self, make: Callable[[GenerationRequest], Hooks | None]) -> None:
        """Hooks for jobs. make: called for each job with its request; None: this job does not matter."""
        self.hook_makers.append((self.extension, make))

    # --- what the studio asks ---

    def hooks_for(self, request: GenerationRequest) -> Sequence[Hooks]:
        """The hooks of all extensions that want to see a job."""
        made = [make(request) for _, make in self.hook_makers]
        return [hooks for hooks in made if hooks is not None]

    def chained(self, request: GenerationRequest, *others: Hooks) -> Hooks | None:
        """The hooks of a job as one, behind `others`; None if there are none."""
        hooks = [*others, *self.hooks_for(request)]
        if len(hooks) < 2:
            return hooks[0] if hooks else None
        from modules.generation.several import Several

        return Several(hooks)

    def enter_engine(self) -> None:
        """Adds samplers, schedules and network kinds to the engine, which has torch by now."""
        from modules.diffusion.samplers import SAMPLERS
        from modules.diffusion.schedules import SCHEDULES
        from modules.networks.kinds import add_kind

        for label, load_sampler in self.samplers.items():
            if label not in SAMPLERS.names:
                SAMPLERS.add(load_sampler())
        for label, load_schedule in self.schedules.items():
            if label not in SCHEDULES.names:
                SCHEDULES.add(load_schedule())
        for load_kind in self.network_kinds:
            add_kind(load_kind())


def load_additions(extensions: Extensions) -> Additions:
    """Lets every active extension that has such a file register. One that fails is reported, and the rest goes on."""
    additions = Additions()
    for extension in extensions.active():
        path = extension.path / FILE
        if not path.is_file():
            continue
        additions.extension, additions.folder = extension.name, extension.path
        try:
            spec = importlib.util.spec_from_file_location(f"atelier_extension_{extension.name}", path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} cannot be imported.")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.register(additions)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
            extensions.failed(extension.canonical_name, FILE, error)
    return additions
