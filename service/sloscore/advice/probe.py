"""What an examination asks of a metric engine; every question is bounded and changes nothing."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sloscore.advice.engine import Engine, ask_engine
from sloscore.core.samples import Labels, Target
from sloscore.errors import SourceError
from sloscore.promql_text import matcher
from sloscore.settings import PrometheusSettings
from sloscore.sources.base import Offset, Snapshot
from sloscore.sources.decode import Row, result_of
from sloscore.sources.prometheus import PrometheusSource
from sloscore.sources.promql import UP, instance_matchers
from sloscore.sources.scrapes import Instance
from sloscore.sources.transport import Transport

MOST_VALUES = 5
_MOST_ANSWER_BYTES = 32 * 1024 * 1024
_MOST_INSTANCES = 50


@dataclass(frozen=True, slots=True)
class Scraped:
    """One scrape of a target, in Unix seconds, and whether it succeeded."""

    time: float
    succeeded: bool


class Probe:
    """Asks one engine. Raises SourceError where it does not answer."""

    def __init__(
        self, settings: PrometheusSettings, clock: Callable[[], float] = time.time
    ) -> None:
        limit = min(settings.max_answer_bytes, _MOST_ANSWER_BYTES)
        bounded = settings.model_copy(update={"max_answer_bytes": limit})
        self._transport = Transport(bounded)
        self._source = PrometheusSource(bounded)
        self._clock = clock

    async def close(self) -> None:
        """Close all connections."""
        await self._source.close()
        await self._transport.close()

    async def offset(self) -> Offset:
        """How far the engine's clock and this machine's are apart."""
        return await self._source.offset(self._clock)

    async def engine(self) -> Engine:
        """Which engine it is, as far as it says so."""
        return await ask_engine(self._transport)

    async def names(self, target: Target, at: float, seconds: float) -> frozenset[str]:
        """Names of all series of the target's selector in the ``seconds`` before ``at``."""
        return await self._source.names(target, at, seconds)

    async def snapshot(self, target: Target, at: float) -> Snapshot:
        """What scoring would see at ``at``."""
        found = (await self._source.snapshot([target], at))[target.key]
        if isinstance(found, SourceError):
            raise found
        return found

    async def ups(self, selector: Labels, at: float) -> Mapping[Instance, bool]:
        """Whether the newest scrape succeeded of each target that carries the selector."""
        matchers = [matcher("__name__", [UP])]
        matchers += [matcher(name, [value]) for name, value in selector]
        rows = await self._ask(f"{{{','.join(matchers)}}}", at, "vector")
        with _Decoding():
            return {_instance(row): float(row["value"][1]) == 1 for row in rows}

    async def scrapes(
        self, instances: Collection[Instance], at: float, seconds: float
    ) -> Mapping[Instance, Sequence[Scraped]]:
        """The scrapes of (the first fifty) targets in the ``seconds`` before ``at``, by their up."""
        asked = sorted(instances)[:_MOST_INSTANCES]
        if not asked:
            return {}
        matchers = ",".join([matcher("__name__", [UP]), *instance_matchers(asked)])
        rows = await self._ask(f"{{{matchers}}}[{round(seconds)}s]", at, "matrix")
        found: dict[Instance, list[Scraped]] = {}
        with _Decoding():
            for row in rows:
                instance = _instance(row)
                if instance in asked:
                    scraped = [Scraped(float(t), float(up) == 1) for t, up in row["values"]]
                    found.setdefault(instance, []).extend(scraped)
        return {one: sorted(each, key=lambda s: s.time) for one, each in found.items()}

    async def values(
        self, label: str, selector: Labels, names: Collection[str], at: float
    ) -> Sequence[str]:
        """A few values of a label, on series of the selector's other labels and of these names."""
        others = [matcher(name, [value]) for name, value in selector if name != label]
        if names:
            others.append(matcher("__name__", names))
        query = f"topk({MOST_VALUES}, count by ({label}) ({{{','.join(others)}}}))"
        rows = await self._ask(query, at, "vector")
        with _Decoding():
            return [row["metric"][label] for row in rows if label in row["metric"]]

    async def _ask(self, query: str, at: float | None, kind: str) -> list[Row]:
        return result_of(await self._transport.query(query, at), kind)


def _instance(row: Row) -> Instance:
    labels = row["metric"]
    return labels.get("job", ""), labels.get("instance", "")


class _Decoding:
    """Turns what is wrong with the parts of an answer into a SourceError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, KeyError | IndexError | TypeError | ValueError | AttributeError):
            raise SourceError(
                f"the answer is not one of Prometheus' query API ({error!r})", kind="decode"
            ) from None
