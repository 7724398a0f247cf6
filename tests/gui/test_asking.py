"""A job from the page counts as its user's, so that one person's hundred jobs do not make all others wait."""

from __future__ import annotations

import gradio as gr
import pytest
from gradio.context import LocalContext
from starlette.requests import Request

from modules.gui.run import asking


@pytest.mark.parametrize(("user", "who"), [("ann", "ann"), ("", "10.0.0.7"), (None, "10.0.0.7")])
def test_a_job_counts_as_its_users(user: str | None, who: str) -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("10.0.0.7", 1)}
    token = LocalContext.request.set(gr.Request(Request({**scope, "atelier_user": user})))
    try:
        assert asking() == who
    finally:
        LocalContext.request.reset(token)
    assert asking() == ""
