"""A model file into memory: networks are laid out without weights, then given views of the mapped file.

Nothing is initialised and nothing is copied unless the number format or the device changes; then one tensor at a time,
and the file's pages are given back at once, so that memory never holds a model twice. Source: spec/performance.md §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from modules.checkpoints.blueprint import Blueprint, FlowSchedule, TextPlan
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions, completed
from modules.checkpoints.components import Component, Piece, fitting
from modules.checkpoints.families import known_families
from modules.checkpoints.files import Header, StateDict, open_tensors
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.library import CheckpointInfo, VaeInfo, info_of_file
from modules.checkpoints.sidecar import PredictionName, read_sidecar, user_metadata
from modules.checkpoints.storage.layers import hold, holdable, in_eight_bits
from modules.checkpoints.storage.packed import Packed
from modules.conditioning.encode import TextEncoder
from modules.diffusion.levels import FlowLevels, NoiseLevels
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

OnProgress = Callable[[float], None]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Placement:
    """Where networks go and in which number formats they compute.

    wide: for denoising networks that overflow in half precision. large_text: for text encoders of billions of numbers.
    eight_bit: matrices and convolutions, but the VAE's, are kept in float8_e4m3fn and widened as they compute.
    """

    device: torch.device = torch.device("cpu")
    unet: torch.dtype = torch.float32
    text: torch.dtype = torch.float32
    vae: torch.dtype = torch.float32
    wide: torch.dtype = torch.float32
    large_text: torch.dtype = torch.float32
    eight_bit: bool = False

    @property
    def vae_channels_last(self) -> bool:
        # 0.90 of the time on the CPU; the UNet gets slower by it (spec/performance.md §3).
        return self.device.type == "cpu" and self.vae == torch.float32


def silent(share: float) -> None:
    """The progress callback that says nothing."""


def draw_blueprint(header: Header) -> Blueprint:
    """The plan of the checkpoint `header`, of what it has inside. Raises: UnknownFile if it is none, or incomplete."""
    return known_families().of(header).draw(header, read_sidecar(header.path))


def whole_blueprint(header: Header, companions: Companions, modules: Sequence[str] = ()) -> Blueprint:
    """The plan of the checkpoint with what it lacks from files beside.

    modules: names of text encoders and VAEs that were chosen for all; those in "modules" of `<stem>.json` go before.
    Raises: UnknownFile; NotFound naming what is missing.
    """
    noted = user_metadata(header.path).get("modules")
    own = [str(name) for name in noted] if isinstance(noted, list) else []
    return completed(draw_blueprint(header), header, companions, [*own, *modules])


def load_checkpoint(
    checkpoint: CheckpointInfo | Path,
    placement: Placement = Placement(),
    *,
    vae: AutoencoderKL | None = None,
    companions: Companions | None = None,
    modules: Sequence[str] = (),
    on_progress: OnProgress = silent,
) -> ModelBundle:
    """The model in `checkpoint`, ready to draw. `vae` replaces the file's own, which is then not read.

    companions, modules: where what the file lacks is looked for, and what was chosen of that.
    `on_progress` hears the share of bytes placed, 0 to 1.
    Raises: NotFound, Refused, UnknownFile, and whatever `on_progress` raises to stop.
    """
    info = info_of_file(checkpoint) if isinstance(checkpoint, Path) else checkpoint
    state = open_tensors(info.path)
    blueprint = whole_blueprint(state.header, companions or Companions(), modules)
    if blueprint.vae is None and vae is None:
        raise UnknownFile(
            f"{info.name} has no VAE inside. Put a VAE for {blueprint.family.name} into models/VAE and choose it."
        )
    own = [part for part in blueprint.components if part is not blueprint.vae or vae is None]
    states = {part.source: open_tensors(part.source) if part.source else state for part in own}
    total = sum(states[part.source].header.tensors[piece.key].nbytes for part in own for piece in part.pieces.values())
    reporter = _Reporter(on_progress, max(1, total))
    dtype = placement.wide if blueprint.wide_range else placement.unet
    unet = place(blueprint.unet, state, dtype, placement.device, reporter, eight_bit=placement.eight_bit)
    clips = tuple(_encoder(part, states[part.component.source], placement, reporter) for part in blueprint.text)
    if vae is None and blueprint.vae:
        vae = place(
            blueprint.vae,
            states[blueprint.vae.source],
            placement.vae,
            placement.device,
            reporter,
            channels_last=placement.vae_channels_last,
        )
    assert vae is not None
    return ModelBundle(
        info=info,
        blueprint=blueprint,
        unet=unet,
        vae=vae,
        clips=clips,
        levels=noise_levels(state, blueprint),
        latent=blueprint.latent,
        prediction=blueprint.prediction or probed_prediction(unet),
        device=placement.device,
        dtype=dtype,
        eight_bit=placement.eight_bit,
        guidance=blueprint.defaults.distilled_cfg_scale or 1.0,
        notes=blueprint.notes,
    )


def _encoder(part: TextPlan, state: StateDict, placement: Placement, on_bytes: Callable[[int], None]) -> TextEncoder:
    dtype = placement.large_text if part.large else placement.text
    model = place(part.component, state, dtype, placement.device, on_bytes, eight_bit=placement.eight_bit)
    path = state.header.path
    stat = path.stat()
    # What was asked of these weights stays answered when the model is dropped and loaded again.
    return part.encoder(model, (str(path), stat.st_mtime_ns, stat.st_size, part.name, placement.eight_bit), path)


def load_vae(path: Path, placement: Placement = Placement(), *, on_progress: OnProgress = silent) -> AutoencoderKL:
    """The VAE in `path`: a VAE alone (original or diffusers spelling), or the one inside a checkpoint.

    Raises: NotFound, Refused, UnknownFile.
    """
    state = open_tensors(path)
    with fitting(path, "a VAE"):
        component = vae_component(state.header)
    if component is None:
        raise UnknownFile(f"{path.name} holds no VAE. Choose another VAE, or Automatic.")
    total = sum(state.header.tensors[piece.key].nbytes for piece in component.pieces.values())
    return place(
        component,
        state,
        placement.vae,
        placement.device,
        _Reporter(on_progress, max(1, total)),
        channels_last=placement.vae_channels_last,
    )


def place(
    component: Component[Network],
    state: StateDict,
    dtype: torch.dtype,
    device: torch.device,
    on_bytes: Callable[[int], None] = lambda count: None,
    *,
    channels_last: bool = False,
    eight_bit: bool = False,
) -> Network:
    """The network of `component` with weights from `state`, in `dtype` on `device`, without gradients.

    eight_bit: as in `Placement`; what the file has packed stays as it is.
    `on_bytes` hears the number of bytes of each tensor as it is placed.
    Raises: UnknownFile if the file lacks tensors that the network needs, or has them in another shape.
    """
    with fitting(state.header.path, f"a {component.name}"):
        network = _laid_out(component)
    wanted = network.state_dict()
    pieces = _spelt_as(wanted, component.pieces)
    _check_complete(component, pieces, wanted, state.header)
    placed: dict[str, Tensor] = {}
    held: dict[str, Packed] = {}
    twins: dict[Piece, str] = {}  # T5 has its embedding under two names
    # In the order of the file, so that a cold disk is read from front to back.
    for key in sorted(wanted, key=lambda key: state.header.tensors[pieces[key].key].begin):
        piece = pieces[key]
        path, _, name = key.rpartition(".")
        twin = twins.setdefault(piece, key)
        if twin in placed:
            placed[key] = placed[twin]
            continue
        packed = state.packed(piece.key)
        kept = holdable(network.get_submodule(path), name, packed, piece.view) if packed else None
        if kept is not None and kept.shape == wanted[key].shape:
            held[path] = kept.to(device)
            on_bytes(kept.nbytes)
            continue
        stored = state[piece.key]
        view = piece.view(stored)
        if view.shape != wanted[key].shape:
            raise UnknownFile(
                f"{state.header.path.name}: {piece.key} has shape {tuple(view.shape)}, where the rest of the file asks "
                f"for {tuple(wanted[key].shape)}. The file is damaged or of an unknown kind."
            )
        eight = in_eight_bits(network.get_submodule(path), name, view, dtype) if eight_bit else None
        if isinstance(eight, Packed):
            held[path] = eight.to(device)
            state.release(piece.key)
            on_bytes(view.numel() * view.element_size())
            continue
        view = view if eight is None else eight
        placed[key] = _converted(view, dtype, device, channels_last)
        if placed[key].data_ptr() != view.data_ptr():
            state.release(piece.key)
        on_bytes(view.numel() * view.element_size())
    for prefix, module in network.named_modules():
        for name in [name for name, _ in module.named_parameters(recurse=False)]:
            value = placed.get(f"{prefix}.{name}" if prefix else name)
            if value is not None:
                module.register_parameter(name, nn.Parameter(value, requires_grad=False))
        for name in [name for name, _ in module.named_buffers(recurse=False)]:
            value = placed.get(f"{prefix}.{name}" if prefix else name)
            if value is not None:
                module.register_buffer(name, value)
    for path, packed in held.items():
        hold(network, path, packed, dtype)
    _fill_buffers(network, device)
    network.eval()
    return network


def probed_prediction(unet: UNet2DConditionModel) -> PredictionName:
    """What an SD 2.x network predicts, by asking it: from constant input at the last step a v network goes far below.

    Source: spec/models_and_networks.md §3.
    """
    x = torch.full((1, unet.config["in_channels"], 8, 8), 0.5).to(unet.device, unet.dtype)
    context = torch.full((1, 2, unet.config["cross_attention_dim"]), 0.5).to(x)
    with torch.inference_mode():
        (output,) = unet(x, torch.tensor([999], device=unet.device), context, return_dict=False)
    return "v" if float((output - x).float().mean()) < -1 else "epsilon"


def noise_levels(state: StateDict, blueprint: Blueprint) -> NoiseLevels:
    """The noise table that the file carries (as A1111 uses it), else the family's."""
    schedule = blueprint.schedule
    if isinstance(schedule, FlowSchedule):
        side = blueprint.defaults.width, blueprint.defaults.height
        return FlowLevels.shifted(schedule.shift_for(*side), schedule.count)
    levels = NoiseLevels.scaled_linear(schedule.start, schedule.end, schedule.count)
    if "alphas_cumprod" in state:
        table = state["alphas_cumprod"].flatten().float()
        if len(table) > 1 and bool(((table > 0) & (table <= 1)).all()) and bool((table.diff() < 0).all()):
            levels = NoiseLevels.from_alphas(table.clone())
    elif "betas" in state:
        table = state["betas"].flatten().double()
        if len(table) > 1 and bool(((table > 0) & (table < 1)).all()):
            levels = NoiseLevels.from_betas(table)
    return levels.with_zero_terminal_snr() if blueprint.zero_terminal else levels


def with_vae(bundle: ModelBundle, vae: AutoencoderKL, vae_info: VaeInfo) -> ModelBundle:
    """`bundle` with another VAE; the networks are shared. Raises: UnknownFile if its latents do not fit."""
    channels = vae.config["latent_channels"]
    if channels != bundle.latent.channels:
        raise UnknownFile(
            f"The VAE {vae_info.name} makes latents of {channels} channels, {bundle.info.name} works with "
            f"{bundle.latent.channels}. Choose another VAE, or Automatic."
        )
    latent = replace(bundle.latent, downscale=2 ** (len(vae.config["block_out_channels"]) - 1))
    return replace(bundle, vae=vae, latent=latent, vae_info=vae_info)


class _Reporter:
    """Adds up bytes and reports the share, a hundred times at most."""

    def __init__(self, on_progress: OnProgress, total: int) -> None:
        self._on_progress, self._total, self._done, self._said = on_progress, total, 0, -1

    def __call__(self, count: int) -> None:
        self._done += count
        percent = min(100, 100 * self._done // self._total)
        if percent > self._said:
            self._said = percent
            self._on_progress(percent / 100)


class _Uninitialised(TorchFunctionMode):
    """Within: initialisers leave tensors as they are; drawing random weights nobody sees takes half of a load."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _laid_out(component: Component[Network]) -> Network:
    """The network without weights: every tensor is on the meta device. Only this thread is affected."""
    with torch.device("meta"), _Uninitialised():
        return component.build(component.config)


def _spelt_as(wanted: Mapping[str, Tensor], pieces: Mapping[str, Piece]) -> Mapping[str, Piece]:
    """`pieces` under the names this version of the network has: transformers < 5 puts `text_model.` before all."""
    if any(key.startswith("text_model.") for key in wanted):
        return {key if key == "text_projection.weight" else f"text_model.{key}": piece for key, piece in pieces.items()}
    return pieces


def _check_complete(
    component: Component[Any], pieces: Mapping[str, Piece], wanted: dict[str, Tensor], header: Header
) -> None:
    missing = [key for key in wanted if key not in pieces or pieces[key].key not in header]
    if missing:
        raise UnknownFile(
            f"{header.path.name} is incomplete: its {component.name} lacks {len(missing)} of {len(wanted)} tensors "
            f"({', '.join(missing[:3])} …). Download it again, or choose another file."
        )


def _converted(view: Tensor, dtype: torch.dtype, device: torch.device, channels_last: bool) -> Tensor:
    if not view.is_floating_point():
        return view.to(device)
    layout = torch.channels_last if channels_last and view.ndim == 4 and view.shape[-1] > 1 else None
    if layout is None:
        return view.to(device, dtype)
    return view.to(device, dtype, memory_format=layout)


def _fill_buffers(network: nn.Module, device: torch.device) -> None:
    """Values for the buffers that no file holds: positions count from 0. Others that were computed go to `device`.

    Raises: UnknownFile if another buffer or weight was left without a value.
    """
    for module in network.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta and name == "position_ids":
                positions = torch.arange(buffer.shape[-1], device=device).expand(buffer.shape)
                module.register_buffer(name, positions, persistent=False)
            elif not buffer.is_meta and buffer.device != device:
                module._buffers[name] = buffer.to(device)
    empty = [name for name, value in (*network.named_parameters(), *network.named_buffers()) if value.is_meta]
    if empty:
        raise UnknownFile(f"The file gives no values for {', '.join(empty[:3])} ({len(empty)} in all).")
