"""Who denoises in a pass: a model with its prompts, and the refiner that may take over from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modules.checkpoints.bundle import ModelBundle
from modules.control.steering import Influence, steered
from modules.diffusion.denoiser import PREDICTIONS, Predictor
from modules.diffusion.guidance import Extra, Guided
from modules.diffusion.moments import Moments
from modules.diffusion.relay import Relay, due_after_calls, due_at_level
from modules.diffusion.route import Route
from modules.diffusion.tiled import TiledNetwork, WindowPlan
from modules.generation.switches import Settings, guidance_settings, levels_under
from modules.generation.texts import Texts
from modules.terms.request import GenerationRequest

Steering = Callable[[ModelBundle], Influence]
"""What steers a model in a pass."""


@dataclass(frozen=True)
class Successor:
    """A model that goes on where another stopped, and what it is asked.

    extra: channels beside the latents, None: those of the model before it. recorded: infotext entries.
    """

    bundle: ModelBundle
    texts: Texts
    extra: Extra | None = None
    recorded: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Handover:
    """When a refiner takes over: at `switch_at`, a share of the way. `successor` is None until then."""

    switch_at: float
    load: Callable[[], Successor]
    successor: Successor | None = None

    def take_over(self) -> Successor:
        """The successor. Raises: what `load` raises."""
        self.successor = self.load()
        return self.successor

    def last(self, first: ModelBundle) -> ModelBundle:
        """The model that drew last in a pass that `first` began: its VAE decodes."""
        return self.successor.bundle if self.successor else first


@dataclass(frozen=True)
class Guide:
    """How the networks of one pass are asked, whichever they are. `windows`: what they see the picture through.
    `moments`: who looks on at every call."""

    request: GenerationRequest
    settings: Settings
    route: Route
    steering: Steering | None = None
    windows: WindowPlan | None = None
    moments: Moments | None = None

    def guided(self, model: ModelBundle, texts: Texts, extra: Extra | None) -> Guided:
        """`model`, asked for `texts`."""
        sampler, settings = self.route.sampler, self.settings
        levels = sampler.levels(levels_under(settings, model.levels).levels)
        network = model.predict if self.windows is None else TiledNetwork(model.predict, self.windows)
        predict = Predictor(network, PREDICTIONS[model.prediction], levels, quantize=settings["enable_quantization"])
        influence = self.steering(model) if self.steering else None
        each = 2 if sampler.second_order else 1
        return Guided(
            predict,
            [composed.parts for composed in texts.positive],
            texts.negative,
            guidance_settings(self.request, settings, sampler, spare_negative=model.blueprint.one_prompt),
            total=self.route.total_calls,
            empty=texts.empty,
            extra=extra,
            by_timestep=sampler.timestep_family,
            moments=self.moments,
            steered=steered(predict, model, influence, total_calls=self.route.total_calls, calls_per_step=each)
            if influence
            else None,
        )

    def relayed(self, first: Guided, handover: Handover) -> Relay:
        """`first`, until the refiner takes over."""

        def second() -> Guided:
            successor = handover.take_over()
            guided = self.guided(successor.bundle, successor.texts, successor.extra or first.extra)
            guided.recorded.update(successor.recorded)
            return guided

        share = handover.switch_at
        if self.settings["refiner_switch_by_sample_steps"]:
            return Relay(first, due_after_calls(self.route.total_calls, share), second)
        return Relay(first, due_at_level(first.predict.levels, share), second)
