"""The templates for Argo Rollouts and Flagger: what they make of experiments of each kind, live."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from tests.integration.analysis_runs import Json, filled, phase
from tests.integration.custom_resources import check
from tests.integration.dashboards import (
    BASELINE,
    HARD,
    NO_DATA,
    RUNNING,
    SCRAPE_INTERVAL,
    SOFT,
    Shown,
    instant,
)
from tests.integration.service import Answer, Api, has_requests, task_of, until
from tools.dashboards.grafana import Span
from tools.kubernetes import DIRECTORY

from sloscore.settings import EvaluationSettings, LimitSettings

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.shown_fixtures"]

DEPLOY = DIRECTORY.parents[1]
ANALYSIS = DEPLOY / "argo-rollouts" / "analysis-template.yaml"
METRIC = DEPLOY / "flagger" / "metric-template.yaml"
PARTIAL = "partial"


def spec(path: Path) -> Json:
    return yaml.safe_load(path.read_text())["spec"]


def metric() -> Json:
    (one,) = spec(ANALYSIS)["metrics"]
    return one


@pytest.fixture
async def api(shown: Shown) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, f"http://{shown.instance}")


async def asked(api: Api, experiment: str, wait: str | None = None) -> Answer:
    """What the web provider is answered, after another wait where one is given."""
    web = metric()["provider"]["web"]
    given = {"args.url": api.url, "args.experiment": experiment, "args.token": "any"}
    url = filled(web["url"], given).removeprefix(api.url)
    headers = {one["key"]: filled(one["value"], given) for one in web["headers"]}
    if wait is not None:
        url = url.partition("?wait=")[0] + f"?wait={wait}"
    return await api.request("GET", url, headers=headers)


def query(shown: Shown, text: str) -> list[Json]:
    """What Prometheus answers now."""
    now = time.time()
    return instant(shown.url, text, Span(now, now, SCRAPE_INTERVAL))


def worst(shown: Shown, experiment: str) -> list[float]:
    """The values that Flagger's query brings."""
    text = filled(spec(METRIC)["query"], {"variables.experiment": experiment})
    return [float(one["value"][1]) for one in query(shown, text)]


@pytest.mark.parametrize("path", [ANALYSIS, METRIC], ids=lambda path: path.stem)
def test_a_template_has_the_fields_of_its_kind(path: Path) -> None:
    check(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("experiment", "ends"),
    [(BASELINE, "Successful"), (SOFT, "Failed"), (HARD, "Failed"), (NO_DATA, "Inconclusive")],
)
async def test_an_analysis_succeeds_only_where_every_slo_is_met(
    api: Api, experiment: str, ends: str
) -> None:
    answer = await asked(api, experiment)
    assert answer.status == 200
    assert phase(metric(), answer.text) == ends


async def test_an_analysis_is_inconclusive_while_an_experiment_runs_that_meets_its_slos(
    api: Api,
) -> None:
    answer = await asked(api, RUNNING, wait="0")
    assert {sli["verdict"] for sli in answer.json["slis"]} == {"met"}
    assert phase(metric(), answer.text) == "Inconclusive"


async def test_an_analysis_of_no_experiment_is_an_error(api: Api) -> None:
    assert (await asked(api, "nobody")).status == 404


@pytest.mark.parametrize(
    ("report", "ends"),
    [
        ('{"status": "SUCCESS", "slis": []}', "Inconclusive"),
        ('{"status": "SUCCESS", "slis": [{"verdict": "met"}]}', "Successful"),
        ('{"status": "SUCCESS", "slis": [{"verdict": "met"}, {"verdict": "violated"}]}', "Failed"),
        (
            '{"status": "NO_DATA", "slis": [{"verdict": "met"}, {"verdict": "no_data"}]}',
            "Inconclusive",
        ),
        ('{"status": "RUNNING", "slis": [{"verdict": "hard_fail"}]}', "Inconclusive"),
    ],
)
def test_an_analysis_looks_at_the_status_and_at_every_verdict(report: str, ends: str) -> None:
    assert phase(metric(), report) == ends


def test_an_analysis_waits_for_the_closing_scrape_as_long_as_the_service_lets_it() -> None:
    web = metric()["provider"]["web"]
    wait = float(web["url"].partition("?wait=")[2])
    assert wait == LimitSettings().max_wait >= EvaluationSettings().closing_wait
    assert wait < web["timeoutSeconds"]


def test_the_analysis_goes_to_the_service_of_the_manifests_with_its_token() -> None:
    arguments = {one["name"]: one for one in spec(ANALYSIS)["args"]}
    service = yaml.safe_load((DIRECTORY.parent / "service.yaml").read_text())
    place = yaml.safe_load((DIRECTORY.parent / "kustomization.yaml").read_text())["namespace"]
    (port,) = service["spec"]["ports"]
    address = f"http://{service['metadata']['name']}.{place}.svc:{port['port']}"
    assert arguments["url"]["value"] == address
    secret = yaml.safe_load((DIRECTORY.parent / "secret.example.yaml").read_text())
    assert arguments["token"]["valueFrom"]["secretKeyRef"]["key"] in secret["stringData"]


@pytest.mark.parametrize("experiment", [BASELINE, RUNNING])
def test_flagger_goes_on_where_every_slo_is_met(shown: Shown, experiment: str) -> None:
    (value,) = worst(shown, experiment)
    assert value <= 0


@pytest.mark.parametrize("experiment", [SOFT, HARD])
def test_flagger_halts_at_the_violation_of_the_worst_sli(shown: Shown, experiment: str) -> None:
    (value,) = worst(shown, experiment)
    ratios = [sli["violation_ratio"] for sli in shown.reports[experiment]["slis"]]
    assert value == max(ratios) > 0


@pytest.mark.parametrize("experiment", [NO_DATA, "nobody"])
def test_flagger_gets_no_value_without_data(shown: Shown, experiment: str) -> None:
    assert worst(shown, experiment) == []


async def test_one_sli_without_data_among_others_that_are_met_is_no_pass(
    shown: Shown, api: Api
) -> None:
    # A p99.9 needs 1000 requests.
    slo = {"latency": {"p50": {"threshold": 5000.0}, "p99.9": {"threshold": 5000.0}}}
    await api.register(PARTIAL, task_of(slo=slo), selector={"instance": shown.server})
    await api.score_until(PARTIAL, has_requests(2))
    await api.finish(PARTIAL)
    answer = await asked(api, PARTIAL)
    assert [sli["verdict"] for sli in answer.json["slis"]] == ["met", "no_data"]
    assert phase(metric(), answer.text) == "Inconclusive"
    final = f'sloscore_experiment_info{{experiment="{PARTIAL}", status="NO_DATA"}}'

    async def seen() -> list[Json]:
        return query(shown, final)

    await until(seen, bool)
    (known,) = query(shown, f'sloscore_sli_violation_ratio{{experiment="{PARTIAL}"}}')
    assert float(known["value"][1]) < 0
    assert worst(shown, PARTIAL) == []
