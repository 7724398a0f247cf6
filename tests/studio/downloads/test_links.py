"""What people paste, and what it means."""

from __future__ import annotations

import pytest

from modules.studio.downloads.links import CivitaiLink, DirectLink, HubLink, Link, Sites, parse_link
from modules.terms.errors import BadRequest

MIRRORS = Sites.named("https://civitai.mirror.example/", "", {"HF_ENDPOINT": "https://hub.mirror.example/"})


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://civitai.com/models/4384/dreamshaper", CivitaiLink(4384)),
        ("civitai.com/models/4384", CivitaiLink(4384)),
        (" <https://civitai.com/models/4384?modelVersionId=128713> ", CivitaiLink(4384, 128713)),
        ("https://civitai.com/api/v1/model-versions/128713", CivitaiLink(version=128713)),
        ("https://civitai.com/api/download/models/128713?token=x", CivitaiLink(version=128713)),
        (
            "https://civitai.com/api/download/models/128713?type=Model&format=SafeTensor&size=pruned&fp=fp16",
            CivitaiLink(
                version=128713, wishes={"type": "Model", "format": "SafeTensor", "size": "pruned", "fp": "fp16"}
            ),
        ),
        ("https://civitai.mirror.example/models/1", CivitaiLink(1)),
        ("urn:air:sdxl:checkpoint:civitai:101055@128078", CivitaiLink(101055, 128078)),
        ("air:sd1:lora:civitai:5", CivitaiLink(5)),
        ("urn:air:flux1:lora:huggingface:owner/name@dev", HubLink("owner/name", "dev")),
        ("https://huggingface.co/owner/name", HubLink("owner/name")),
        ("owner/name.v1", HubLink("owner/name.v1")),
        (
            "https://huggingface.co/owner/name/blob/main/a%20b/model.safetensors",
            HubLink("owner/name", "main", "a b/model.safetensors"),
        ),
        ("https://hf-mirror.com/owner/name/resolve/v1/m.gguf?download=true", HubLink("owner/name", "v1", "m.gguf")),
        ("https://hub.mirror.example/owner/name/tree/main/vae", HubLink("owner/name", "main", "vae")),
        ("https://example.org/m.safetensors", DirectLink("https://example.org/m.safetensors")),
        ("https://civitai.com/images/5", DirectLink("https://civitai.com/images/5")),
    ],
)
def test_links_are_understood(text: str, link: Link) -> None:
    assert parse_link(text, MIRRORS) == link


@pytest.mark.parametrize(
    "text",
    ["", "cat", "file:///etc/passwd", "ftp://x.org/y", "javascript:alert(1)", "https://", "http://[",
     "air:a:b:civitai:x", "https://huggingface.co/datasets/a/b", "https://huggingface.co/a"],
)  # fmt: skip
def test_what_is_no_link_is_told(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_link(text, MIRRORS)


def test_mirrors_are_used_for_what_is_fetched() -> None:
    assert Sites("https://civitai.mirror.example", "https://hub.mirror.example") == MIRRORS
    link = HubLink("owner/name", "a/b", "x y.gguf")
    assert link.address(MIRRORS.hub, link.path) == "https://hub.mirror.example/owner/name/resolve/a%2Fb/x%20y.gguf"
    assert Sites.named(environ={}) == Sites()
