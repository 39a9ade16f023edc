"""What the service says of itself."""

from typing import Any

from sloscore.wire.values import Document, Number, Time


class QueryTally(Document):
    """Queries of one kind to a metric source since the service started.

    ``errors`` counts those that failed, by kind of error; ``mean_seconds`` is what one took.
    """

    kind: str
    queries: int
    errors: dict[str, int]
    mean_seconds: float | None


class Followed(Document):
    """A running experiment, and where its numbers come from.

    ``target`` is the metrics page that the service scrapes itself, null where Prometheus is asked
    for ``selector``. ``server`` is the preset that is used, null where the task brings metrics of its
    own or while ``is_recognised`` is false. ``trouble`` says why nothing can be measured now.
    """

    experiment: str
    task: str
    server: str | None
    is_recognised: bool
    selector: dict[str, str]
    target: str | None
    instances: int
    requests: Number | None
    evaluated_at: Time | None
    trouble: str | None


class Reloaded(Document):
    """Names of the settings that a reload changed, such as ``prometheus.url``."""

    changed: tuple[str, ...]


class StatusDocument(Document):
    """The state of the service; counts are those since ``started_at``.

    ``clock_offset`` is how many seconds Prometheus' clock is ahead of the service's, null where it has
    not told. ``experiments`` counts all of the store by state. ``followed`` has the running ones that began
    last, ``running`` says how many there are. ``settings`` are those in effect, secrets masked.
    """

    version: str
    started_at: Time
    now: Time
    last_evaluation: Time | None
    evaluation_errors: dict[str, int]
    clock_offset: float | None
    sources: tuple[QueryTally, ...]
    experiments: dict[str, int]
    running: int
    followed: tuple[Followed, ...]
    settings: dict[str, Any]
