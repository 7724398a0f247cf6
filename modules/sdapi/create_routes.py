"""create/* and train/*: new embeddings and hypernetworks, under A1111's addresses."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.new_networks import dropout_of, numbers_of

NO_TRAINING = (
    "This studio does not train yet. Train with another program, then put the file into the folder {folder} "
    "and POST to /sdapi/v1/{refresh}."
)


class NewEmbeddingBody(Body):
    name: str = ""
    num_vectors_per_token: int = 1
    overwrite_old: bool = False
    init_text: str = Field("*", description="It begins as these words; empty: as nothing.")


class NewHypernetworkBody(Body):
    name: str = ""
    enable_sizes: list[int | str] = ["768", "320", "640", "1280"]
    overwrite_old: bool = False
    layer_structure: str | list[float] = Field("1, 2, 1", description="Widths of the layers, as multiples.")
    activation_func: str = "linear"
    weight_init: str = "Normal"
    add_layer_norm: bool = False
    use_dropout: bool = False
    dropout_structure: str | list[float] | None = Field(None, description="One number per layer; A1111's if null.")


class Info(BaseModel):
    info: str


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", tags=["training"])

    @router.post("/create/embedding")
    def create_embedding(request: Request, body: NewEmbeddingBody) -> Info:
        """Make an embedding that has learnt nothing yet, for the chosen checkpoint."""
        need_permission(request, studio.flags)
        path = studio.create_embedding(
            body.name, body.num_vectors_per_token, body.init_text, overwrite=body.overwrite_old
        )
        return Info(info=f"create embedding filename: {path}")

    @router.post("/create/hypernetwork")
    def create_hypernetwork(request: Request, body: NewHypernetworkBody) -> Info:
        """Make a hypernetwork that has learnt nothing yet."""
        from modules.networks.new_hypernetwork import Shape

        need_permission(request, studio.flags)
        layers = numbers_of(body.layer_structure, "layer_structure")
        shape = Shape(
            widths=[int(width) for width in numbers_of(body.enable_sizes, "enable_sizes")],
            layers=layers,
            activation=body.activation_func,
            start=body.weight_init,
            norm=body.add_layer_norm,
            dropout=dropout_of(body.dropout_structure, layers) if body.use_dropout else [],
        )
        path = studio.create_hypernetwork(body.name, shape, overwrite=body.overwrite_old)
        return Info(info=f"create hypernetwork filename: {path}")

    @router.post("/train/embedding", responses={501: {"description": "This studio does not train yet."}})
    def train_embedding(body: dict[str, Any]) -> Info:
        """Train an embedding."""
        folder = studio.flags.embedding_folders[0].name
        raise HTTPException(501, NO_TRAINING.format(folder=folder, refresh="refresh-embeddings"))

    @router.post("/train/hypernetwork", responses={501: {"description": "This studio does not train yet."}})
    def train_hypernetwork(body: dict[str, Any]) -> Info:
        """Train a hypernetwork."""
        folder = studio.flags.hypernetwork_folders[0].name
        raise HTTPException(501, NO_TRAINING.format(folder=folder, refresh="refresh-checkpoints"))

    return router
