"""docs/replicas.md: its settings, and its shards as the service computes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs.markdown import ROOT, block
from tests.integration.service import EXPERIMENTS, serving, settings

from sloscore.settings import Settings, SettingsFile
from sloscore.sharding import shard_of
from sloscore.spec.loader import parse_model

PAGE = "docs/replicas.md"


@pytest.mark.parametrize(
    "example", re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
)
def test_an_example_is_a_valid_file(example: str) -> None:
    read = parse_model(SettingsFile, example, "example.yaml")
    assert Settings.model_validate(read.model_dump(exclude_unset=True)).store.url is not None


async def test_an_experiment_of_another_shard_is_refused_as_shown(tmp_path: Path) -> None:
    shown = json.loads(block(PAGE, "refused"))
    async with serving(settings(tmp_path, listen={"shard": "0/3", "port": 0})) as api:
        answer = (await api.get(f"{EXPERIMENTS}/chat-17")).json
    assert {name: answer[name] for name in shown} == shown


def test_a_tuner_finds_the_service_that_takes_its_experiment() -> None:
    names: dict[str, Any] = {}
    exec(block(PAGE, "route"), names)  # noqa: S102  the page's own code
    service_of = names["service_of"]
    for name in ("chat-17", "münchen", "sweep/3"):
        assert service_of(name) == names["SERVICES"][shard_of(name, 3)]
