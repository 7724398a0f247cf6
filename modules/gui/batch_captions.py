"""The Batch mode's other use: words for every picture of a folder, in a text file of the picture's name, as A1111."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.gui.batch_mode import FOLDER
from modules.gui.folders import check_folders_may_be_named
from modules.gui.needs import Studio
from modules.imaging.files import open_image
from modules.terms.errors import BadRequest, WebuiError


def write_captions(studio: Studio, values: Mapping[str, Any], model: str) -> tuple[int, Path]:
    """Puts what `model` says of each picture at the end of `<name>.txt`, in the output folder or else beside it.

    Returns: how many, and where. Raises: BadRequest, NotFound, Refused, WebuiError with the sentence for the person.
    """
    from modules.generation.picture_batch import pictures_in  # brings torch along

    check_folders_may_be_named(studio)
    folder = str(values.get("batch.folder") or "").strip()
    if values.get("batch.source") != FOLDER or not folder:
        raise BadRequest("Name the folder with the pictures first.")
    pictures = pictures_in(folder)
    if not pictures:
        raise BadRequest(f"There are no pictures in {folder}. Name another folder.")
    target = Path(str(values.get("batch.output_folder") or "").strip() or folder)
    for path in pictures:
        words = studio.caption(open_image(path, what=path.name), model)
        try:
            target.mkdir(parents=True, exist_ok=True)
            with target.joinpath(f"{path.stem}.txt").open("a", encoding="utf-8") as file:
                file.write(f"{words}\n")
        except OSError as error:
            raise WebuiError(f"The texts cannot be written to {target}: {error.strerror or error}.") from error
    return len(pictures), target
