"""docs/reference/metrics.md: every family of /metrics, as the service's own collectors expose it."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sloscore import conventions as names
from sloscore.core.compare import Outcome
from sloscore.core.objective import Objective
from sloscore.core.scoring import Status
from sloscore.core.verdict import Verdict
from sloscore.evaluation.board import Posted
from sloscore.evaluation.figures import ChangeFigures, Figures, SliFigures
from sloscore.experiments.model import State, TaskTally
from sloscore.exporter import SettingsCollector, StoreCollector, add_reports, add_tallies
from sloscore.gauges import Gauges
from sloscore.settings import Settings
from sloscore.telemetry import Telemetry
from tools.reference.markdown import page, table

_SLO: Final = {
    "error_rate": {"threshold": 0.1, "hard_fail": True},
    "violation_budget": {"count": 1},
}
_TEMPLATES: Final = (names.SLI_VALUE, names.SLI_LOWER, names.SLI_UPPER, names.SLI_THRESHOLD)
_SECTIONS: Final = (
    ("SLIs of an experiment", "sloscore_sli_"),
    ("Experiments", "sloscore_experiment_"),
    ("Tasks", "sloscore_task_"),
    ("The service itself", "sloscore_"),
)


def make() -> str:
    """The page."""
    rows = {one.name: _row(one) for one in _families()}
    parts = []
    for title, prefix in _SECTIONS:
        of_section = [name for name in rows if name.startswith(prefix)]
        columns = ("metric", "type", "labels", "what it says")
        parts.append(f"## {title}\n\n" + table(columns, [rows.pop(name) for name in of_section]))
    units = ", ".join(f"`{name}` ({unit})" for unit, name in names.UNIT_NAMES.items())
    return page(
        "Metrics of the service",
        "What `GET /metrics` exposes. What is not known is not exposed: `_no_data` says so, never a zero. An experiment has "
        "its series while it runs, and for `evaluation.retention` ([settings](../configuration.md)) after its end.",
        f"`UNIT` stands for the unit of the SLI: {units}.",
        *parts,
    )


def _families() -> Iterator[Metric]:
    yield from _of_reports()
    telemetry = Telemetry()
    # Labels show with the first sample.
    telemetry.on_query("kind", 0.0, "error")
    telemetry.evaluation_errors.labels("kind")
    yield from telemetry.registry.collect()
    settings = Settings.model_validate({"listen": {"external_url": "https://sloscore.example"}})
    yield from SettingsCollector(settings).collect()
    yield from StoreCollector({State.RUNNING: 1}, last_write_failed=False).collect()


def _of_reports() -> Iterator[Metric]:
    """Families of an experiment with all that one can have: an SLO, a baseline and a budget."""
    gauges = Gauges()
    add_reports(gauges, [Posted(_figures())])
    add_tallies(
        gauges, {"task": TaskTally({State.SCORED: 1}, {"task": {"task_name": "task", "slo": _SLO}})}
    )
    for text in gauges.encoded(generate_latest):
        yield from text_string_to_metric_families(text.decode())


def _figures() -> Figures:
    return Figures(
        task="task",
        experiment="experiment",
        objective=Objective.MINIMIZE_LATENCY,
        status=Status.SUCCESS,
        reason=None,
        score=1.0,
        penalty=0.0,
        penalty_multiplier=1.0,
        slo_violation=False,
        start=0.0,
        requests=1.0,
        instances=1,
        evaluated_at=0.0,
        slis=(SliFigures("latency_p90", 1.0, 1.0, 1.0, 2.0, -0.5, 0.0, Verdict.MET, certain=True),),
        changes=(ChangeFigures(names.BASE_SCORE, 0.0, (0.0, 0.0), Outcome.CANNOT_TELL),),
    )


def _row(family: Metric) -> tuple[str, str, str, str]:
    """The cells of a family."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    for template in _TEMPLATES:
        if name == template.format(unit=names.UNIT_NAMES["s"]):
            name = template.format(unit="UNIT")
    return f"`{name}`", family.type, ", ".join(map(_code, _labels(family))), family.documentation


def _labels(family: Metric) -> list[str]:
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    return [label for label in labels if label != "le"]


def _code(text: str) -> str:
    return f"`{text}`"
