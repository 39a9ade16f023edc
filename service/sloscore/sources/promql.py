"""PromQL for many targets at once; no value ever enters a query unescaped."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sloscore.core.samples import Family, FamilyKind, Labels, Target
from sloscore.errors import SourceError
from sloscore.promql_text import matcher, quote
from sloscore.sources.scrapes import Instance, native_name

# A label that no scraped series can have: Prometheus drops names that begin like this one.
PART_LABEL = "__sloscore__"
PART_TARGET = "target"
PART_TIME_PREFIX = "time:"

UP = "up"
PROCESS_START = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Targets with the same families and selector labels, few enough for one query."""

    families: tuple[Family, ...]
    targets: tuple[Target, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The selector labels that all targets of the chunk have in common."""
        return tuple(name for name, _ in self.targets[0].selector)

    @property
    def selectors(self) -> tuple[Labels, ...]:
        """The distinct selectors, in order of first use."""
        return tuple(dict.fromkeys(target.selector for target in self.targets))


def unusable(target: Target) -> SourceError | None:
    """Why no query can be written for a target, if so.

    Its text must be encodable as UTF-8, and a label must have a name: an empty one passes Prometheus
    3 and takes the whole process of VictoriaMetrics 1.x down.
    """
    for name, value in target.selector:
        if not name:
            return SourceError("the selector has a label without a name", kind="bad_data")
        if name == "__name__":
            return SourceError(
                "the selector must not name the metric: __name__ is up to the families",
                kind="bad_data",
            )
        try:
            (name + value).encode()
        except UnicodeEncodeError:
            return SourceError(
                f"the selector's label {name!r} has the value {value!r}, which is not valid "
                "Unicode text, so no series can carry it",
                kind="bad_data",
            )
    return None


def chunks(targets: Iterable[Target], max_targets: int, max_bytes: int) -> Iterator[Chunk]:
    """Targets grouped by what a query can share, each group cut to size.

    A chunk has at most ``max_targets`` distinct selectors with ``max_bytes`` of values (UTF-8,
    before escaping), or a single selector however long.
    """
    groups: dict[tuple[object, ...], dict[Labels, list[Target]]] = {}
    for target in targets:
        names = tuple(name for name, _ in target.selector)
        group = groups.setdefault((target.families, names), {})
        group.setdefault(target.selector, []).append(target)
    for group in groups.values():
        yield from _cut(group, max_targets, max_bytes)


def snapshot_query(chunk: Chunk, instances: Collection[Instance] = ()) -> str:
    """One instant query for everything that a chunk's targets show, read from one view.

    Rows without PART_LABEL are the families' samples. PART_TARGET marks ``up`` and the process
    start. PART_TIME_PREFIX followed by a metric name marks scrape times in Unix seconds; one
    expression a name, as timestamp() drops names and would fail on the equal labels that are left.
    ``instances`` are asked for their ``up`` and process start by job and instance, for selectors
    of labels that only the families' own series carry.
    """
    selector = _selector(chunk)
    parts = _clock_parts(chunk.families, selector)
    parts += _target_parts(selector)
    if instances:
        parts += _target_parts(instance_matchers(instances))
    # Last, as `or` hashes all of its left side at each step and this is the large part.
    parts.append(_braces([matcher("__name__", series_names(chunk.families)), *selector]))
    return " or ".join(parts)


def times_query(chunk: Chunk) -> str:
    """The rows of ``snapshot_query`` that tell scrape times, without what was scraped."""
    selector = _selector(chunk)
    return " or ".join(_clock_parts(chunk.families, selector) + _target_times(selector))


def samples_query(target: Target, seconds: float) -> str:
    """A range selector for the raw samples of a target over the last ``seconds``."""
    names = [*series_names(target.families), UP, PROCESS_START]
    return _ranged([matcher("__name__", names), *_equalities(target)], seconds)


def instance_samples_query(instances: Collection[Instance], seconds: float) -> str:
    """A range selector for ``up`` and the process start of instances over the last ``seconds``."""
    names = [UP, PROCESS_START]
    return _ranged([matcher("__name__", names), *instance_matchers(instances)], seconds)


def hidden_instances_query(target: Target, seconds: float) -> str:
    """The instances (by job, instance) whose ``up`` does not carry the target's selector."""
    selector = _equalities(target)
    series = _ranged([matcher("__name__", _clock_names(target.families)), *selector], seconds)
    up = _ranged([matcher("__name__", [UP]), *selector], seconds)
    return (
        f"group by (job, instance) (last_over_time({series}))"
        f" unless on (job, instance) last_over_time({up})"
    )


def marks_query(chunk: Chunk, seconds: float) -> str:
    """A range selector for ``up`` and the process start of a chunk's targets."""
    return _ranged([matcher("__name__", [UP, PROCESS_START]), *_selector(chunk)], seconds)


def unsteady_query(chunk: Chunk, seconds: float) -> str:
    """The instances (by job, instance) of which a counter fell or a series ended meanwhile."""
    selector = _selector(chunk)
    parts = []
    for name in _counting_names(chunk.families):
        series = _ranged([matcher("__name__", [name]), *selector], seconds)
        parts.append(f"resets({series}) > 0")
    for name in _clock_names(chunk.families):
        named = [matcher("__name__", [name]), *selector]
        ended = f"last_over_time({_ranged(named, seconds)}) unless {_braces(named)}"
        parts.append(ended)
    return " or ".join(f"group by (job, instance) ({part})" for part in parts)


def names_query(target: Target, seconds: float) -> str:
    """The names of all series of a target's selector over the last ``seconds``."""
    return f"group by (__name__) (last_over_time({_ranged(_equalities(target), seconds)}))"


def instance_matchers(instances: Collection[Instance]) -> list[str]:
    """Matchers for a superset of the instances: every job with every instance."""
    jobs = sorted({job for job, _ in instances})
    names = sorted({name for _, name in instances})
    return [matcher("job", jobs), matcher("instance", names)]


def series_names(families: Sequence[Family]) -> list[str]:
    """The names of all series of the families, with the bare names of native histograms."""
    names = []
    for family in families:
        for name in family.names:
            names += _bare_names(family, name)
            if family.kind is FamilyKind.HISTOGRAM:
                names += [f"{name}_bucket", f"{name}_sum", f"{name}_count"]
            else:
                names.append(name)
    return list(dict.fromkeys(names))


def _clock_names(families: Sequence[Family]) -> list[str]:
    names = []
    for family in families:
        suffix = "_count" if family.kind is FamilyKind.HISTOGRAM else ""
        for name in family.names:
            names += [name + suffix, *_bare_names(family, name)]
    return list(dict.fromkeys(names))


def _counting_names(families: Sequence[Family]) -> list[str]:
    names = []
    for family in families:
        suffix = "_bucket" if family.kind is FamilyKind.HISTOGRAM else ""
        names += [name + suffix for name in family.names]
    return list(dict.fromkeys(names))


def _bare_names(family: Family, name: str) -> list[str]:
    bare = native_name(family, name)
    return [bare] if bare else []


def _cut(group: dict[Labels, list[Target]], max_targets: int, max_bytes: int) -> Iterator[Chunk]:
    members: list[list[Target]] = []
    size = 0
    for selector, targets in group.items():
        length = sum(len(value.encode()) for _, value in selector)
        if members and (len(members) == max_targets or size + length > max_bytes):
            yield _chunk(members)
            members, size = [], 0
        members.append(targets)
        size += length
    if members:
        yield _chunk(members)


def _chunk(members: list[list[Target]]) -> Chunk:
    targets = tuple(target for same in members for target in same)
    return Chunk(targets[0].families, targets)


def _selector(chunk: Chunk) -> list[str]:
    matchers = []
    for position, name in enumerate(chunk.label_names):
        values = dict.fromkeys(selector[position][1] for selector in chunk.selectors)
        matchers.append(matcher(name, values))
    return matchers


def _equalities(target: Target) -> list[str]:
    return [matcher(name, [value]) for name, value in target.selector]


def _target_parts(selector: list[str]) -> list[str]:
    both = _braces([matcher("__name__", [UP, PROCESS_START]), *selector])
    return [_marked(both, PART_TARGET), *_target_times(selector)]


def _target_times(selector: list[str]) -> list[str]:
    return [
        _time_part(name, [matcher("__name__", [name]), *selector]) for name in (UP, PROCESS_START)
    ]


def _clock_parts(families: Sequence[Family], selector: list[str]) -> list[str]:
    return [
        _time_part(name, [matcher("__name__", [name]), *selector])
        for name in _clock_names(families)
    ]


def _time_part(name: str, matchers: list[str]) -> str:
    return _marked(f"timestamp({_braces(matchers)})", PART_TIME_PREFIX + name)


def _marked(expression: str, part: str) -> str:
    return f'label_replace({expression}, "{PART_LABEL}", {quote(part)}, "", "")'


def _braces(matchers: list[str]) -> str:
    return "{" + ",".join(matchers) + "}"


def _ranged(matchers: list[str], seconds: float) -> str:
    return f"{_braces(matchers)}[{max(1, math.ceil(seconds))}s]"
