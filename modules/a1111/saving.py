"""Pictures that extensions save, and extensions that look on while pictures are saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from modules.a1111.bound import bound
from modules.imaging.metadata import PARAMETERS
from modules.imaging.names import Subject
from modules.studio.outputs import Outputs, Place, Saving


class SaveCallbacks:
    """Calls `before_image_saved` and `image_saved` for every picture that the studio saves."""

    def saving(self, saving: Saving) -> None:
        params = self._params(saving)
        from modules import script_callbacks

        script_callbacks.before_image_saved_callback(params)
        saving.image, saving.path = params.image, Path(params.filename)
        saving.texts = {str(name): str(text) for name, text in params.pnginfo.items() if text is not None}

    def saved(self, saving: Saving) -> None:
        from modules import script_callbacks

        script_callbacks.image_saved_callback(self._params(saving))

    def _params(self, saving: Saving) -> Any:
        from modules import script_callbacks

        p = bound().drawn_by(saving.image)
        return script_callbacks.ImageSaveParams(saving.image, p, str(saving.path), saving.texts)


def outputs_now() -> Outputs:
    """Where pictures go; in a job, what is written there is written down with the job."""
    studio, work = bound().studio, bound().work
    if work is None:
        return studio.outputs
    return studio.outputs.announcing(work.watch.writing, unsaved=work.watch.folder)


def subject_for(p: Any, seed: Any, prompt: Any, image: Image.Image | None, **more: Any) -> Subject:
    """What file names can say about a picture of `p`, which may be None."""
    settings = bound().settings

    def of(name: str, default: Any) -> Any:
        value = getattr(p, name, None)
        return default if value is None else value

    return Subject(
        prompt=_text(prompt if prompt is not None else of("prompt", "")),
        negative_prompt=_text(of("negative_prompt", "")),
        seed=None if seed in (None, "") else int(seed),
        seeds=tuple(of("all_seeds", ())),
        number=int(of("batch_index", 0)) + int(of("iteration", 0)) * int(of("batch_size", 1)),
        batch_size=int(of("batch_size", 1)),
        n_iter=int(of("n_iter", 1)),
        steps=int(of("steps", 0)),
        cfg_scale=float(of("cfg_scale", 0)),
        width=image.width if image is not None else int(of("width", 0)),
        height=image.height if image is not None else int(of("height", 0)),
        styles=tuple(of("styles", ())),
        sampler=str(of("sampler_name", "")),
        scheduler=str(of("scheduler", "")),
        model_name=str(of("sd_model_name", "")),
        model_hash=str(of("sd_model_hash", "")),
        clip_skip=settings["CLIP_stop_at_last_layers"],
        denoising_strength=getattr(p, "denoising_strength", None),
        user=str(of("user", "")),
        max_words=int(settings["directories_max_prompt_words"]),
        image=image,
        **more,
    )


def _text(value: Any) -> str:
    return str(value[0] if isinstance(value, list) and value else value)


def save(
    image: Image.Image,
    place: Place,
    subject: Subject,
    text: str | None,
    others: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Path, Path | None]:
    """The file of a picture that an extension saves, and that of its text if the settings want one."""
    outputs = outputs_now()
    kept = text if settings["enable_pnginfo"] else None
    path = outputs.store(image, place, subject, kept, settings, others=others if settings["enable_pnginfo"] else {})
    beside = path.with_suffix(".txt") if settings["save_txt"] and text else None
    if beside is not None:
        outputs.write_text(beside, f"{text}\n")
    image.already_saved_as = str(path)  # type: ignore[attr-defined]
    return path, beside


def parameters_of(texts: Mapping[str, Any]) -> str | None:
    """The generation parameters among the texts of a picture."""
    found = texts.get(PARAMETERS)
    return None if found is None else str(found)
