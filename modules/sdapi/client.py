"""A small client of /api/v2, for programs that use a studio over HTTP.

    with Client("http://127.0.0.1:7860") as studio:
        picture = studio.draw(prompt="a red circle", steps=20)[0]

It needs httpx and Pillow alone, so that the file can be copied into another program.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from PIL import Image

FINAL = frozenset({"done", "failed", "cancelled"})
WAIT_S = 60.0
Row = dict[str, Any]


class StudioError(Exception):
    """What the studio refused, in its own words. `status` is that of HTTP."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Client:
    """Speaks to the studio at `url`. token: of --api-token; login: (name, password). Every method raises StudioError
    for what the studio refuses, and httpx.HTTPError if it cannot be reached."""

    def __init__(
        self, url: str, *, token: str | None = None, login: tuple[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, auth=login, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(self, **asked: Any) -> str:
        """The id of a new job; `asked` as POST /api/v2/jobs takes it."""
        return str(self._json("POST", "jobs", json=asked)["id"])

    def draw(self, **asked: Any) -> list[Image.Image]:
        """The pictures of a job, once it is done."""
        return self.pictures(self.wait(self.submit(**asked))["id"])

    def job(self, job_id: str) -> Row:
        """A job as it stands, by its id or task id."""
        return self._json("GET", f"jobs/{job_id}")

    def jobs(self, offset: int = 0, limit: int = 50) -> list[Row]:
        """The active jobs, then a page of the finished ones."""
        return list(self._json("GET", "jobs", params={"offset": offset, "limit": limit})["jobs"])

    def follow(self, job_id: str) -> Iterator[Row]:
        """The job whenever it has changed, up to its end."""
        with self._http.stream("GET", f"/api/v2/jobs/{job_id}/events", timeout=WAIT_S) as response:
            if response.is_error:
                response.read()
            self._checked(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[len("data: ") :])

    def wait(self, job_id: str) -> Row:
        """The job, once it has ended. The connection may break meanwhile: the job does not."""
        while True:
            try:
                for job in self.follow(job_id):
                    if job["state"] in FINAL:
                        return job
            except httpx.TransportError:
                job = self.job(job_id)
                if job["state"] in FINAL:
                    return job

    def result(self, job_id: str) -> Row:
        """What a job made: the addresses, seeds and texts of its pictures."""
        return self._json("GET", f"jobs/{job_id}/result")

    def pictures(self, job_id: str) -> list[Image.Image]:
        """The pictures of a job that is done."""
        return [self._picture(row["url"]) for row in self.result(job_id)["pictures"]]

    def preview(self, job_id: str) -> Image.Image | None:
        """The picture of a running job as it stands; None if there is none."""
        address = self.job(job_id)["preview"]
        try:
            return self._picture(address) if address else None
        except StudioError:  # it ended in between
            return None

    def cancel(self, job_id: str) -> Row:
        """Ends a job and throws it away; takes a finished one off the list."""
        return self._json("DELETE", f"jobs/{job_id}")

    def interrupt(self, job_id: str) -> Row:
        """Ends a job after its present step and keeps its pictures."""
        return self._json("POST", f"jobs/{job_id}/interrupt")

    def upload(self, picture: Image.Image) -> str:
        """What stands for `picture` in requests."""
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        sent = {"picture": ("picture.png", buffer.getvalue(), "image/png")}
        return str(self._json("POST", "uploads", files=sent)["reference"])

    def models(self, kind: str = "checkpoints", search: str = "") -> list[Row]:
        """The models of a kind whose names contain every word of `search`."""
        return list(self._json("GET", f"models/{kind}", params={"search": search})["models"])

    def inspect(self, kind: str, name: str) -> Row:
        """What the file of a model is."""
        return self._json("GET", f"models/{kind}/inspect", params={"name": name})

    def library(self, search: str = "") -> list[Row]:
        """The newest saved pictures that a search finds."""
        return list(self._json("GET", "pictures", params={"search": search})["pictures"])

    def _picture(self, address: str) -> Image.Image:
        image = Image.open(io.BytesIO(self._checked(self._http.get(address)).content))
        image.load()
        return image

    def _json(self, method: str, address: str, **sent: Any) -> Row:
        found: Row = self._checked(self._http.request(method, f"/api/v2/{address}", **sent)).json()
        return found

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            raise StudioError(response.status_code, _sentence(response))
        return response


def _sentence(response: httpx.Response) -> str:
    try:
        said = response.json()
    except ValueError:
        said = None
    sentence = said.get("errors") or said.get("detail") if isinstance(said, Mapping) else None
    return str(sentence or response.reason_phrase)
