"""What a `.yaml` beside a checkpoint says, in the form of the original training code's configs.

It overrides what the tensors suggest: the number of heads, the noise schedule, what the network predicts, and a local
folder whose config.json describes the text encoder. Nothing named in it is imported or fetched.
Source: spec/models_and_networks.md §3, §10.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from modules.terms.errors import UnknownFile

MAX_BYTES = 1 << 20

PredictionName = Literal["epsilon", "v", "flow"]


@dataclass(frozen=True)
class Sidecar:
    """What the yaml decides; None and empty mean: nothing said, look at the tensors.

    text: the text encoder's config.json. heads / head_width: of the UNet's attention, one of them.
    beta_start, beta_end, timesteps: the noise schedule (sqrt(beta) rises evenly). zero_terminal: rescale it to end in
    pure noise. variant: see `blueprint.Variant`.
    """

    text: Mapping[str, Any] = field(default_factory=dict)
    heads: int | None = None
    head_width: int | None = None
    prediction: PredictionName | None = None
    beta_start: float | None = None
    beta_end: float | None = None
    timesteps: int | None = None
    scale: float | None = None
    zero_terminal: bool | None = None
    variant: Literal["", "reference"] | None = None


def read_sidecar(checkpoint: Path) -> Sidecar:
    """What `<stem>.yaml` beside `checkpoint` says, and over it what the user noted in `<stem>.json`: "prediction type"
    ("v" or "epsilon"), "zero terminal snr" (true or false), "variant" ("reference": it edits a picture that it sees,
    "": it does not). An empty Sidecar if there is neither.

    Raises: UnknownFile if the yaml is there and cannot be read.
    """
    said = _read_yaml(checkpoint)
    noted = user_metadata(checkpoint)
    prediction, zero_terminal = noted.get("prediction type"), noted.get("zero terminal snr")
    if prediction in ("v", "epsilon"):
        said = replace(said, prediction=prediction)
    if noted.get("variant") in ("", "reference"):
        said = replace(said, variant=noted["variant"])
    return replace(said, zero_terminal=zero_terminal) if isinstance(zero_terminal, bool) else said


def user_metadata(path: Path) -> Mapping[str, Any]:
    """What the user noted in `<stem>.json` beside a model; empty if there is nothing or it is no JSON object."""
    try:
        found = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_yaml(checkpoint: Path) -> Sidecar:
    path = checkpoint.with_suffix(".yaml")
    if not path.is_file():
        return Sidecar()
    model = _branch(_parsed(path), "model")
    params = _branch(model, "params")
    unet = _branch(params, "unet_config", "params") or _branch(params, "network_config", "params")
    text = _branch(params, "cond_stage_config", "params")
    return Sidecar(
        text=_text_config(checkpoint.parent, text.get("version")),
        heads=_number(unet, "num_heads", int, path),
        head_width=_number(unet, "num_head_channels", int, path),
        prediction=_prediction(params),
        beta_start=_number(params, "linear_start", float, path),
        beta_end=_number(params, "linear_end", float, path),
        timesteps=_number(params, "timesteps", int, path),
        scale=_number(params, "scale_factor", float, path),
        zero_terminal=True if params.get("zsnr") or params.get("rescale_betas_zero_snr") else None,
    )


def _parsed(path: Path) -> Mapping[str, Any]:
    import yaml

    if path.stat().st_size > MAX_BYTES:
        raise UnknownFile(f"{path.name} is too large for a model's configuration. Remove it or rename it.")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnknownFile(
            f"{path.name}, the configuration beside the checkpoint, cannot be read: {error}. Correct it or remove it."
        ) from None
    return found if isinstance(found, Mapping) else {}


def _branch(tree: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The mapping at `names` in `tree`; empty where there is none."""
    for name in names:
        found = tree.get(name)
        tree = found if isinstance(found, Mapping) else {}
    return tree


def _number(tree: Mapping[str, Any], name: str, kind: type, path: Path) -> Any:
    value = tree.get(name)
    if value is None:
        return None
    try:
        number = kind(value)
    except (TypeError, ValueError):
        raise UnknownFile(f"{path.name} says {name}: {value!r}, which is not a number. Correct it.") from None
    return number if number > 0 else None  # the original code writes -1 for "not this one"


def _prediction(params: Mapping[str, Any]) -> PredictionName | None:
    """SD 2 configs say `parameterization`, SDXL ones name a scaling class."""
    said = params.get("parameterization")
    if said in ("v", "eps"):
        return "v" if said == "v" else "epsilon"
    scaling = _branch(params, "denoiser_config", "params", "scaling_config").get("target")
    if scaling is None:
        return None
    return "v" if str(scaling).endswith(("VScaling", "VScalingWithEDMcNoise")) else "epsilon"


def _text_config(folder: Path, version: object) -> Mapping[str, Any]:
    """config.json of the text encoder folder called `version` beside the checkpoint; empty if there is no such folder
    (a hub's name, say: what those are is read off the tensors)."""
    if not isinstance(version, str):
        return {}
    path = folder / version / "config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UnknownFile(f"{path} is no JSON: the text encoder's configuration cannot be read. Correct it.") from None
    if isinstance(found, dict) and isinstance(found.get("text_config"), dict):
        found = found["text_config"]
    return found if isinstance(found, dict) else {}
