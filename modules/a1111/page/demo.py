"""The page as `on_app_started` hands it over: Gradio's own, and beside it what Gradio 3 told of its events.

Extensions look there for the event of A1111's Generate, to read the tab's fields in events of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.a1111.page import script_values

if TYPE_CHECKING:
    from gradio import Blocks
    from gradio.blocks import Block
    from gradio.components import Component

# Fields of A1111's txt2img in the order of its Generate; its override settings come next, then what scripts get.
TXT2IMG = (
    "prompt",
    "negative_prompt",
    "styles",
    "n_iter",
    "batch_size",
    "cfg_scale",
    "height",
    "width",
    "hires",
    "denoising_strength",
    "hires.scale",
    "hires.upscaler",
    "hires.steps",
    "hires.resize_x",
    "hires.resize_y",
    "hires.checkpoint",
    "hires.sampler",
    "hires.scheduler",
    "hires.prompt",
    "hires.negative_prompt",
)
OVERRIDES = "override_settings"


@dataclass(frozen=True)
class Event:
    """One event, with what is read of Gradio's own: (component's id, name of the event) in `targets`."""

    inputs: Sequence[Block]
    outputs: Sequence[Block]
    targets: Sequence[tuple[int | None, str]]
    js: str | None


class Demo:
    """`demo`, and of Gradio 3 its `dependencies`, dictionaries of ids, and `fns`, a list.

    generating: by tab, the fields that Generate of A1111 hands over.
    """

    def __init__(self, demo: Blocks, generating: Mapping[str, Mapping[str, Component]]) -> None:
        vars(self).update(_demo=demo, _generating=generating)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        # Who asks whether it is a Blocks gets the answer for the page.
        return type(self._demo)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_demo"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._demo, name, value)

    def __enter__(self) -> Demo:
        self._demo.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._demo.__exit__(*raised)

    @property
    def fns(self) -> list[Any]:
        """The page's events and those of Generate, in A1111's shape."""
        return [*self._demo.fns.values(), *self._generate_events()]

    @property
    def dependencies(self) -> list[dict[str, Any]]:
        """The same as ids."""
        return [
            {
                "targets": [target for target, _ in one.targets],
                "trigger": one.targets[0][1] if one.targets else "load",
                "inputs": [block._id for block in one.inputs],
                "outputs": [block._id for block in one.outputs],
                "js": one.js if isinstance(one.js, str) else None,
            }
            for one in self.fns
        ]

    def _generate_events(self) -> Iterator[Event]:
        # Of two with one name the first is the page's own: extensions copy A1111's.
        by_id = {getattr(block, "elem_id", None): block for block in reversed(self._demo.blocks.values())}
        for tab, fields in self._generating.items():
            # Of A1111's four the studio's page has the gallery alone; the others are texts beside it.
            outputs = [by_id[f"{tab}_{name}"] for name in ("gallery", "outcome", "saved", "chosen")]
            button, job = by_id[f"{tab}_generate"], by_id[f"{tab}_job"]
            js = "submit" if tab == "txt2img" else "submit_img2img"
            yield Event([job, *_handed_over(tab, fields)], outputs, [(button._id, "click")], js)


def _handed_over(tab: str, fields: Mapping[str, Component]) -> list[Component]:
    """A1111's fields, its override settings, what scripts get; last the fields that scripts of A1111's own have."""
    known = [name for name in TXT2IMG if name in fields]
    rest = [one for name, one in fields.items() if name not in (*known, OVERRIDES)]
    scripts = [one for _, one in script_values.named(tab)]
    return [*(fields[name] for name in known), fields[OVERRIDES], *scripts, *rest]
