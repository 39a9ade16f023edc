"""``sloscore buckets``: the bucket bounds that a task needs, and the server's option for them."""

import json
import textwrap
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sloscore.advice.buckets import Advice, Placed

_WIDTH = 100
_HEADER = ("SLI", "LIMIT", "VALUE", "STOCK BUCKET")


@click.command(
    epilog="""
    \b
    Examples:
      sloscore buckets examples/vllm_task.yaml
      sloscore buckets --server vllm --json examples/docker_task_with_slo.json
    \b
    Exit codes: 0 whether or not something is to be added, 1 invalid task, 2 wrong usage.
    """
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--server", help="Preset of the server's metrics. [default: the task's]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def buckets(*, spec: Path, server: str | None, as_json: bool) -> None:
    """Say which bucket bounds a task needs, and print the server's option for them.

    A verdict follows from counts where its threshold and its hard limit are bucket bounds. Inside
    a bucket it is uncertain, however many requests there are.
    """
    from sloscore.advice.buckets import advise
    from sloscore.errors import SpecError
    from sloscore.spec.loader import load_task
    from sloscore.spec.preset import preset_for, preset_names

    task = load_task(spec)
    if server is not None:
        task = task.model_copy(update={"server": server})
    preset = preset_for(task)
    if preset is None:
        known = ", ".join(preset_names())
        raise SpecError([f"{spec}: server: is required; name one of {known}, or use --server"])
    advice = advise(task, preset)
    if as_json:
        click.echo(json.dumps(_as_json(spec, task.task_name, advice), indent=2))
    else:
        click.echo("\n".join(_as_text(spec, advice)))


def _as_json(spec: Path, task: str, advice: "Advice") -> dict[str, Any]:
    from sloscore.advice.options import option_for

    return {
        "file": str(spec),
        "task": task,
        "server": advice.preset.server,
        "changes": advice.changes,
        "limits": [_limit_as_json(placed) for placed in advice.limits],
        "exact": list(advice.exact),
        "metrics": [
            {
                "role": metric.role,
                "name": metric.name,
                "unit": metric.unit,
                "stock": list(metric.stock),
                "advised": list(metric.advised),
                "added": list(metric.added),
            }
            for metric in advice.metrics
        ],
        "option": option_for(advice),
        "note": _note(advice),
    }


def _limit_as_json(placed: "Placed") -> dict[str, Any]:
    from sloscore.wire import json_number

    limit, bucket = placed.limit, placed.bucket
    return {
        "sli": limit.sli.id,
        "signal": limit.signal.value,
        "limit": limit.kind.value,
        "value": limit.value,
        "bound": limit.bound,
        "is_bound": bucket is None if placed.is_known else None,
        "stock_bucket": bucket and [bucket.lower, json_number(bucket.upper)],
    }


def _note(advice: "Advice") -> str | None:
    option = advice.preset.bucket_option
    return option.note if option else advice.preset.bucket_help


def _as_text(spec: Path, advice: "Advice") -> Iterator[str]:
    from sloscore.tables import columns

    server, total = advice.preset.server, len(advice.limits)
    if not advice.limits:
        yield f"{spec}: {server}, no limit needs a bucket bound: nothing to add"
    elif not advice.changes:
        yield f"{spec}: {server}, all {total} limits are stock bucket bounds: nothing to add"
    else:
        yield f"{spec}: {server}, {len(advice.inside)} of {total} limits lack a bucket bound"
    rows = [_row(placed) for placed in advice.limits]
    rows += [(sli, "-", "-", "none needed: it is exact") for sli in advice.exact]
    if rows:
        yield ""
        yield from columns([_HEADER, *rows])
    if advice.changes:
        yield ""
        for sentence in _certainty(advice):
            yield from _wrapped(sentence)
        yield ""
        yield from _mending(advice)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _row(placed: "Placed") -> tuple[str, ...]:
    if not placed.is_known:
        where = "not known"
    elif placed.bucket is None:
        where = "a bound"
    else:
        where = f"inside {placed.bucket}"
    return (placed.limit.name, placed.limit.kind, f"{placed.limit.bound:.12g}", where)


def _certainty(advice: "Advice") -> Iterator[str]:
    """What the bounds change, by SLI and bucket."""
    from sloscore.advice.limits import LimitKind

    groups: dict[tuple[str, str], list[str]] = {}
    for placed in advice.inside:
        if placed.limit.kind is LimitKind.WITHIN:
            limit = placed.limit
            yield (
                f"Requests whose {limit.signal} lies in the bucket around {limit.bound:.12g} count as past "
                f"it, so {limit.sli.id} is told lower than it may be; with a bound there they are "
                "told apart."
            )
            continue
        where = f"in {placed.bucket}" if placed.bucket else "between the bounds around a limit"
        groups.setdefault((placed.limit.sli.id, where), []).append(f"{placed.limit.bound:.12g}")
    for (sli, where), bounds in groups.items():
        at = f"a bound at {bounds[0]}" if len(bounds) == 1 else f"bounds at {' and '.join(bounds)}"
        yield (
            f"While {sli} lies {where} its verdict is uncertain, however many requests there are; "
            f"with {at} it follows from counts."
        )


def _mending(advice: "Advice") -> Iterator[str]:
    from sloscore.advice.options import option_for

    option = option_for(advice)
    if option is not None:
        yield "Add this to the command of every replica; it keeps the stock bounds:"
        yield ""
        yield option
        yield ""
        yield from _wrapped(f"{_note(advice)}.")
        return
    for metric in advice.metrics:
        if metric.added:
            bounds = ", ".join(f"{bound:.12g}" for bound in metric.added)
            yield from _wrapped(f"{metric.name} needs more bounds, in {metric.unit}: {bounds}.")
    if note := _note(advice):
        yield from _wrapped(f"{note}.")
    for placed in advice.inside:
        yield from _wrapped(_move(placed))


def _move(placed: "Placed") -> str:
    """The nearest limits that the stock bounds tell, as a sentence; empty where there are none."""
    from sloscore.advice.limits import LimitKind

    limit, bucket = placed.limit, placed.bucket
    ends = [] if bucket is None else [end for end in (bucket.lower, bucket.upper) if 0 < end < inf]
    name = f"limit of {limit.signal}" if limit.kind is LimitKind.WITHIN else "threshold"
    if limit.kind is LimitKind.HARD_LIMIT:
        name = "fail_ratio"
        ends = [end / limit.slo.threshold - 1 for end in ends if end > limit.slo.threshold]
    choices = " or ".join(f"{end:.12g}" for end in ends)
    return f"Or set the {name} of {limit.sli.id} to {choices}: a bucket ends there." if ends else ""
