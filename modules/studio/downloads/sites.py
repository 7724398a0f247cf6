"""From a link to what can be downloaded: the sites are asked which files there are, how large, and what their hash is.

Source: Civitai's public REST API (developer.civitai.com), Hugging Face Hub's API (/api/models/…).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import httpx

from modules.studio import web
from modules.studio.downloads.links import CivitaiLink, DirectLink, HubLink, Link, Sites
from modules.studio.web import Allowed, is_public
from modules.terms.errors import BadRequest, NotFound, Refused

MAX_ANSWER = 32 << 20
KILOBYTE = 1024
# A model's page on Civitai says which kind it is; ours are those of FileReport.kind.
CIVITAI_KINDS = {
    "Checkpoint": "checkpoint",
    "LORA": "network",
    "LoCon": "network",
    "DoRA": "network",
    "TextualInversion": "embedding",
    "Hypernetwork": "hypernetwork",
    "VAE": "vae",
    "Controlnet": "controlnet",
    "Upscaler": "upscaler",
    "Detection": "detector",
}
# How A1111's LoRA cards name the base model.
NOTED_VERSIONS = {"SD 1": "SD1", "SD 2": "SD2", "SDXL": "SDXL", "Pony": "SDXL", "Illustrious": "SDXL", "NoobAI": "SDXL"}
SAFE = (".safetensors", ".gguf")
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
# Pictures that Civitai rates higher are not put on a card unasked.
MILDEST = 2


@dataclass(frozen=True)
class Offer:
    """A file that can be downloaded.

    size: in bytes, None if the site does not say exactly. sha256: what the site says it is, "" if nothing. kind: as
    FileReport.kind, "" if the site does not say. page: where people read about it. notes, info: for the JSON files
    beside it. preview: address of a picture, "" if none.
    """

    url: str
    name: str
    size: int | None = None
    sha256: str = ""
    kind: str = ""
    title: str = ""
    page: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    preview: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether a file of such a name cannot hold a program."""
        return self.name.lower().endswith(SAFE)


@dataclass(frozen=True)
class Asker:
    """Asks the sites. key_of: the key of a site ("civitai", "hub"), "" if there is none."""

    sites: Sites
    key_of: Callable[[str], str] = lambda site: ""
    allowed: Allowed = is_public

    def headers_for(self, url: str) -> Mapping[str, str]:
        """The headers for one address: a key goes to its own site only, not to where that sends us on."""
        for site, address in (("civitai", self.sites.civitai), ("hub", self.sites.hub)):
            if _origin(url) == _origin(address) and (key := self.key_of(site)):
                return {"Authorization": f"Bearer {key}"}
        return {}

    def offers(self, link: Link) -> list[Offer]:
        """What is there, the best first. Raises: NotFound, Refused, BadRequest."""
        if isinstance(link, CivitaiLink):
            return _civitai_offers(self, link)
        if isinstance(link, HubLink):
            return _hub_offers(self, link)
        return [_direct(link)]

    def json(self, url: str) -> Any:
        """What a site's API answers. Raises: NotFound, Refused, BadRequest, in words for the user."""
        host = urlsplit(url).hostname
        try:
            data = web.read(url, MAX_ANSWER, headers_for=self.headers_for, allowed=self.allowed, by_proxy=True)
            return json.loads(data)
        except httpx.HTTPStatusError as error:
            raise refusal(error.response.status_code, host or "") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise BadRequest(f"{host} cannot be reached ({error}). Try again, or name a mirror in Settings.") from error
        except ValueError as error:
            raise BadRequest(f"{host} answers with something that is not its API. Is its address right?") from error


def refusal(status: int, host: str) -> BadRequest | Refused:
    """What a site means by a status that is no success."""
    if status in (401, 403):
        return Refused(
            f"{host} gives this only to those who log in. Make an API key in your account there and put it in "
            "the download box; some models also ask for their terms to be accepted on their page."
        )
    if status in (404, 410):
        return NotFound(f"{host} does not have this (any more). Is the address right?")
    return BadRequest(f"{host} answers {status}. Try again later.")


def _civitai_offers(asker: Asker, link: CivitaiLink) -> list[Offer]:
    api = f"{asker.sites.civitai}/api/v1"
    version = link.version
    if version is None:
        versions = _list(_table(asker.json(f"{api}/models/{link.model}")).get("modelVersions"))
        if not versions:
            raise NotFound("This model on Civitai has no files: choose another version or model.")
        version = int(versions[0]["id"])
    found = _table(asker.json(f"{api}/model-versions/{version}"))
    model = _table(found.get("model"))
    make = partial(_civitai_offer, found, model, asker.sites.civitai)
    files = [file for file in _list(found.get("files")) if file.get("type") != "Training Data" and file.get("name")]
    files.sort(key=lambda file: _civitai_rank(file, link.wishes))
    offers = [make(file) for file in files]
    if not offers:
        raise NotFound("This version on Civitai has no files that can be downloaded.")
    return offers


def _civitai_rank(file: Mapping[str, Any], wishes: Mapping[str, str]) -> tuple[int, bool, bool]:
    """Lowest first: as many wishes met as possible, safe before unsafe, then the one that its author put first."""
    facts = {"type": file.get("type"), **_table(file.get("metadata"))}
    met = sum(str(facts.get(name, "")).lower() == wish.lower() for name, wish in wishes.items())
    return -met, not str(file["name"]).lower().endswith(SAFE), not file.get("primary")


def _civitai_offer(version: Mapping[str, Any], model: Mapping[str, Any], site: str, file: Mapping[str, Any]) -> Offer:
    kind = "vae" if file.get("type") == "VAE" else CIVITAI_KINDS.get(str(model.get("type")), "")
    words = ", ".join(str(word).strip(" ,") for word in _list_of_text(version.get("trainedWords")))
    base = str(version.get("baseModel") or "")
    noted = next((name for start, name in NOTED_VERSIONS.items() if base.startswith(start)), "")
    notes = {"description": f"{model.get('name', '')} {version.get('name', '')}".strip(), "activation text": words}
    url = str(file.get("downloadUrl") or version.get("downloadUrl") or "")
    path = urlsplit(url)
    return Offer(
        # The API names the site itself, whoever was asked; a mirror serves the same path.
        url=f"{site}{path.path}{'?' + path.query if path.query else ''}" if path.path.startswith("/api/") else url,
        name=str(file["name"]),
        sha256=str(_table(file.get("hashes")).get("SHA256") or "").lower(),
        kind=kind,
        title=notes["description"],
        page=f"{site}/models/{version.get('modelId')}?modelVersionId={version.get('id')}",
        notes={**notes, "sd version": noted} if noted else notes,
        info=version,
        preview=_mild_picture(_list(version.get("images"))),
    )


def _mild_picture(images: Iterable[Mapping[str, Any]]) -> str:
    for image in images:
        level = image.get("nsfwLevel")
        mild = level <= MILDEST if isinstance(level, int) else image.get("nsfw") in (None, False, "None", "Soft")
        if mild and image.get("type", "image") == "image" and image.get("url"):
            return str(image["url"])
    return ""


def _hub_offers(asker: Asker, link: HubLink) -> list[Offer]:
    hub = asker.sites.hub
    page = f"{hub}/{link.repository}"
    revision = quote(link.revision, safe="")
    listed = asker.json(f"{hub}/api/models/{link.repository}/tree/{revision}?{urlencode({'recursive': 'true'})}")
    offers = []
    for entry in _list(listed):
        path = str(entry.get("path", ""))
        wanted = path == link.path or not link.path or path.startswith(f"{link.path.rstrip('/')}/")
        if entry.get("type") != "file" or not wanted or not path.lower().endswith((*SAFE, *PICKLES)):
            continue
        lfs = _table(entry.get("lfs"))
        size = lfs.get("size", entry.get("size"))
        offers.append(
            Offer(
                url=link.address(hub, path),
                name=path.rpartition("/")[2],
                size=size if isinstance(size, int) else None,
                sha256=str(lfs.get("oid", "")).removeprefix("sha256:"),
                title=f"{link.repository}: {path}",
                page=page,
            )
        )
    if not offers:
        raise NotFound(f"There is no model file at {page}{'/' + link.path if link.path else ''}.")
    # A whole repository: single files before the parts of a folder of diffusers, safe ones first.
    return sorted(offers, key=lambda offer: (not offer.is_safe, offer.title.count("/"), offer.title))


def _direct(link: DirectLink) -> Offer:
    name = unquote(urlsplit(link.url).path.rpartition("/")[2])
    return Offer(url=link.url, name=name, title=name or link.url, page=link.url)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _list_of_text(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str) and entry.strip()] if isinstance(value, list) else []
