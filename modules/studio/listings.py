"""What there is to choose from, by name: for the dropdowns of the page and the lists of the API.

`names` answers at once, before torch is imported; `details` may import it for what only the registries know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from modules.diffusion.names import SAMPLER_NAMES, SCHEDULE_NAMES
from modules.enhance.detection.names import names_in
from modules.enhance.faces.known import RESTORERS
from modules.generation import always_on
from modules.studio import control_lists
from modules.studio.localizations import localization_files, localization_folders
from modules.studio.network_lists import embedding_names, embedding_rows
from modules.terms.errors import NotFound
from modules.terms.extras import STEP_NAMES

if TYPE_CHECKING:
    from modules.studio.studio import Studio

Row = dict[str, Any]
T = TypeVar("T")

LATENT_UPSCALE_MODES = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)
# The detail pass as clients look for it among the scripts. Its arguments are objects, which have no controls here.
DETAIL_ROWS: tuple[Row, ...] = tuple(
    {"name": "ADetailer", "is_alwayson": True, "is_img2img": img2img, "args": []} for img2img in (False, True)
)
PIXEL_UPSCALERS = ("None", "Lanczos", "Nearest")


def names(studio: Studio, listing: str) -> list[str]:
    """The entries of `listing` as a person sees them. Raises: NotFound for an unknown listing."""
    return _entry(NAMES, listing)(studio)


def details(studio: Studio, listing: str) -> list[Row]:
    """The entries of `listing` as `/sdapi/v1` shows them (spec/api.md §5). Raises: NotFound for an unknown listing."""
    return _entry(DETAILS, listing)(studio)


def refresh(studio: Studio, listing: str) -> list[str]:
    """Looks at the folders again, then as `names`."""
    if listing in ("checkpoints", "vae"):
        studio.library.refresh()
        studio.library.hash_in_background()
    elif listing == "loras":
        studio.loras.refresh()
    elif listing == "control_models":
        studio.control_files.refresh()
    elif listing == "hypernetworks":
        studio.hypernetworks.refresh()
    elif listing in ("upscalers", "pixel_upscalers", "realesrgan_models"):
        studio.upscaler_files.refresh()
    elif listing == "styles":
        studio.reload_styles()
    return names(studio, listing)


def _entry(table: Mapping[str, Callable[[Studio], T]], listing: str) -> Callable[[Studio], T]:
    if listing not in table:
        raise NotFound(f"There is no list called {listing!r}. Known: {', '.join(table)}.")
    return table[listing]


def _checkpoints(studio: Studio) -> list[Row]:
    return [
        {
            "title": info.title,
            "model_name": info.model_name,
            "hash": info.shorthash,
            "sha256": info.sha256,
            "filename": str(info.path),
            "config": str(sidecar) if (sidecar := info.path.with_suffix(".yaml")).is_file() else None,
        }
        for info in studio.library.checkpoints
    ]


def _samplers(studio: Studio) -> list[Row]:
    from modules.diffusion.samplers import SAMPLERS

    return [
        {"name": sampler.name, "aliases": list(sampler.aliases), "options": _sampler_options(sampler)}
        for sampler in SAMPLERS
    ]


def _sampler_options(sampler: Any) -> dict[str, str]:
    """A sampler's flags under A1111's names, values as text."""
    flags = {
        "scheduler": sampler.default_schedule,
        "second_order": sampler.second_order,
        "brownian_noise": sampler.brownian,
        "uses_ensd": sampler.uses_ensd,
        "discard_next_to_last_sigma": sampler.discard_penultimate,
    }
    return {name: str(value) for name, value in flags.items() if value}


def _schedulers(studio: Studio) -> list[Row]:
    from modules.diffusion.schedules import SCHEDULES

    return [
        {
            "name": schedule.key,
            "label": schedule.label,
            "aliases": list(schedule.other_names) or None,
            "default_rho": -1 if schedule.default_rho is None else schedule.default_rho,
            "need_inner_model": "levels" in schedule.needs,
        }
        for schedule in SCHEDULES
    ]


def _styles(studio: Studio) -> list[Row]:
    return [
        {"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt}
        for style in studio.styles.styles
    ]


def _pixel_upscalers(studio: Studio) -> list[str]:
    return [*PIXEL_UPSCALERS, *(one.name for one in studio.upscaler_files.files), *studio.additions.upscalers]


def _extensions(studio: Studio) -> list[Row]:
    from modules.studio.extensions.states import position

    rows = []
    for one in studio.extensions.all():
        at = position(one.path)
        if not at["remote"]:
            continue
        rows.append(
            {
                "name": one.name,
                "remote": at["remote"] or "",
                "branch": at["branch"] or "",
                "commit_hash": at["commit_hash"] or "",
                "version": (at["commit_hash"] or "")[:8],
                "commit_date": at["commit_date"] or 0,
                "enabled": one.enabled,
            }
        )
    return rows


def _upscalers(studio: Studio) -> list[Row]:
    scales = {"None": 1.0, "Lanczos": 4.0, "Nearest": 4.0}
    simple = [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": scale}
        for name, scale in scales.items()
    ]
    files = [
        {
            "name": one.name,
            "model_name": one.folder,
            "model_path": str(one.path),
            "model_url": None,
            "scale": one.scale,
        }
        for one in studio.upscaler_files.files
    ]
    added = [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}
        for name in studio.additions.upscalers
    ]
    return [*simple, *files, *added]


def _realesrgan_models(studio: Studio) -> list[Row]:
    return [
        {"name": one.name, "path": str(one.path), "scale": int(one.scale)}
        for one in studio.upscaler_files.files
        if studio.flags.realesrgan_models_path in one.path.parents
    ]


def _face_restorers(studio: Studio) -> list[Row]:
    folders = {"Codeformer": studio.flags.codeformer_models_path, "GFPGAN": studio.flags.gfpgan_models_path}
    return [{"name": one.name, "cmd_dir": str(folders[one.folder])} for one in RESTORERS]


def _scripts(studio: Studio) -> list[Row]:
    """Those of extensions, then the built-in ones that no extension brings a script of the same name for."""
    theirs = studio.host.rows() if studio.host else []
    taken = {(str(row["name"]).lower(), row["is_img2img"]) for row in theirs}
    own = (*always_on.rows(), *control_lists.script_rows(), *DETAIL_ROWS)
    return [*theirs, *(row for row in own if (str(row["name"]).lower(), row["is_img2img"]) not in taken)]


NAMES: Mapping[str, Callable[[Studio], list[str]]] = {
    "checkpoints": lambda studio: [info.title for info in studio.library.checkpoints],
    "vae": lambda studio: ["Automatic", "None", *(vae.name for vae in studio.library.vaes)],
    "text_encoders": lambda studio: list(studio.companions.names),
    "samplers": lambda studio: [*SAMPLER_NAMES, *studio.additions.samplers],
    "schedulers": lambda studio: [*SCHEDULE_NAMES, *studio.additions.schedules],
    "upscalers": lambda studio: [*LATENT_UPSCALE_MODES, *_pixel_upscalers(studio)],
    "pixel_upscalers": _pixel_upscalers,
    "latent_upscale_modes": lambda studio: list(LATENT_UPSCALE_MODES),
    "styles": lambda studio: [style.name for style in studio.styles.styles],
    "loras": lambda studio: ["None", *studio.loras.names],
    "embeddings": lambda studio: embedding_names(studio.flags),
    "hypernetworks": lambda studio: ["None", *studio.hypernetworks.names],
    "face_restorers": lambda studio: [one.name for one in RESTORERS],
    "detectors": lambda studio: names_in([studio.flags.models_dir / "adetailer"]),
    "postprocessing": lambda studio: [*STEP_NAMES, *(studio.host.operations() if studio.host else ())],
    "control_models": lambda studio: control_lists.model_names(studio.control_files),
    "control_modules": lambda studio: control_lists.module_names(),
    "localizations": lambda studio: ["None", *localization_files(localization_folders(studio))],
}
DETAILS: Mapping[str, Callable[[Studio], list[Row]]] = {
    "checkpoints": _checkpoints,
    "vae": lambda studio: [{"model_name": vae.name, "filename": str(vae.path)} for vae in studio.library.vaes],
    "samplers": _samplers,
    "schedulers": _schedulers,
    "upscalers": _upscalers,
    "latent_upscale_modes": lambda studio: [{"name": name} for name in LATENT_UPSCALE_MODES],
    "styles": _styles,
    "hypernetworks": lambda studio: [
        {"name": info.name, "path": str(info.path)} for info in studio.hypernetworks.infos
    ],
    "face_restorers": _face_restorers,
    "realesrgan_models": _realesrgan_models,
    "embeddings": embedding_rows,
    "loras": lambda studio: studio.loras.rows(),
    "scripts": lambda studio: _scripts(studio),
    "control_models": lambda studio: control_lists.model_rows(studio.control_files),
    "control_modules": lambda studio: control_lists.module_rows(),
    "extensions": _extensions,
}
