"""Many clients at once: python tests/bench/load.py http://127.0.0.1:7860 [--requests 200] [--clients 20] [--pid N]

Every client sends requests one after the other to a running studio: most of them good, some that must be refused, some
from clients that hang up and come back for their picture. Told: whether every good one got the picture of its own
prompt and seed, every bad one a 4xx, how long `progress` takes meanwhile, and the studio's memory before and after.

`progress` is asked by a process of its own, in turn with an address that does nothing (`ping`): what both take is the
machine's and the server's, what `progress` takes more is its own.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import multiprocessing
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

import httpx
from PIL import Image

SMALL = {"steps": 2, "width": 64, "height": 64, "sampler_name": "Euler"}
BAD = (
    {"sampler_name": "no such sampler"},
    {"steps": 0},
    {"width": -5},
    {"steps": "many"},
    {"override_settings": {"no such setting": 1}},
    {"script_name": "no such script"},
    {"seed": {}},
)
# Of ten requests: so many that are wrong, so many whose client hangs up.
WRONG, HASTY = 2, 1
PATIENCE_S = 600
ASKED = {"progress": "/sdapi/v1/progress?skip_current_image=true", "ping": "/internal/ping"}


@dataclass
class Report:
    """What a run found. `wrong` are sentences about what should not have been."""

    answered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    asked_s: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def percentile(self, share: float, address: str = "progress") -> float:
        """Seconds within which that share of the questions to `address` was answered."""
        times = sorted(self.asked_s[address])
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


def run(url: str, requests: int = 200, clients: int = 20, pause: float = 0.05) -> Report:
    """Sends `requests` from `clients` threads, and asks for progress every `pause` seconds meanwhile."""
    report, work = Report(), SimpleQueue[int]()
    for number in range(requests):
        work.put(number)
    # Our own threads decode pictures and would wait for each other: a process of its own keeps better time.
    apart = multiprocessing.get_context("spawn")
    finished = apart.Event()
    told, telling = apart.Pipe(duplex=False)
    watching = apart.Process(target=_watch, args=(url, telling, finished, pause))
    watching.start()
    telling.close()
    threads = [threading.Thread(target=_client, args=(url, work, report)) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds = time.monotonic() - began
    finished.set()
    report.asked_s, wrong = told.recv()
    report.wrong += wrong
    watching.join()
    return report


def _client(url: str, work: SimpleQueue[int], report: Report) -> None:
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        while True:
            try:
                number = work.get_nowait()
            except Empty:
                return
            kind = number % 10
            asking = _bad if kind < WRONG else _hasty if kind < WRONG + HASTY else _good
            try:
                asking(client, number, report)
            except (httpx.HTTPError, ValueError, KeyError) as error:
                report.wrong.append(f"request {number}: {type(error).__name__} {error}")


def _body(number: int) -> dict[str, object]:
    return {**SMALL, "prompt": f"picture {number}", "seed": 1000 + number}


def _good(client: httpx.Client, number: int, report: Report) -> None:
    answer = client.post("/sdapi/v1/txt2img", json=_body(number))
    if answer.status_code != 200:
        report.wrong.append(f"request {number}: {answer.status_code} {answer.text[:200]}")
        return
    found = answer.json()
    info = json.loads(found["info"])
    picture = Image.open(io.BytesIO(base64.b64decode(found["images"][0])))
    text = str(picture.info.get("parameters", ""))
    own = info["prompt"] == f"picture {number}" and info["seed"] == 1000 + number
    if not own or f"picture {number}\n" not in text or f"Seed: {1000 + number}" not in text:
        report.wrong.append(f"request {number} got another's picture: {info['prompt']!r}, {info['seed']}")
    report.answered["good"] += 1


def _bad(client: httpx.Client, number: int, report: Report) -> None:
    answer = client.post("/sdapi/v1/txt2img", json={**_body(number), **BAD[number % len(BAD)]})
    if not 400 <= answer.status_code < 500 or not answer.json()["errors"]:
        report.wrong.append(f"request {number} is wrong but got {answer.status_code}")
    report.answered["refused"] += 1


def _hasty(client: httpx.Client, number: int, report: Report) -> None:
    """Hangs up at once, then comes back for the picture by the name that it gave the job."""
    name = f"task(load-{number}-{random.getrandbits(32):08x})"
    try:
        client.post(
            "/sdapi/v1/txt2img", json={**_body(number), "force_task_id": name}, timeout=httpx.Timeout(5, read=0.2)
        )
    except httpx.ReadTimeout:
        report.answered["hung up"] += 1
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        result = client.get(f"/api/v2/jobs/{name}/result")
        if result.status_code == 200:
            break
        time.sleep(0.2)
    seeds = result.json().get("seeds")
    if seeds != [1000 + number]:
        report.wrong.append(f"request {number} came back for {seeds}")
    report.answered["came back"] += 1


def _watch(url: str, telling: Connection, finished: Any, pause: float) -> None:
    """Sends (seconds by address, what was wrong) once `finished`, an event of multiprocessing, is set."""
    seconds: dict[str, list[float]] = {name: [] for name in ASKED}
    wrong: list[str] = []
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        client.get(ASKED["ping"])  # connects, and imports what this process will need
        while not finished.wait(pause):
            for name, path in ASKED.items():
                began = time.perf_counter()
                answer = client.get(path)
                seconds[name].append(time.perf_counter() - began)
                if answer.status_code != 200:
                    wrong.append(f"{name}: {answer.status_code}")
    telling.send((seconds, wrong))


def memory_of(pid: int) -> float:
    """MB that the process occupies."""
    import psutil

    return float(psutil.Process(pid).memory_info().rss) / 1e6


def main(say: Callable[[str], object] = lambda line: sys.stdout.write(line + "\n")) -> int:
    """Returns: 0 if all was well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2, help="memory is compared from round to round")
    parser.add_argument("--pid", type=int, help="the studio's process, to look at its memory")
    given = parser.parse_args()
    failed = 0
    for number in range(1, given.rounds + 1):
        report = run(given.url, given.requests, given.clients)
        failed += len(report.wrong)
        memory = f", {memory_of(given.pid):.0f} MB" if given.pid else ""
        say(f"round {number}: {dict(report.answered)} in {report.seconds:.1f} s{memory}")
        for name, times in report.asked_s.items():
            shares = ", ".join(
                f"{word} {report.percentile(share, name) * 1000:.1f} ms"
                for word, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("worst", 1))
            )
            say(f"  {name} asked {len(times)} times: {shares}")
        for sentence in report.wrong[:20]:
            say(f"  {sentence}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
