"""All that the OpenAPI document allows and forbids, in requests that Schemathesis makes of it.

SLOSCORE_FUZZ says how many cases of each operation there are: then every phase of Schemathesis
runs, those of its coverage of the schemas too, which are some 14,000 cases whatever the number.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from tests.integration.service import NOWHERE, serving, settings, task_of

from sloscore.simulate.prometheus import PrometheusProcess

HERE = Path(__file__).parent
TOKEN = "a token of the tests"
CASES = os.environ.get("SLOSCORE_FUZZ", "")
PHASES = "examples,coverage,fuzzing,stateful" if CASES else "fuzzing,stateful"
AT_LEAST = 10_000 if CASES else 300


@pytest.mark.prometheus
@pytest.mark.timeout(3600 if CASES else 120)
async def test_no_request_of_the_document_breaks_the_service(
    prometheus: PrometheusProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings(
        tmp_path,
        prometheus.url,
        auth={"token": TOKEN},
        limits={"max_wait": "1ms"},
        # Whatever page is named, it is not to be asked for.
        scrape={"allowed_targets": [NOWHERE.removeprefix("http://")]},
    )
    async with serving(given) as api:
        for name, task in (("one", "chat"), ("two", "chat"), ("three", "other")):
            body = {"id": name, "task": task_of(task, selector={"instance": "x"})}
            headers = {"Authorization": f"Bearer {TOKEN}"}
            answer = await api.request("POST", "/api/v1/experiments", body=body, headers=headers)
            assert answer.status == 201
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
            *("--config-file", str(HERE / "schemathesis.toml"), "run"),
            *("--phases", PHASES, "--max-examples", CASES or "20", "--no-shrink"),
            *(() if CASES else ("--seed", "1")),
            f"{api.url}/openapi.json",
            env={**os.environ, "SLOSCORE_FUZZ_TOKEN": TOKEN},
            cwd=HERE.parent.parent,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told = (await process.communicate())[0].decode()

    assert process.returncode == 0, told
    generated = re.search(r"(\d+) generated", told)
    assert generated, told
    assert int(generated[1]) >= AT_LEAST, told
    if CASES:
        with capsys.disabled():
            sys.stdout.write(told)
