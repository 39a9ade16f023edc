"""A server's own option for its buckets, ready to paste into a shell."""

import json
import shlex
from collections.abc import Mapping

from sloscore.advice.buckets import Advice
from sloscore.advice.limits import plain
from sloscore.spec.preset import BucketOption, Preset


def families_to_set(advice: Advice) -> Mapping[str, tuple[float, ...]]:
    """Bounds by family of metrics, of the families that lack some."""
    option = advice.preset.bucket_option
    if option is None:
        return {}
    found = {}
    for family, roles in option.families.items():
        of_family = [metric for metric in advice.metrics if metric.role in roles]
        if any(metric.added for metric in of_family):
            found[family] = tuple(sorted({b for metric in of_family for b in metric.advised}))
    return found


def option_for(advice: Advice) -> str | None:
    """The option as the server takes it, quoted for a shell.

    None where nothing is missing, or the server has no option for its buckets.
    """
    families = families_to_set(advice)
    option = advice.preset.bucket_option
    if option is None or not families:
        return None
    return _written(option, families)


def _written(option: BucketOption, families: Mapping[str, tuple[float, ...]]) -> str:
    if option.flag is not None:
        bounds = {name: list(map(float, family)) for name, family in families.items()}
        return f"{option.flag} {shlex.quote(json.dumps(bounds))}"
    return " ".join(f"{flag} {' '.join(map(plain, family))}" for flag, family in families.items())


def shared_by(preset: Preset, family: str) -> tuple[str, ...]:
    """The roles of the metrics whose bounds a family sets."""
    if preset.bucket_option is None:
        return ()
    return tuple(map(str, preset.bucket_option.families.get(family, ())))
