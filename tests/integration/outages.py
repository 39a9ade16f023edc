"""What holds of a service whose source fails: shared by the tests of outages and of faults."""

import statistics

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.service import Api, Json, requests_between

from sloscore.simulate.server import SimulatedServer


def check_counts(report: Json, server: SimulatedServer) -> None:
    """The report counts exactly what the server finished between the scrapes around its window."""
    requests = requests_between(server, report["window"])
    assert report["window"]["requests"] == len(requests) > 0
    mean = statistics.fmean(request.latency for request in requests)
    assert report["base_score"] == pytest.approx(mean, rel=1e-9)


def check_outage(report: Json, words: str) -> None:
    """Older numbers must not stand for new ones."""
    assert (report["status"], report["score"], report["base_score"]) == ("RUNNING", None, None)
    assert words in report["reason"]
    (sli,) = report["slis"]
    assert (sli["verdict"], sli["value"], sli["penalty"]) == ("no_data", None, None)
    assert words in sli["explanation"]
    assert report["decision"]["action"] == "continue"


async def gauges(api: Api, **labels: str) -> dict[str, float]:
    """Values by name of the samples that carry these labels."""
    families = text_string_to_metric_families((await api.get("/metrics")).text)
    found = [s for family in families for s in family.samples]
    return {s.name: s.value for s in found if labels.items() <= s.labels.items()}
