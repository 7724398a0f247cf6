"""extra-single-image, extra-batch-images and interrogate: pictures that are there, made better or put into words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from modules.enhance.captions import captioners, small_enough
from modules.imaging.metadata import texts_in
from modules.sdapi.answer import as_response
from modules.sdapi.failures import raise_unless_done
from modules.sdapi.images import as_base64, read_image
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import (
    ExtrasBatchAnswer,
    ExtrasBatchBody,
    ExtrasBody,
    ExtrasSingleAnswer,
    ExtrasSingleBody,
    InterrogateAnswer,
    InterrogateBody,
)
from modules.sdapi.security import client_of
from modules.terms.captioning import CaptionRequest
from modules.terms.extras import ExtrasPicture, ExtrasRequest, FaceRepair, Upscaling

NOTHING_SAVED = {"save_samples": False}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", tags=["extras"])

    async def run(
        body: ExtrasBody, images: list[tuple[str, str]], client: str, answer: Callable[[str, list[str]], BaseModel]
    ) -> Response:
        """`answer`(html_info, pictures in base64) of a job over `images`, each (name of its file, content)."""
        request = await asyncio.to_thread(lambda: request_of(body, pictures_of(images, studio)))
        job = await asyncio.to_thread(
            lambda: studio.submit(request, "extras", client=client, options=dict(NOTHING_SAVED))
        )
        finished = raise_unless_done(await studio.jobs.wait_async(job.id))
        record: dict[str, Any] = dict(finished.result or {"images": [], "said": ""})
        paths = [Path(row["path"]) for row in record["images"]]
        said = as_html(record["said"])
        return await asyncio.to_thread(lambda: as_response(answer(said, [as_base64(path) for path in paths])))

    @router.post("/extra-single-image", response_model=ExtrasSingleAnswer)
    async def extra_single_image(body: ExtrasSingleBody, request: Request) -> Response:
        """Enlarge a picture, repair its faces. Answers when that is done."""

        def answer(said: str, images: list[str]) -> ExtrasSingleAnswer:
            return ExtrasSingleAnswer(html_info=said, image=images[0] if images else "")

        return await run(body, [("", body.image)], client_of(request), answer)

    @router.post("/extra-batch-images", response_model=ExtrasBatchAnswer)
    async def extra_batch_images(body: ExtrasBatchBody, request: Request) -> Response:
        """The same for several pictures. Answers when all are done, in their order."""

        def answer(said: str, images: list[str]) -> ExtrasBatchAnswer:
            return ExtrasBatchAnswer(html_info=said, images=images)

        return await run(body, [(one.name, one.data) for one in body.imageList], client_of(request), answer)

    @router.post("/interrogate")
    async def interrogate(body: InterrogateBody, request: Request) -> InterrogateAnswer:
        """Words for a picture. Answers 404 while there is no model for it, saying where its files go."""
        name = captioners()[body.model].name
        picture = await asyncio.to_thread(lambda: small_enough(read_image(body.image, studio.settings)))
        job = await asyncio.to_thread(
            lambda: studio.submit(CaptionRequest(picture, name), "interrogate", client=client_of(request))
        )
        finished = raise_unless_done(await studio.jobs.wait_async(job.id))
        return InterrogateAnswer(caption=str((finished.result or {}).get("said", "")))

    return router


def pictures_of(images: list[tuple[str, str]], studio: Studio) -> tuple[ExtrasPicture, ...]:
    """The pictures in (name of its file, content), with the texts inside. Raises: BadRequest, Refused."""
    found = []
    for name, content in images:
        image = read_image(content, studio.settings)
        found.append(ExtrasPicture(image, PurePosixPath(name.replace("\\", "/")).stem, texts_in(image)))
    return tuple(found)


def request_of(body: ExtrasBody, pictures: tuple[ExtrasPicture, ...]) -> ExtrasRequest:
    """What the body asks for. Raises: BadRequest naming what is wrong."""
    request = ExtrasRequest(
        pictures=pictures,
        show_results=body.show_extras_results,
        upscaling=Upscaling(
            mode=body.resize_mode,
            scale=body.upscaling_resize,
            width=body.upscaling_resize_w,
            height=body.upscaling_resize_h,
            crop=body.upscaling_crop,
            upscaler=body.upscaler_1 or "None",
            upscaler_2=body.upscaler_2 or "None",
            upscaler_2_visibility=body.extras_upscaler_2_visibility,
        ),
        faces=FaceRepair(body.gfpgan_visibility, body.codeformer_visibility, body.codeformer_weight),
    )
    request.check()
    return request


def as_html(text: str) -> str:
    """A paragraph with the text, as A1111's page shows it."""
    return "<p>" + "<br>\n".join(escape(line) for line in text.split("\n")) + "</p>"
