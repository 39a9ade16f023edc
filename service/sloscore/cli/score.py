"""``sloscore score``: score numbers, or a past window of a deployment, without a service."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sloscore.cli.exits import FAILED, NO_DATA, OK
from sloscore.cli.options import pairs, prometheus_settings, read_settings

if TYPE_CHECKING:
    from sloscore.settings import PrometheusSettings, ScrapeSettings
    from sloscore.spec.model import TaskSpec
    from sloscore.wire import Report, ScoreRequest


@click.command(
    epilog="""
    \b
    Examples:
      sloscore score --task task.yaml --base-score 3.0 --value latency_p90=5.5
      sloscore score --task task.yaml --prometheus http://127.0.0.1:9090 \\
        --selector instance=10.0.0.5:8000 --start 2026-01-31T12:00:00Z --end 2026-01-31T12:05:00Z
      sloscore score --task task.yaml --target http://127.0.0.1:8000/metrics --for 60s
    \b
    Exit codes: 0 scored, 1 invalid input, 2 wrong usage, 3 hard SLO violation, 4 no data,
    5 the metric source failed.
    """
)
@click.option(
    "--task", "--slo", "task", type=click.Path(path_type=Path), required=True,
    help="Task file, or a file that holds an slo section alone.",
)  # fmt: skip
@click.option("--base-score", type=float, help="Score before penalties; measured in a window.")
@click.option(
    "--value", "values", multiple=True, callback=pairs, metavar="SLI=NUMBER",
    help="A measured value, such as latency_p90=5.5 (seconds). Repeatable.",
)  # fmt: skip
@click.option(
    "--selector", multiple=True, callback=pairs, metavar="LABEL=VALUE",
    help="Which deployment, by a label of its series. Repeatable. [default: the task's]",
)  # fmt: skip
@click.option("--server", help="Preset of the server's metrics. [default: the task's]")
@click.option(
    "--gpus", type=click.IntRange(min=1), help="GPUs of the deployment. [default: the task's]"
)
@click.option("--start", help="Start of the window, RFC 3339 or Unix seconds.")
@click.option("--end", help="End of the window.")
@click.option(
    "--target", metavar="URL", help="Scrape this metrics page from now on, without Prometheus."
)
@click.option("--for", "duration", help="How long to scrape it, such as 60s.")
@click.option(
    "--prometheus", envvar="SLOSCORE_PROMETHEUS_URL",
    help="URL of Prometheus. [default: the config's, or http://127.0.0.1:9090]",
)  # fmt: skip
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The service's settings: how to reach Prometheus, and how to scrape.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def score(  # noqa: PLR0913  an option each
    ctx: click.Context,
    *,
    task: Path,
    base_score: float | None,
    values: dict[str, str],
    selector: dict[str, str],
    server: str | None,
    gpus: int | None,
    start: str | None,
    end: str | None,
    target: str | None,
    duration: str | None,
    prometheus: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Score numbers (--value), a past window (--start, --end) or a server from now on (--target)."""
    import asyncio
    import time

    from sloscore.evaluation.report import report_values
    from sloscore.spec.loader import validate
    from sloscore.spec.preset import named_server
    from sloscore.spec.section import load_task_or_slo
    from sloscore.wire import ScoreRequest

    _check_usage(
        numbers=bool(values or base_score is not None),
        window=(start, end),
        target=(target, duration),
        deployment=bool(selector or server or gpus),
    )
    spec, _ = load_task_or_slo(task)
    spec = spec.model_copy(update={"gpus": gpus or spec.gpus})
    if target and duration:
        spec = spec.model_copy(
            update={"server": server or spec.server, "selector": selector or spec.selector}
        )
        report = _score_target(spec, target, duration, read_settings(config).scrape)
        _show(ctx, report, as_json=as_json)
    data: dict[str, object] = {"slo": spec.slo, "objective": spec.objective}
    if start and end:
        data["window"] = {"start": _time(start), "end": _time(end)}
        data["selector"] = selector or spec.selector
        data["server"] = server or (named_server(spec) if spec.metrics is None else spec.server)
        data["metrics"] = spec.metrics
        data["gpus"] = spec.gpus
    else:
        data["values"] = {name: _number(name, value) for name, value in values.items()}
        data["base_score"] = base_score
    request = validate(ScoreRequest, data, "")
    if request.values is not None:
        report = report_values(request, time.time())
    else:
        settings = prometheus_settings(read_settings(config), prometheus)
        report = asyncio.run(_score_window(request, settings))
    _show(ctx, report, as_json=as_json)


def _check_usage(
    *,
    numbers: bool,
    window: tuple[str | None, str | None],
    target: tuple[str | None, str | None],
    deployment: bool,
) -> None:
    if [numbers, any(window), any(target)].count(True) != 1:
        raise click.UsageError(
            "give one of --value with --base-score, --start with --end, or --target with --for"
        )
    if numbers and deployment:
        raise click.UsageError("--selector, --server and --gpus belong to a window, not to --value")
    if any(window) and not all(window):
        raise click.UsageError("a window needs both --start and --end")
    if any(target) and not all(target):
        raise click.UsageError("scraping needs both --target and --for")


def _show(ctx: click.Context, report: "Report", *, as_json: bool) -> NoReturn:
    from sloscore.tables import print_report

    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        print_report(report)
    ctx.exit({"FAILED": FAILED, "NO_DATA": NO_DATA}.get(report.status, OK))


def _score_target(
    task: "TaskSpec", url: str, duration: str, settings: "ScrapeSettings"
) -> "Report":
    import asyncio

    from sloscore.evaluation.direct import score_for
    from sloscore.evaluation.plan import plan_target
    from sloscore.sources.scrape import ScrapeSource
    from sloscore.spec.loader import validate
    from sloscore.wire import Scraping

    scraping = validate(Scraping, {"target": url, "duration": duration}, "")
    plan = plan_target(task, scraping.target, min(1.0, scraping.duration))

    async def run() -> "Report":
        source = ScrapeSource(settings.naming(scraping.target))
        try:
            return await score_for(source, plan, scraping.duration)
        finally:
            await source.close()

    click.echo(f"Scraping {url} for {scraping.duration:g} s", err=True)
    return asyncio.run(run())


async def _score_window(request: "ScoreRequest", settings: "PrometheusSettings") -> "Report":
    import time

    from sloscore.evaluation.past import score_past
    from sloscore.settings import EvaluationSettings
    from sloscore.sources.prometheus import PrometheusSource

    source = PrometheusSource(settings)
    try:
        return await score_past(source, request, EvaluationSettings(), time.time())
    finally:
        await source.close()


def _time(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{name}: {text!r} is not a number") from None
