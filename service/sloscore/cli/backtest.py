"""``sloscore backtest``: score many past windows of a deployment from what Prometheus keeps."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sloscore.cli.exits import FAILED, INVALID, NO_DATA, OK, SOURCE
from sloscore.cli.options import pairs, prometheus_settings, read_settings
from sloscore.errors import SloscoreError, SourceError, SpecError

if TYPE_CHECKING:
    from sloscore.evaluation.backtest import Row, Summary, Window
    from sloscore.evaluation.plan import Plan
    from sloscore.settings import EvaluationSettings, PrometheusSettings
    from sloscore.spec.model import TaskSpec
    from sloscore.wire import ScoreRequest

_MODULES_OF_PLOT: Final = ("matplotlib", "pandas", "prometheus_api_client")
_MODULES_OF_PARQUET: Final = ("pyarrow",)


def _ending_in(
    *endings: str,
) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    def check(_: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in endings:
            raise click.BadParameter(f"{path} must end in {' or '.join(endings)}", param=option)
        return path

    return check


@click.command(
    epilog="""
    \b
    Examples:
      sloscore backtest --task task.yaml --selector instance=10.0.0.5:8000 \\
        --start 2026-01-31T00:00:00Z --end 2026-02-01T00:00:00Z --every 5m
      sloscore backtest --task task.yaml --windows windows.csv --output scores.parquet
      sloscore backtest --task task.yaml --start 1769817600 --end 1769904000 \\
        --every 1h --length 15m --plot day.png
    \b
    Exit codes: 0 all windows scored, 1 invalid input, 2 wrong usage, 3 a window broke
    a hard SLO, 4 a window had no data, 5 the metric source failed. Where several are
    true it is the first of 3, 5, 1, 4.
    """
)
@click.option(
    "--task", "--slo", "task", type=click.Path(path_type=Path), required=True, help="Task file."
)
@click.option(
    "--selector", multiple=True, callback=pairs, metavar="LABEL=VALUE",
    help="Which deployment, by a label of its series. Repeatable. [default: the task's]",
)  # fmt: skip
@click.option("--server", help="Preset of the server's metrics. [default: the task's]")
@click.option("--start", help="Start of the first window, RFC 3339 or Unix seconds.")
@click.option("--end", help="No window ends after this.")
@click.option("--every", help="Time from one window's start to the next one's, such as 5m.")
@click.option("--length", help="Length of each window. [default: that of --every]")
@click.option(
    "--windows", "file", type=click.Path(path_type=Path),
    help="File of windows: CSV with the columns start, end and name, or such a list in JSON.",
)  # fmt: skip
@click.option(
    "--prometheus", envvar="SLOSCORE_PROMETHEUS_URL",
    help="URL of Prometheus. [default: the config's, or http://127.0.0.1:9090]",
)  # fmt: skip
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The service's settings: how to reach Prometheus, and the longest window.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), callback=_ending_in(".csv", ".json", ".parquet"),
    help="Write a table: FILE.csv, FILE.json or FILE.parquet.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path), callback=_ending_in(".png", ".svg"),
    help="Draw the windows: FILE.png or FILE.svg.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON with each report.")
@click.pass_context
def backtest(  # noqa: PLR0913  an option each
    ctx: click.Context,
    *,
    task: Path,
    selector: dict[str, str],
    server: str | None,
    start: str | None,
    end: str | None,
    every: str | None,
    length: str | None,
    file: Path | None,
    prometheus: str | None,
    config: Path | None,
    output: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Score many past windows: one every so often (--every), or those of a file (--windows)."""
    import asyncio
    import time

    from sloscore.cli.results import check_output
    from sloscore.cli.rows import Table, print_json, summary_lines
    from sloscore.evaluation.backtest import summarise
    from sloscore.evaluation.plan import plan_window
    from sloscore.spec.loader import load_task

    schedule = {"start": start, "end": end, "every": every, "length": length}
    _check_usage(schedule, file)
    for path in filter(None, (output, plot)):
        check_output(path, force=force)
    if output is not None and output.suffix.lower() == ".parquet":
        _check_extra("--output FILE.parquet", _MODULES_OF_PARQUET)
    if plot is not None:
        _check_extra("--plot", _MODULES_OF_PLOT)
    spec = load_task(task)
    read = read_settings(config)
    settings = prometheus_settings(read, prometheus)
    now = time.time()
    windows = _windows(schedule, file, spec, read.evaluation, now)
    request = _request(spec, selector, server, windows[0])
    slis = [sli.id for sli, _ in plan_window(request).rules.limits]
    show = print_json if as_json else Table(windows, slis).show
    job = _Job(request, windows, settings, read.evaluation, now)
    rows, plan = asyncio.run(_run(job, show))
    summary = summarise(rows, spec.objective.direction)
    for line in summary_lines(summary, rows):
        click.echo(line, err=as_json)
    if output is not None:
        _write_table(output, rows, slis, force=force)
    if plot is not None:
        _write_plot(plot, spec.task_name, rows, plan, settings, force=force)
    ctx.exit(_exit_code(summary, rows))


@dataclass(frozen=True, slots=True)
class _Job:
    request: "ScoreRequest"
    windows: Sequence["Window"]
    prometheus: "PrometheusSettings"
    evaluation: "EvaluationSettings"
    now: float


def _check_usage(schedule: Mapping[str, str | None], file: Path | None) -> None:
    given = [name for name, text in schedule.items() if text is not None]
    if (file is None) == (not given):
        raise click.UsageError("give either --start, --end and --every, or --windows")
    if file is None and not {"start", "end", "every"}.issubset(given):
        raise click.UsageError("regular windows need --start, --end and --every")


def _check_extra(option: str, modules: Sequence[str]) -> None:
    """Before hours are scored for a file that cannot be made."""
    missing = [name.replace("_", "-") for name in modules if util.find_spec(name) is None]
    if missing:
        raise SloscoreError(
            f"{option} needs {', '.join(missing)}: pip install 'sloscore[analysis]'"
        )


def _windows(
    schedule: Mapping[str, str | None],
    file: Path | None,
    spec: "TaskSpec",
    evaluation: "EvaluationSettings",
    now: float,
) -> Sequence["Window"]:
    from sloscore.evaluation.backtest import Schedule, problem_of, windows_every
    from sloscore.evaluation.windows import read_windows
    from sloscore.spec.loader import validate

    warmup = (spec.slo and spec.slo.warmup) or 0.0

    def problem(window: "Window") -> str | None:
        return problem_of(window, evaluation.max_window, warmup, now)

    if file is not None:
        return read_windows(file, problem)
    times = {name: _time(text) for name, text in schedule.items() if name in {"start", "end"}}
    regular = validate(Schedule, {**schedule, **times}, "")
    windows = windows_every(regular)
    for window in windows:
        if found := problem(window):
            raise SpecError([found])
    left = regular.end - windows[-1].end
    if left > 0:
        click.echo(
            f"sloscore: the last {left:g} s hold no whole window, and are left out", err=True
        )
    return windows


def _request(
    spec: "TaskSpec", selector: Mapping[str, str], server: str | None, window: "Window"
) -> "ScoreRequest":
    from sloscore.spec.loader import validate
    from sloscore.spec.preset import named_server
    from sloscore.wire import ScoreRequest

    data = {
        "slo": spec.slo,
        "objective": spec.objective,
        "selector": selector or spec.selector,
        "server": server or (named_server(spec) if spec.metrics is None else spec.server),
        "metrics": spec.metrics,
        "gpus": spec.gpus,
        "window": window,
    }
    return validate(ScoreRequest, data, "")


async def _run(job: _Job, show: Callable[["Row"], None]) -> tuple[Sequence["Row"], "Plan"]:
    """All rows, and the plan with the server that was recognised, if any was."""
    from sloscore.evaluation.backtest import backtest as score_all
    from sloscore.evaluation.backtest import with_server_of
    from sloscore.sources.prometheus import PrometheusSource

    rows: list[Row] = []
    source = PrometheusSource(job.prometheus)
    try:
        found = score_all(source, job.request, job.windows, job.evaluation, job.now)
        async with aclosing(found):
            async for row in found:
                show(row)
                rows.append(row)
        return rows, await with_server_of(source, job.request, rows)
    finally:
        await source.close()


def _write_table(path: Path, rows: Sequence["Row"], slis: Sequence[str], *, force: bool) -> None:
    from sloscore.cli.results import columns_of, encode, record_of, write

    records = [record_of(row, slis) for row in rows]
    write(path, encode(records, columns_of(slis), path.suffix.lower()), force=force)
    click.echo(f"Wrote {path}", err=True)


def _write_plot(  # noqa: PLR0913  what a picture is made of
    path: Path,
    name: str,
    rows: Sequence["Row"],
    plan: "Plan",
    settings: "PrometheusSettings",
    *,
    force: bool,
) -> None:
    from sloscore.analysis.picture import plot
    from sloscore.cli.results import write

    content, lacks = plot(name, rows, plan, settings, path.suffix.lower())
    if lacks is not None:
        click.echo(f"sloscore: {lacks}", err=True)
    write(path, content, force=force)
    click.echo(f"Wrote {path}", err=True)


def _exit_code(summary: "Summary", rows: Sequence["Row"]) -> int:
    if summary.failed:
        return FAILED
    if any(isinstance(row.failure, SourceError) for row in rows):
        return SOURCE
    if summary.errors:
        return INVALID
    return NO_DATA if summary.no_data else OK


def _time(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
