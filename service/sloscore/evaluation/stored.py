"""What a store holds, examined by this release: which experiments it could not use."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from sloscore.errors import SloscoreError
from sloscore.evaluation.plan import plan_registration
from sloscore.experiments.counted import kept_counts
from sloscore.experiments.model import OUTCOMES, Phase, State, digest
from sloscore.experiments.recorded import kept_samples
from sloscore.wire import Registration, Report

# What orjson, pydantic and the readers of documents raise for one of another shape.
_UNUSABLE: Final = (SloscoreError, ValueError, TypeError, KeyError, AttributeError, IndexError)


def faults_of(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a stored experiment, one sentence for each of its documents.

    ``row`` holds columns of the store as `rows_of` gives them.
    """
    checks = (
        ("state", _check_state),
        ("body", _check_body),
        ("report", _check_report),
        ("scrapes", _check_scrapes),
        ("counts", _check_counts),
        ("phases", _check_phases),
    )
    found = []
    for name, check in checks:
        try:
            check(row)
        except _UNUSABLE as error:
            found.append(f"{name}: {_sentence(error)}")
    return found


def _check_state(row: Mapping[str, Any]) -> None:
    state = State(_text(row["state"]))
    if state in OUTCOMES and row["report"] is None:
        raise ValueError(f"it is {state} and has no report")


def _check_body(row: Mapping[str, Any]) -> None:
    body = _document(row["body"])
    found, stored = digest(body), _text(row["body_digest"])
    if found != stored:
        raise ValueError(f"its SHA-256 is {found}, and {stored} is stored")
    server = (_document(row.get("scrapes")) or {}).get("server")
    plan_registration(
        Registration.model_validate(body), server if isinstance(server, str) else None
    )


def _check_report(row: Mapping[str, Any]) -> None:
    if row["report"] is not None:
        Report.model_validate(_document(row["report"]))


def _check_scrapes(row: Mapping[str, Any]) -> None:
    kept_samples(_document(row.get("scrapes")))


def _check_counts(row: Mapping[str, Any]) -> None:
    kept_counts(_document(row.get("counts")))


def _check_phases(row: Mapping[str, Any]) -> None:
    for phase in _document(row.get("phases")) or ():
        Phase(**phase)


def _document(stored: bytes | None) -> Any:  # noqa: ANN401  any JSON
    return None if stored is None else orjson.loads(stored)


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    if isinstance(error, KeyError):
        return f"has no {error}"
    return str(error)
