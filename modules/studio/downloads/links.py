"""What a pasted text points to: a model on Civitai, a file or repository on Hugging Face, or a file anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit

from modules.terms.errors import BadRequest

CIVITAI = "https://civitai.com"
HUB = "https://huggingface.co"
CIVITAI_HOSTS = frozenset({"civitai.com", "www.civitai.com", "civitai.red", "civitai.green"})
HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co", "hf-mirror.com"})
# What a download link of Civitai may ask for when a version has several files.
FILE_WISHES = ("type", "format", "size", "fp")

# urn:air:sdxl:checkpoint:civitai:101055@128078, the first two parts may be missing.
_AIR = re.compile(
    r"(?:urn:)?(?:air:)?(?:[\w.-]+:){2}(?P<source>civitai|huggingface):(?P<id>[^@\s]+)(?:@(?P<version>[^:\s]+))?.*"
)
_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


@dataclass(frozen=True)
class Sites:
    """Where the sites are: themselves, or mirrors. Without a slash at the end."""

    civitai: str = CIVITAI
    hub: str = HUB

    @classmethod
    def named(cls, civitai: str = "", hub: str = "", environ: Mapping[str, str] = os.environ) -> Sites:
        """Those that the settings name; for Hugging Face else what the variable HF_ENDPOINT says."""
        return cls(
            (civitai.strip() or CIVITAI).rstrip("/"),
            (hub.strip() or environ.get("HF_ENDPOINT", "").strip() or HUB).rstrip("/"),
        )


@dataclass(frozen=True)
class CivitaiLink:
    """A version of a model, or a model, of which then the newest version is meant. wishes: which of its files."""

    model: int | None = None
    version: int | None = None
    wishes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HubLink:
    """A file of a repository; `path` may be a folder, or "" for all of it."""

    repository: str
    revision: str = "main"
    path: str = ""

    def address(self, hub: str, path: str) -> str:
        """Where the file `path` of the repository is downloaded."""
        return f"{hub}/{self.repository}/resolve/{quote(self.revision, safe='')}/{quote(path)}"


@dataclass(frozen=True)
class DirectLink:
    """A file that is at this address."""

    url: str


Link = CivitaiLink | HubLink | DirectLink


def parse_link(text: str, sites: Sites) -> Link:
    """What `text` points to. Raises: BadRequest saying what can be pasted."""
    text = text.strip().strip("<>\"'")
    if found := _AIR.fullmatch(text):
        return _of_air(found["source"], found["id"], found["version"])
    if _REPOSITORY.fullmatch(text):
        return HubLink(text)
    if "://" not in text and re.match(r"[\w-]+(\.[\w-]+)+/", text):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError:
        host = ""
    if not host or parts.scheme.lower() not in ("http", "https"):
        raise BadRequest(
            "This is no link that can be downloaded. Paste the address of a model's page on Civitai or Hugging Face, "
            "an air: name, or the address of a file (https://…)."
        )
    if host in CIVITAI_HOSTS | {urlsplit(sites.civitai).hostname}:
        link = _of_civitai(parts.path, parse_qs(parts.query))
        if link is not None:
            return link
    if host in HUB_HOSTS | {urlsplit(sites.hub).hostname}:
        return _of_hub(parts.path)
    return DirectLink(text)


def _of_air(source: str, name: str, version: str | None) -> Link:
    if source == "huggingface":
        return HubLink(name, version or "main")
    if not name.isdecimal() or (version and not version.isdecimal()):
        raise BadRequest(f"Civitai numbers its models; {name}@{version or ''} is none of them.")
    return CivitaiLink(int(name), int(version) if version else None)


def _of_civitai(path: str, query: Mapping[str, list[str]]) -> CivitaiLink | None:
    """None if the path is not that of a model."""
    wishes = {name: query[name][0] for name in FILE_WISHES if query.get(name)}
    if found := re.fullmatch(r"/api/download/models/(\d+)/?", path):
        return CivitaiLink(version=int(found[1]), wishes=wishes)
    if found := re.match(r"/(?:api/v1/)?model-versions/(\d+)", path):
        return CivitaiLink(version=int(found[1]), wishes=wishes)
    if found := re.match(r"(?:/[a-z]{2})?/(?:api/v1/)?models/(\d+)", path):
        version = query.get("modelVersionId", [""])[0]
        return CivitaiLink(int(found[1]), int(version) if version.isdecimal() else None, wishes)
    return None


def _of_hub(path: str) -> HubLink:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if (
        len(parts) < 2
        or parts[0] in ("datasets", "spaces", "docs", "blog")
        or not _REPOSITORY.fullmatch("/".join(parts[:2]))
    ):
        raise BadRequest("Models on Hugging Face are at huggingface.co/owner/name. Paste such an address.")
    repository = "/".join(parts[:2])
    if len(parts) >= 4 and parts[2] in ("blob", "resolve", "raw", "tree"):
        return HubLink(repository, parts[3], "/".join(parts[4:]))
    return HubLink(repository)
