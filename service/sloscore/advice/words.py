"""How findings name labels, instances, durations and lists."""

from collections.abc import Collection, Iterable, Sequence

from sloscore.core.samples import Labels
from sloscore.promql_text import quote
from sloscore.sources.scrapes import Instance

_MOST_NAMED = 5
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s"))


def selector_text(selector: Labels) -> str:
    """A selector as PromQL writes it."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in selector) + "}"


def listed(names: Iterable[str]) -> str:
    """The first few of some names, sorted, and how many more there are."""
    return _first_of(sorted(set(names)))


def bounds_text(bounds: Iterable[float]) -> str:
    """The first few of some bounds, sorted, and how many more there are."""
    return _first_of([f"{bound:.12g}" for bound in sorted(set(bounds))])


def _first_of(ordered: Sequence[str]) -> str:
    more = len(ordered) - _MOST_NAMED
    shown = ", ".join(ordered[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def instances_text(instances: Collection[Instance]) -> str:
    """Instances by their addresses; by their jobs as well where there are several."""
    jobs = {job for job, _ in instances}
    return listed(
        address if len(jobs) == 1 else f"{address} of job {job}" for job, address in instances
    )


def duration(seconds: float) -> str:
    """Seconds for people: 0.5 s, 90 s, 5m, 1h30m."""
    if seconds < 120 and seconds % 60:
        return f"{seconds:.3g} s"
    rest, text = round(seconds), ""
    for size, unit in _UNITS:
        number, rest = divmod(rest, int(size))
        text += f"{number}{unit}" if number else ""
    return text or "0 s"


def counted(number: float, noun: str) -> str:
    """A number with its noun: 1 scrape, 2 scrapes."""
    return f"{number:.0f} {noun}{'' if number == 1 else 's'}"
