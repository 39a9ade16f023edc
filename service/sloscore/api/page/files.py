"""The list of experiments as a file, sent as it is read: CSV for tables, JSON for programs."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from sloscore.api.context import CONTEXT, Context
from sloscore.api.elsewhere import reports_elsewhere
from sloscore.api.experiments import document_of as experiment_document
from sloscore.api.page.experiments import document_of
from sloscore.api.page.query import read_query
from sloscore.errors import StoreError
from sloscore.experiments.listing import Selection
from sloscore.experiments.model import Experiment

_log = structlog.get_logger()
Report = Mapping[str, Any]
_OF_EXPERIMENT: Final = ("task", "id", "state", "objective", "start", "end")
_OF_REPORT: Final = ("base_score", "penalty", "score", "finite_score", "slo_violation", "reason")
_OF_SLI: Final = ("value", "lower", "upper", "threshold", "penalty", "verdict")
# With these a spreadsheet begins a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


async def send_csv(request: web.Request) -> web.StreamResponse:
    """GET /experiments.csv: a line for each experiment, with columns for every SLI of any of them."""
    context, selection = request.app[CONTEXT], read_query(request).selection
    slis: dict[str, None] = {}
    async for _, report in _reports(context, selection):
        slis |= dict.fromkeys(str(sli["sli"]) for sli in report.get("slis") or ())

    async def lines() -> AsyncIterator[bytes]:
        yield _line([*_OF_EXPERIMENT, "requests", *_OF_REPORT, *_sli_columns(slis)])
        async for experiment, report in _reports(context, selection):
            yield _line(_cells(experiment, report, slis))

    return await _send(request, lines(), "text/csv", "csv")


async def send_json(request: web.Request) -> web.StreamResponse:
    """GET /experiments.json: each experiment with its report, null where it has none."""
    context, selection = request.app[CONTEXT], read_query(request).selection

    async def parts() -> AsyncIterator[bytes]:
        opening = b"["
        async for experiment, report in _reports(context, selection):
            document = experiment_document(experiment).model_dump(mode="json")
            yield opening + orjson.dumps({"experiment": document, "report": report or None})
            opening = b",\n"
        yield b"]\n" if opening != b"[" else b"[]\n"

    return await _send(request, parts(), "application/json", "json")


def text_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


async def _reports(
    context: Context, selection: Selection
) -> AsyncIterator[tuple[Experiment, Report]]:
    async for some in context.store.all_of(selection):
        elsewhere = await reports_elsewhere(context, some)
        for experiment in some:
            found = document_of(context, experiment, elsewhere.get(experiment.id))
            yield experiment, found or {}


def _cells(experiment: Experiment, report: Report, slis: Iterable[str]) -> Iterable[str]:
    document = experiment_document(experiment).model_dump(mode="json")
    window = report.get("window") or {}
    by_id = {sli.get("sli"): sli for sli in report.get("slis") or ()}
    yield from (_cell(document[name]) for name in _OF_EXPERIMENT)
    yield _cell(window.get("requests") if window.get("instances") else None)
    yield from (_cell(report.get(name)) for name in _OF_REPORT)
    for sli in slis:
        yield from (_cell(by_id.get(sli, {}).get(name)) for name in _OF_SLI)


def _sli_columns(slis: Iterable[str]) -> list[str]:
    return [sli if name == "value" else f"{sli}_{name}" for sli in slis for name in _OF_SLI]


def _cell(value: Any) -> str:  # noqa: ANN401  whatever a report holds
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case "Infinity" | "-Infinity":
            return str(value)
        case _:
            return text_cell(str(value))


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


async def _send(
    request: web.Request, parts: AsyncIterator[bytes], content_type: str, ending: str
) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type, response.charset = content_type, "utf-8"
    name = f"sloscore-experiments.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.enable_compression()
    await response.prepare(request)
    try:
        async for part in parts:
            await response.write(part)
    except StoreError as error:
        _log.error("file cut short", path=request.path, error=str(error))
        if request.transport is not None:
            # A file that looks whole would be worse.
            request.transport.abort()
    return response
