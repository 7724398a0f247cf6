"""The ControlNet units of a job: what each looks at, the networks that steer each pass, and what infotext says.

Source: the behaviour of the ControlNet extension for A1111, so that its requests give its pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from modules.checkpoints.bundle import ModelBundle
from modules.control.hints import Bytes, fitted, hint_of
from modules.control.library import ControlInfo
from modules.control.network import Maps, SteeringNetwork
from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors import PREPROCESSORS
from modules.control.reference import Places, Reference, places_of
from modules.control.retouch import Kept, Recoloured, Retouch
from modules.control.steering import Influence, Steerer
from modules.generation.control_pictures import laid_over, maps_of, pictures_for, shown
from modules.generation.control_texts import described
from modules.generation.session import Session
from modules.generation.source import Prepared
from modules.generation.vae import encoded
from modules.terms.control import BALANCED, CONTROL_FIRST, NONE, PROMPT_FIRST, ControlUnit
from modules.terms.errors import BadRequest

Size = tuple[int, int]


@dataclass(frozen=True)
class PreparedUnit:
    """A unit with the file it names and its maps, one for all pictures of a batch or one for each.

    info: None for one whose picture lends its look without a network. finishes: what kind of map it lays over the
    result, "" for none.
    """

    unit: ControlUnit
    info: ControlInfo | None
    preprocessor: Preprocessor
    maps: tuple[Bytes, ...]
    resize_mode: str
    finishes: str = ""

    def fitted(self, size: Size) -> list[Bytes]:
        """The maps at (width, height)."""
        return [fitted(one, *size, self.resize_mode) for one in self.maps]


@dataclass
class Controls:
    """The units that act in a job."""

    session: Session
    units: tuple[PreparedUnit, ...]
    _networks: dict[tuple[int, Path], SteeringNetwork] = field(default_factory=dict)
    _seen: dict[tuple[int, Path, Size], Maps] = field(default_factory=dict)
    _latents: dict[tuple[int, Path, Size], Tensor] = field(default_factory=dict)
    _places: dict[Path, Places] = field(default_factory=dict)

    def load(self, bundle: ModelBundle) -> None:
        """Loads the networks of all units, so that a file that cannot be used is told of before anything is drawn.

        Raises: as `load_control`.
        """
        for place, prepared in enumerate(self.units):
            if prepared.info is not None:
                self._network(place, prepared.info, bundle)

    def influence(self, bundle: ModelBundle, size: Size, *, hires: bool = False) -> Influence:
        """What steers `bundle` in a pass of `size` (width, height).

        Raises: as `load_control` for the job's own checkpoint; for another (refiner, hires) a note is made instead.
        """
        this = [
            (place, prepared)
            for place, prepared in enumerate(self.units)
            if prepared.unit.acts_in("hires" if hires else "first", hires=self.session.request.hires is not None)
        ]
        return Influence(
            [one for place, prepared in this for one in self._steerer(place, prepared, bundle, size, hires)],
            [one for place, prepared in this for one in self._reference(place, prepared, bundle, size, hires)],
            [one for place, prepared in this for one in self._retouch(place, prepared, bundle, size, hires)],
        )

    def finished(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """The drawn pictures as the units' preprocessors finish them."""
        done = list(pictures)
        for prepared in self.units:
            if prepared.finishes and done:
                maps = prepared.fitted(done[0].size)
                done = [laid_over(picture, maps, place, prepared.finishes) for place, picture in enumerate(done)]
        return done

    def shown_maps(self) -> Iterator[Image.Image]:
        """The maps at the size of the first pass, for people to see."""
        size = self.session.request.width, self.session.request.height
        for prepared in self.units:
            if prepared.unit.save_detected_map:
                yield from (shown(one) for one in prepared.fitted(size))

    def close(self) -> None:
        """Forgets the networks of units that ask for it (`low_vram`)."""
        for prepared in self.units:
            if prepared.unit.low_vram and prepared.info is not None:
                self.session.tools.controls.drop(prepared.info)

    def _steerer(
        self, place: int, prepared: PreparedUnit, bundle: ModelBundle, size: Size, hires: bool
    ) -> Iterator[Steerer]:
        unit, info = prepared.unit, prepared.info
        if info is None:
            return
        try:
            network = self._network(place, info, bundle)
        except BadRequest as error:
            if bundle.unet is self.session.bundle.unet:
                raise
            self.session.note(f"{error} It did not steer {bundle.info.name}.")
            return
        yield Steerer(
            network=network,
            encoded=self._encoded(place, prepared, network, bundle, size),
            weight=unit.weight,
            start=unit.guidance_start,
            end=unit.guidance_end,
            prompts_only=unit.control_mode == CONTROL_FIRST,
            soft=unit.control_mode != BALANCED or (hires and prepared.preprocessor.soft_in_hires),
            # Made for shuffled pictures, whose places mean nothing; the file's name is all that tells.
            pooled=network.depends_on_latents and "shuffle" in info.name.lower(),
            layer_weights=unit.layer_weights,
            region=None if unit.region is None else region_of(unit.region, bundle.device),
        )

    def _reference(
        self, place: int, prepared: PreparedUnit, bundle: ModelBundle, size: Size, hires: bool
    ) -> Iterator[Reference]:
        unit, name = prepared.unit, prepared.preprocessor.name
        if not prepared.preprocessor.lends_look:
            return
        fidelity = prepared.preprocessor.wish(-1, unit.threshold_a, -1).a
        if unit.control_mode == CONTROL_FIRST:
            fidelity = 1.0
        elif unit.control_mode == PROMPT_FIRST or hires:
            fidelity = 0.0
        places = self._places.setdefault(bundle.info.path, places_of(bundle))
        yield Reference(
            latents=self._encoded_latents(place, prepared, bundle, size),
            places=places,
            weight=unit.weight,
            start=unit.guidance_start,
            end=unit.guidance_end,
            fidelity=fidelity,
            attention=name != "reference_adain",
            statistics=name != "reference_only",
        )

    def _retouch(
        self, place: int, prepared: PreparedUnit, bundle: ModelBundle, size: Size, hires: bool
    ) -> Iterator[Retouch]:
        unit, name = prepared.unit, prepared.preprocessor.name
        strength = min(1.0, unit.weight)
        if name.startswith("inpaint_only"):
            paint = paint_of(prepared.fitted(size), bundle)
            yield Kept(self._encoded_latents(place, prepared, bundle, size), paint, strength)
        elif name.startswith("tile_colorfix"):
            wish = prepared.preprocessor.wish(-1, unit.threshold_a, unit.threshold_b)
            radius = int(wish.a) * (2 if hires else 1)
            yield Recoloured(self._encoded_latents(place, prepared, bundle, size), radius, strength, wish.b)

    def _network(self, place: int, info: ControlInfo, bundle: ModelBundle) -> SteeringNetwork:
        # Held for the whole job, however few the shelf keeps.
        key = place, bundle.info.path
        if key not in self._networks:
            self._networks[key] = self.session.tools.controls.borrow(info, bundle)
        return self._networks[key]

    def _encoded(
        self, place: int, prepared: PreparedUnit, network: SteeringNetwork, bundle: ModelBundle, size: Size
    ) -> Maps:
        key = place, bundle.info.path, size
        if key not in self._seen:
            latents = size[0] // bundle.latent.downscale, size[1] // bundle.latent.downscale
            pixels = latents[0] * network.pixels_per_latent, latents[1] * network.pixels_per_latent
            hints = [network.encode(hint_of(one).to(bundle.device)) for one in prepared.fitted(pixels)]
            self._seen[key] = tuple(torch.cat(level) for level in zip(*hints, strict=True))
        return self._seen[key]

    def _encoded_latents(self, place: int, prepared: PreparedUnit, bundle: ModelBundle, size: Size) -> Tensor:
        key = place, bundle.info.path, size
        if key not in self._latents:
            pictures = [torch.from_numpy(np.array(one[..., :3])) for one in prepared.fitted(size)]
            pixels = torch.stack(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
            self._latents[key] = encoded(self.session, bundle, pixels)
        return self._latents[key]


@contextmanager
def controlled(session: Session, prepared: Prepared | None) -> Iterator[None]:
    """Inside, the units of the request steer every pass; at the end their maps are added to the pictures.

    Raises: as `prepare_controls`.
    """
    if not session.request.controls:
        yield
        return
    session.controls = controls = prepare_controls(session, prepared)
    try:
        yield
    finally:
        controls.close()
    if session.images:
        like = session.images[-1]
        maps = (
            replace(like, image=one, infotext="", kind="control", suffix="-control") for one in controls.shown_maps()
        )
        session.images.extend(maps)


def prepare_controls(session: Session, prepared: Prepared | None) -> Controls:
    """The units of the job, their pictures made and their networks loaded.

    Raises: NotFound for a preprocessor or a model; BadRequest for what cannot be honoured; UnknownFile, Refused.
    """
    units = []
    for number, unit in enumerate(session.request.controls):
        preprocessor = PREPROCESSORS[unit.module]
        preprocessor.check()
        masked = session.request.source is not None and session.request.source.mask is not None
        if preprocessor.name == "inpaint_only" and masked:
            # img2img lays the original over the result already.
            preprocessor = PREPROCESSORS["inpaint"]
        if unit.model == NONE and not preprocessor.lends_look:
            raise BadRequest(f"ControlNet unit {number} names no model. Choose one, or switch the unit off.")
        info = None if preprocessor.lends_look else session.tools.controls.library.find(unit.model)
        session.scripts[f"ControlNet {number}"] = described(
            replace(unit, model=info.title) if info else unit, preprocessor
        )
        if not unit.weight:
            continue
        looked = pictures_for(unit, preprocessor, session, prepared)
        maps = maps_of(unit, preprocessor, looked, session)
        units.append(PreparedUnit(unit, info, preprocessor, maps, looked.resize_mode, finishing(preprocessor)))
    controls = Controls(session, tuple(units))
    controls.load(session.bundle)
    return controls


def finishing(preprocessor: Preprocessor) -> str:
    """What a preprocessor lays over the result: its name if it does so, else ""."""
    return preprocessor.name if preprocessor.name.startswith(("inpaint_only", "recolor_")) else ""


def paint_of(maps: Sequence[Bytes], bundle: ModelBundle) -> Tensor:
    """(B, 1, h, w): 1 for latents that see anything of the masks (fourth channels) of `maps`, one pixel around too."""
    side = bundle.latent.downscale
    masks = torch.from_numpy(np.stack([one[..., 3] for one in maps]))[:, None].to(bundle.device).float() / 255
    return max_pool2d(masks, side + 2, stride=side, padding=1)


def region_of(mask: Image.Image, device: torch.device) -> Tensor:
    """`mask` as (1, 1, H, W), 0 to 1."""
    return torch.from_numpy(np.array(mask.convert("L"), np.float32) / 255)[None, None].to(device)
