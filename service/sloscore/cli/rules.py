"""``sloscore rules``: task files of standing deployments as rules, for rulers without a service."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sloscore.errors import SloscoreError, SpecError

if TYPE_CHECKING:
    from sloscore.generate.compiler import Options
    from sloscore.generate.text import Span
    from sloscore.generate.writing import Made

_LABEL_KEY: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def _span(_: click.Context, option: click.Parameter, given: str) -> "Span":
    from sloscore.generate.text import Span
    from sloscore.settings_base import parse_duration

    try:
        seconds = parse_duration(given)
        assert isinstance(seconds, float)  # noqa: S101  text gives seconds, or an error
        return Span(seconds)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


def _interval(context: click.Context, option: click.Parameter, given: str) -> "Span":
    from sloscore.generate.compiler import check_interval

    interval = _span(context, option, given)
    try:
        check_interval(interval)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None
    return interval


def _labels(_: click.Context, option: click.Parameter, given: str | None) -> dict[str, str]:
    labels = {}
    for pair in given.split(",") if given else ():
        key, equals, value = pair.partition("=")
        if not (equals and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise click.BadParameter(
                f"{pair!a} is no label of Kubernetes: write KEY=VALUE,KEY=VALUE", param=option
            )
        labels[key] = value
    return labels


def _namespace(_: click.Context, option: click.Parameter, given: str | None) -> str | None:
    if given is not None and not _NAMESPACE.fullmatch(given):
        raise click.BadParameter(f"{given!a} is no namespace of Kubernetes", param=option)
    return given


@click.command(
    epilog="""
    \b
    Examples:
      sloscore rules examples/vllm_task.yaml --output rules/vllm.yml
      sloscore rules --window 10m --interval 1m chat.yaml batch.yaml
      sloscore rules --format kubernetes --namespace monitoring \\
        --labels release=prometheus examples/vllm_task.yaml --output vllm-rules.yaml
    \b
    Exit codes: 0 written, 1 a task is invalid or leaves something open, 2 wrong usage.
    """
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@click.option(
    "--window", default="5m", show_default=True, callback=_span, metavar="DURATION",
    help="What the SLIs are evaluated over: several scrapes, and enough requests.",
)  # fmt: skip
@click.option(
    "--interval", default="30s", show_default=True, callback=_interval, metavar="DURATION",
    help="Time between evaluations.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["prometheus", "kubernetes"]), default="prometheus",
    show_default=True, help="A rule file, or PrometheusRules for the Prometheus operator.",
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="File. [default: standard output]")
@click.option("--namespace", callback=_namespace, help="Namespace of the PrometheusRules.")
@click.option(
    "--labels", callback=_labels, metavar="KEY=VALUE,...",
    help="Labels of the PrometheusRules, by which the operator selects them.",
)  # fmt: skip
@click.option(
    "--assume-bound", is_flag=True,
    help="Each threshold is a bucket bound of the server, as after `sloscore buckets`.",
)  # fmt: skip
def rules(  # noqa: PLR0913  one parameter an option
    *,
    specs: tuple[str, ...],
    window: "Span",
    interval: "Span",
    form: str,
    output: Path | None,
    namespace: str | None,
    labels: dict[str, str],
    assume_bound: bool,
) -> None:
    """Write the SLOs of standing deployments as recording and alert rules.

    Prometheus, Thanos, Mimir and vmalert evaluate them by themselves, without a service. Each task
    names its deployment (selector) and its server.
    """
    from sloscore.generate.compiler import Options
    from sloscore.generate.writing import as_kubernetes, as_prometheus

    if form != "kubernetes" and (namespace is not None or labels):
        raise click.UsageError("--namespace and --labels belong to --format kubernetes")
    options = Options(window, interval, assume_bounds=assume_bound)
    made = _made(specs, options)
    if form == "kubernetes":
        text = as_kubernetes(made, options.text, namespace, labels)
    else:
        text = as_prometheus(made, options.text)
    _write(text, output)


def _made(specs: Sequence[str], options: "Options") -> list["Made"]:
    """The groups of each file; raises SpecError with what is wrong in any of them."""
    from sloscore.generate.compiler import check_names, groups_for
    from sloscore.generate.deployment import deployment_of
    from sloscore.generate.writing import Made
    from sloscore.spec.loader import parse_task, read_file

    deployments, digests = [], []
    problems: list[str] = []
    for file in specs:
        try:
            text = read_file(file)
            deployments.append(deployment_of(parse_task(text, file), file))
        except SpecError as error:
            problems += error.problems
        else:
            digests.append(hashlib.sha256(text.encode()).hexdigest())
    if problems:
        raise SpecError(problems)
    check_names(deployments)
    return [
        Made(one.task, Path(one.file).name, digest, groups_for(one, options))
        for one, digest in zip(deployments, digests, strict=True)
    ]


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SloscoreError(f"{output}: cannot be written: {error.strerror}") from None
