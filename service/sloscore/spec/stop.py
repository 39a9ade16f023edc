"""When a running experiment may be called hopeless: the ``early_stop`` part of an ``slo`` section."""

from pydantic import BaseModel, ConfigDict, Field

from sloscore.settings_base import Duration


class EarlyStopSpec(BaseModel):
    """Advise to stop once a hard fail is certain, or proven but for a chance of ``alpha``.

    ``burn_in`` (seconds) leaves the first requests out of the proof. ``null_share`` is the share of
    requests over the hard limit that is taken as harmless (without it just what the percentile
    allows): a higher one stands drifting load. With ``planned_requests`` an experiment is stopped
    when more were slow than the whole plan allows; ``planned_duration`` (seconds) tells how much
    time a stop saves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    alpha: float = Field(default=0.01, gt=0, le=0.5)
    burn_in: Duration | None = None
    null_share: float | None = Field(default=None, gt=0, lt=1)
    planned_requests: int | None = Field(default=None, ge=1)
    planned_duration: Duration | None = None
