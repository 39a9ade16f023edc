"""Requests to score numbers: a section that was read lately is not read again, nor mistaken for another."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from sloscore.spec.slo import SloSpec
from sloscore.wire import ScoreRequest

SLO: dict[str, Any] = {"ttft": {"threshold": 1.0}, "min_requests": None, "confidence": 0.95}


def section(slo: object) -> SloSpec | None:
    return ScoreRequest.model_validate({"slo": slo, "base_score": 1.0, "values": {}}).slo


def test_a_section_that_was_read_lately_is_not_read_again() -> None:
    assert section(dict(SLO)) is section(dict(SLO)) is not None
    assert section(SLO) == SloSpec.model_validate(SLO)


def test_one_that_is_read_already_stays_as_it_is() -> None:
    slo = SloSpec.model_validate(SLO)
    assert section(slo) is slo


@pytest.mark.parametrize(
    "other",
    [{"min_requests": math.nan}, {"min_requests": True}, {"confidence": "0.95"}, {"ttft": 1.0}],
)
def test_one_of_other_kinds_of_values_is_refused_beside_a_known_one(other: dict[str, Any]) -> None:
    section(SLO)
    section({**SLO, "min_requests": 1})
    for _ in range(2):
        with pytest.raises(ValidationError):
            section({**SLO, **other})


def test_the_oldest_of_many_is_forgotten() -> None:
    first = section(SLO)
    for number in range(1, 65):
        section({"ttft": {"threshold": float(number + 1)}})
    again = section(SLO)
    assert again == first
    assert again is not first


def test_a_large_one_is_not_kept() -> None:
    large = {
        "latency": {
            f"p{number / 10}": {"threshold": 1.0} for number in range(501, 700) if number % 10
        }
    }
    assert section(large) is not section(large)
