"""New models out of others: /internal/merge and /internal/extract-lora. Each answers with the job, which is followed at
/internal/jobs/{id} or, with `wait`, finished when the answer comes."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from modules.sdapi.failures import raise_unless_done
from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.sdapi.security import client_of
from modules.terms.merging import (
    AS_STORED,
    CONFIG_SOURCES,
    NO_VAE,
    SAFETENSORS,
    WEIGHTED_SUM,
    ExtractRequest,
    MergeRequest,
)

KIND = "modelmerger"


class MergeBody(Body):
    primary: str = Field(description="Model A, by any of its names.")
    secondary: str = ""
    tertiary: str = ""
    custom_name: str = ""
    multiplier: float = 0.3
    method: str = Field(WEIGHTED_SUM, description="No interpolation, Weighted sum or Add difference")
    blocks: str = Field("", description="A preset (GRAD_V) or a number per block, with commas between.")
    loras: str = Field("", description="Tags as in a prompt: <lora:name:0.8>")
    file_format: str = Field(SAFETENSORS, description="safetensors or ckpt")
    number_format: str = Field(AS_STORED, description="As in A, float16, bfloat16 or float32")
    config_source: str = Field(CONFIG_SOURCES[0], description=", ".join(CONFIG_SOURCES))
    vae: str = NO_VAE
    discard: str = Field("", description="A regular expression; weights whose names it is found in are left out.")
    save_metadata: bool = True
    add_recipe: bool = True
    copy_metadata: bool = True
    metadata: str = "{}"
    wait: bool = Field(False, description="Answer when the file is written.")


class ExtractBody(Body):
    tuned: str
    base: str
    rank: int = 32
    conv_rank: int = Field(0, description="0: as rank")
    text_encoder: bool = True
    custom_name: str = ""
    number_format: str = "float16"
    wait: bool = Field(False, description="Answer when the file is written.")


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/internal", tags=["merging"])

    async def run(asked: MergeRequest | ExtractRequest, request: Request, wait: bool) -> dict[str, Any]:
        need_permission(request, studio.flags)
        client = client_of(request)
        job = await asyncio.to_thread(lambda: studio.submit(asked, KIND, client=client))
        if not wait:
            return {"job": job.view()}
        finished = raise_unless_done(await studio.jobs.wait_async(job.id))
        result = finished.result or {}
        return {"job": finished.view(), **{key: result.get(key) for key in ("path", "said", "notes")}}

    @router.post("/merge")
    async def merge(body: MergeBody, request: Request) -> dict[str, Any]:
        """A new checkpoint in the folder of checkpoints."""
        return await run(_asked(MergeRequest, body), request, body.wait)

    @router.post("/extract-lora")
    async def extract_lora(body: ExtractBody, request: Request) -> dict[str, Any]:
        """A LoRA that takes one checkpoint to another, in the folder of LoRAs."""
        return await run(_asked(ExtractRequest, body), request, body.wait)

    return router


def _asked(kind: type[Any], body: Body) -> Any:
    names = {one.name for one in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in body.model_dump().items() if name in names})
