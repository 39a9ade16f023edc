"""Which server an experiment's deployment is, where nobody has said so."""

from sloscore.errors import SourceError, SpecError
from sloscore.evaluation.plan import Plan
from sloscore.sources.base import MetricSource
from sloscore.spec.detect import recognise

# Kinds of error: nothing of the selector is there, or what is there tells no server.
UNEXPOSED = "unexposed"
UNRECOGNISED = "unrecognised"
# Names do not change within an experiment, and a query over hours would be a large one.
_MAX_SECONDS = 600.0


async def with_server(source: MetricSource, plan: Plan, start: float, until: float) -> Plan:
    """The plan with the families of the server that exposes its selector's metrics.

    Looks at the names that were seen between ``start`` and ``until`` (Unix seconds). Raises
    SpecError where no preset or more than one fits them, or where that server lacks what the SLOs
    need, and SourceError where the source does not answer.
    """
    if not plan.is_open:
        return plan
    return plan.read_as(recognise(await names_seen(source, plan, start, until)))


async def names_seen(
    source: MetricSource, plan: Plan, start: float, until: float
) -> frozenset[str]:
    """The names of the selector's series between ``start`` and ``until``; raises SourceError."""
    seconds = min(max(until - start, 1.0), _MAX_SECONDS)
    return await source.names(plan.target, until, seconds)


async def with_server_soon(source: MetricSource, plan: Plan, start: float, until: float) -> Plan:
    """As ``with_server``, for a deployment that may not expose its metrics yet: one kind of error.

    Raises SourceError, of kind ``UNEXPOSED`` or ``UNRECOGNISED`` where the server is not known so far.
    """
    if not plan.is_open:
        return plan
    names = await names_seen(source, plan, start, until)
    try:
        return plan.read_as(recognise(names))
    except SpecError as error:
        kind = UNRECOGNISED if names else UNEXPOSED
        raise SourceError(error.problems[0], kind=kind) from None
