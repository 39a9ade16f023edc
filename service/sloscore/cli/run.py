"""``sloscore run``: score a deployment while a load command runs."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sloscore.cli import exits
from sloscore.cli.options import pairs, say, seconds
from sloscore.cli.service import ServiceAccess, service_options
from sloscore.core.objective import Objective
from sloscore.errors import SloscoreError, SourceError

if TYPE_CHECKING:
    from sloscore.cli.load import Load
    from sloscore.wire import Registration

_NO_SERVICE = (
    "start one with `sloscore serve --prometheus http://127.0.0.1:9090`, or score without one: "
    "--target URL --no-service"
)


class _WrongUsage(click.UsageError):
    exit_code = exits.RUN_USAGE


class _RunCommand(click.Command):
    """A command whose wrong usage and input do not end as a hard violation does."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:  # noqa: ANN401  click's signature
        try:
            return super().make_context(*args, **more)
        except click.UsageError as error:
            raise _WrongUsage(error.format_message(), error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's signature
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _WrongUsage(error.format_message(), ctx) from None
        except SloscoreError as error:
            say(str(error))
            ctx.exit(exits.SOURCE if isinstance(error, SourceError) else exits.RUN_USAGE)


@click.command(
    cls=_RunCommand,
    # The command's own options follow it.
    context_settings={"allow_interspersed_args": False},
    epilog="""
    \b
    Examples:
      sloscore run --selector instance=10.0.0.5:8000 --slo task.yaml -- \\
        vllm bench serve --base-url http://10.0.0.5:8000 --model llama --num-prompts 500
      sloscore run --target http://127.0.0.1:8000/metrics --no-service --slo slo.yaml -- ./load.sh
    \b
    Exit codes: 0 scored, 1 soft SLO violation with --fail-on-soft, 2 hard SLO violation,
    4 no data, 5 the metric source failed (--no-service), 6 the service failed or gave no score
    in time, 64 wrong usage or input, 100 and above the command failed: 101 to 125 stand for its
    codes 1 to 25, 126 where it cannot be run, 127 where there is none, 128 + N for signal N,
    100 for any other code.
    """,
)
@click.option(
    "--selector", multiple=True, callback=pairs, metavar="LABEL=VALUE",
    help="Which deployment, by a label of its series. Repeatable. [default: the task's]",
)  # fmt: skip
@click.option(
    "--slo", "file", type=click.Path(path_type=Path), required=True,
    help="Task file, or a file that holds an slo section alone.",
)  # fmt: skip
@click.option("--target", metavar="URL", help="Metrics page to scrape, without Prometheus.")
@click.option("--task", "name", metavar="NAME", help="Name of the task. [default: the file's]")
@click.option("--id", "key", metavar="ID", help="Id of the experiment. [default: a new one]")
@click.option(
    "--objective", type=click.Choice([o.value for o in Objective]), help="[default: the task's]"
)
@click.option("--server", help="Preset of the server's metrics. [default: the task's]")
@click.option(
    "--gpus", type=click.IntRange(min=1), help="GPUs of the deployment. [default: the task's]"
)
@service_options
@click.option("--no-service", is_flag=True, help="Scrape --target from here; needs no service.")
@click.option(
    "--stop-early", is_flag=True, help="End the command when the service advises to stop."
)
@click.option(
    "--grace", default="10s", show_default=True, callback=seconds,
    help="Time for the command to end once it is told to, before it is killed.",
)  # fmt: skip
@click.option("--fail-on-soft", is_flag=True, help="Exit with 1 on a soft SLO violation.")
@click.option(
    "--timeout", default="5m", show_default=True, callback=seconds,
    help="How long to wait for the final score.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(  # noqa: PLR0913  an option each
    ctx: click.Context,
    *,
    selector: dict[str, str],
    file: Path,
    target: str | None,
    name: str | None,
    key: str | None,
    objective: str | None,
    server: str | None,
    gpus: int | None,
    service: ServiceAccess,
    no_service: bool,
    stop_early: bool,
    grace: float,
    fail_on_soft: bool,
    timeout: float,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND, a load, and score the deployment over the time that it takes.

    Registers an experiment with the service, runs the command with this one's own stdin, stdout
    and stderr, and prints the final score. Where the command fails, or a signal ends it, the
    experiment is aborted. The token of a protected service is in --token-file or SLOSCORE_TOKEN.
    """
    from sloscore.cli.command import Interrupted, Signals
    from sloscore.cli.load import Load, LoadFailed, ServedRun
    from sloscore.client.calls import task_of
    from sloscore.client.errors import Conflict, InvalidRequest, ServiceUnreachable, SLOClientError
    from sloscore.spec.loader import validate
    from sloscore.spec.section import load_task_or_slo
    from sloscore.wire import Registration

    if no_service and (target is None or stop_early or key is not None):
        raise click.UsageError("--no-service needs --target, and has no --id and no --stop-early")
    spec, document = load_task_or_slo(file, name)
    if stop_early and (spec.slo is None or spec.slo.early_stop is None):
        raise click.UsageError(f"--stop-early needs early_stop in the slo section of {file}")
    _require_program(ctx, command[0])
    body = {
        "id": key or _new_id(spec.task_name),
        "task": task_of(document, None, objective),
        "selector": selector or None,
        "server": server,
        "target": target,
        "gpus": gpus,
    }
    registration = validate(Registration, body, "")
    try:
        with Signals() as signals:
            load = Load(command, signals, grace)
            if no_service:
                report = _scraped(load, registration)
            else:
                served = ServedRun(service, body)
                report = served.score(load, timeout, stop_early=stop_early)
    except Interrupted as error:
        say(f"interrupted by {error}")
        ctx.exit(exits.SIGNALLED + error.number)
    except LoadFailed as error:
        say(str(error))
        ctx.exit(error.code)
    except (InvalidRequest, Conflict) as error:
        say(str(error))
        ctx.exit(exits.RUN_USAGE)
    except SLOClientError as error:
        say(str(error))
        if isinstance(error, ServiceUnreachable):
            say(_NO_SERVICE)
        ctx.exit(exits.SERVICE)
    _show(report, as_json=as_json)
    ctx.exit(_exit_code(report, fail_on_soft=fail_on_soft))


def _require_program(ctx: click.Context, name: str) -> None:
    """Ends as a shell does where there is no such program, or it cannot be run."""
    if shutil.which(name) is not None:
        return
    if "/" in name and Path(name).exists():
        say(f"{name} cannot be run: it is not an executable file")
        ctx.exit(exits.CANNOT_RUN)
    say(f"there is no program {name}")
    ctx.exit(exits.NOT_FOUND)


def _scraped(load: "Load", registration: "Registration") -> Mapping[str, Any]:
    """The report of the registration's target, scraped from here as long as the load takes."""
    import asyncio

    from sloscore.evaluation.direct import score_during
    from sloscore.evaluation.plan import plan_target
    from sloscore.settings import ScrapeSettings
    from sloscore.sources.scrape import ScrapeSource

    given = {
        "server": registration.server,
        "selector": registration.selector,
        "gpus": registration.gpus,
    }
    task = registration.task.model_copy(update={k: v for k, v in given.items() if v is not None})
    plan = plan_target(task, str(registration.target), None)

    async def score() -> str:
        source = ScrapeSource(ScrapeSettings().naming(str(plan.target.url)))
        try:
            report = await score_during(source, plan, lambda: asyncio.to_thread(load.run))
            return report.model_dump_json()
        finally:
            await source.close()

    say(f"scraping {plan.target.url}")
    document: Mapping[str, Any] = json.loads(asyncio.run(score()))
    return document


def _new_id(task: str) -> str:
    """An id for one run of a task, which begins with what it can say of its name."""
    import re
    import secrets
    import time

    words = re.sub(r"[^A-Za-z0-9]+", "-", task)[:60].strip("-") or "run"
    return f"{words}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def _show(report: Mapping[str, Any], *, as_json: bool) -> None:
    from pydantic import ValidationError

    from sloscore.tables import print_report
    from sloscore.wire import Report

    if not as_json:
        try:
            print_report(Report.model_validate(report))
        except ValidationError:
            say("the service is of another version: its report as JSON")
        else:
            return
    click.echo(json.dumps(report, indent=2))


def _exit_code(report: Mapping[str, Any], *, fail_on_soft: bool) -> int:
    if report["status"] == "FAILED":
        return exits.RUN_HARD
    if report["status"] == "NO_DATA":
        return exits.NO_DATA
    is_soft = any(sli["verdict"] in {"violated", "hard_fail"} for sli in report["slis"])
    return exits.RUN_SOFT if is_soft and fail_on_soft else exits.OK
