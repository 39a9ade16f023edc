"""``sloscore check``: read task files and show the SLOs in effect, or what is wrong."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from sloscore.core.curve import Curve, Piecewise, Polynomial
from sloscore.core.penalty import Slo
from sloscore.core.sli import Sli
from sloscore.core.units import amount
from sloscore.errors import SpecError
from sloscore.spec.loader import load_task
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import families_for, named_server
from sloscore.spec.warnings import warnings_of

_ITS_METRICS_TELL = "none named; it is recognised by the metrics that it exposes"
_HEADER = ("SLI", "statistic", "limit", "weight", "hard fail", "penalty")


@click.command(name="check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for all files.")
@click.pass_context
def check(context: click.Context, files: tuple[str, ...], *, as_json: bool) -> None:
    """Validate task files (YAML or JSON) and show the SLOs in effect.

    Exits with 0 where all files are valid, with 1 where any is not; problems go to standard error
    as file:line: field: what is right, and so do warnings about what is allowed, but rarely meant.

    \b
    Example:
      sloscore check examples/docker_task_with_slo.json
    """  # noqa: D301  \\b is click's mark for a paragraph that keeps its lines
    results = [_checked(file) for file in files]
    for file, task, _ in results:
        for warning in warnings_of(task) if task else ():
            click.echo(f"{file}: warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps({"files": [_as_json(*result) for result in results]}, indent=2))
    else:
        for file, task, problems in results:
            for problem in problems:
                click.echo(problem, err=True)
            if task is not None:
                click.echo("\n".join(_as_text(file, task)))
    if any(problems for _, _, problems in results):
        context.exit(1)


def _checked(file: str) -> tuple[str, TaskSpec | None, list[str]]:
    try:
        task = load_task(file)
    except SpecError as error:
        return file, None, error.problems
    try:
        families_for(task)
    except SpecError as error:
        return file, None, [f"{file}: {problem}" for problem in error.problems]
    return file, task, []


def _as_json(file: str, task: TaskSpec | None, problems: list[str]) -> dict[str, Any]:
    if task is None:
        return {"file": file, "valid": False, "problems": problems}
    return {
        "file": file,
        "valid": True,
        "task": task.task_name,
        "objective": task.objective.value,
        "server": named_server(task),
        "selector": task.selector,
        "steepness": task.slo.steepness if task.slo else None,
        "slos": [
            {
                "sli": sli.id,
                "statistic": sli.statistic,
                "threshold": slo.threshold,
                "unit": sli.signal.unit,
                "is_minimum": slo.is_minimum,
                "weight": slo.weight,
                "hard_fail": slo.hard_fail,
                "fail_ratio": slo.fail_ratio,
                "penalty_function": slo.curve.function.value,
            }
            for sli, slo in _limits(task)
        ],
    }


def _as_text(file: str, task: TaskSpec) -> Iterator[str]:
    yield f"{file}: OK"
    yield f"  task: {task.task_name}"
    yield f"  objective: {task.objective}"
    yield f"  server: {named_server(task) or _ITS_METRICS_TELL}"
    if task.selector:
        labels = ", ".join(f"{name}={value!a}" for name, value in task.selector.items())
        yield f"  selector: {labels}"
    if task.slo is None:
        yield "  slo: none; the score is the objective itself"
        return
    yield f"  steepness: {task.slo.steepness:.12g}"
    if task.slo.min_requests is not None:
        yield f"  min_requests: {task.slo.min_requests}"
    for line in _table([_HEADER, *(_row(sli, slo) for sli, slo in _limits(task))]):
        yield f"  {line}"


def _limits(task: TaskSpec) -> tuple[tuple[Sli, Slo], ...]:
    return task.slo.limits() if task.slo else ()


def _row(sli: Sli, slo: Slo) -> tuple[str, ...]:
    side, past = (">=", "under") if slo.is_minimum else ("<=", "over")
    hard = f"from {slo.fail_ratio * 100:.12g}% {past}" if slo.hard_fail else "no"
    limit = f"{side} {amount(slo.threshold, sli.signal.unit, 12)}"
    return sli.id, sli.statistic, limit, f"{slo.weight:.12g}", hard, _penalty(slo.curve)


def _penalty(curve: Curve) -> str:
    name = curve.function.value
    match curve:
        case Polynomial():
            return f"{name} of degree {curve.degree:.12g}"
        case Piecewise():
            points = ", ".join(f"({ratio:.12g}, {cost:.12g})" for ratio, cost in curve.points)
            return f"{name} {points}"
        case _:
            return name


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
