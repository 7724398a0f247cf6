"""txt2img, img2img and png-info. A generation is a job like any other: the route submits it and waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from modules.generation.foreign.texts import infotext_of
from modules.generation.infotext import parse
from modules.imaging.metadata import read_metadata
from modules.sdapi.answer import as_response, generation_answer
from modules.sdapi.failures import raise_unless_done
from modules.sdapi.images import bytes_of, open_image
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import (
    GenerationAnswer,
    GenerationBody,
    Img2ImgBody,
    PngInfoAnswer,
    PngInfoBody,
    Txt2ImgBody,
)
from modules.sdapi.security import client_of
from modules.sdapi.translate import img2img_request, txt2img_request
from modules.terms.errors import NotFound
from modules.terms.request import GenerationRequest

NOTHING_SAVED = {"save_samples": False, "save_grid": False, "return_grid": False}

T = TypeVar("T", bound=GenerationBody)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", tags=["generation"])

    async def generate(
        body: T, kind: str, to_request: Callable[[T, Studio], GenerationRequest], client: str
    ) -> Response:
        # Threads for what decodes pictures or touches the disk; the wait itself costs none. A client that goes away
        # leaves its job in the queue, and may come back for it by its task id.
        request = await asyncio.to_thread(to_request, body, studio)
        job = await asyncio.to_thread(
            lambda: studio.submit(
                request,
                kind,
                client=client,
                task_id=body.force_task_id,
                # Saving what the settings say to save; otherwise nothing, and no grid either, as A1111 does.
                options={} if body.save_images else NOTHING_SAVED,
            )
        )
        finished = raise_unless_done(await studio.jobs.wait_async(job.id))
        if not body.override_settings_restore_afterwards:
            await asyncio.to_thread(keep_overrides, studio, request.settings)
        return await asyncio.to_thread(lambda: as_response(generation_answer(finished, body, studio.version)))

    @router.post("/txt2img", response_model=GenerationAnswer)
    async def txt2img(body: Txt2ImgBody, request: Request) -> Response:
        """Draw pictures from a prompt. Answers when they are done."""
        return await generate(body, "txt2img", txt2img_request, client_of(request))

    @router.post("/img2img", response_model=GenerationAnswer)
    async def img2img(body: Img2ImgBody, request: Request) -> Response:
        """Draw pictures from pictures, whole or where a mask is white. Answers when they are done."""
        return await generate(body, "img2img", img2img_request, client_of(request))

    @router.post("/png-info")
    def png_info(body: PngInfoBody) -> PngInfoAnswer:
        """What a picture says about how it was made, whichever program made it."""
        found = read_metadata(open_image(bytes_of(body.image, studio.settings)))
        text = infotext_of(found) or ""
        parsed = parse(text, settings=studio.settings, styles=studio.styles) if text else {}
        return PngInfoAnswer(info=text, items=dict(found.items), parameters=parsed)

    return router


def keep_overrides(studio: Studio, overrides: Mapping[str, Any]) -> None:
    """Makes the settings of one request those of all, but for those that requests cannot change.

    A checkpoint that is not here is passed over, as it was for the picture. Raises: Refused for locked settings.
    """
    kept = dict(overrides)
    with contextlib.suppress(KeyError, NotFound):
        studio.library.find(kept.pop("sd_model_checkpoint"))
        kept["sd_model_checkpoint"] = overrides["sd_model_checkpoint"]
    studio.set_options(kept, from_api=True)
