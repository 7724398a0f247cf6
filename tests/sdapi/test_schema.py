"""What our own OpenAPI promises, tried by schemathesis: no answer is a 5xx, and every error has a sentence.

ATELIER_SCHEMA_EXAMPLES=100 tries each address a hundred times instead of a few.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.sdapi.serving import Server, serving

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = int(os.environ.get("ATELIER_SCHEMA_EXAMPLES", "3"))
# What random requests must not do: leave the machine, wait for ever. Drawing has a fuzz of its own (test_fuzz.py).
LEFT_OUT = re.compile(r"/internal/(downloads|merge|extract|extensions|events)|/events$|/(txt2img|img2img)$|/file=")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("schema"), api_server_stop=True) as server:
        yield server


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_that_the_schema_allows_is_a_5xx(server: Server) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", timeout=120)
    failures: list[str] = []
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if LEFT_OUT.search(operation.path):
            continue
        tried += 1

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(timeout=120)
            if answer.status_code >= 500 and answer.status_code != 501:
                failures.append(f"{case.method} {case.formatted_path}: {answer.status_code} {case.body!r:.200}")
            if 400 <= answer.status_code < 500 and answer.status_code not in (404, 405):
                assert answer.json()["errors"], case.formatted_path

        ask()
    assert not failures, "\n".join(dict.fromkeys(failures))
    assert tried > 80
