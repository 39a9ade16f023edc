"""Answers of Prometheus as they are decoded."""

from collections.abc import Iterable

from tests.unit.answer_rows import ONE, Row, body, chunk

from sloscore.core.samples import InstanceSample, Labels
from sloscore.errors import SourceError
from sloscore.sources.decode import SnapshotAnswer, decode_snapshot


def snapshot(rows: Iterable[Row], *selectors: Labels) -> SnapshotAnswer:
    return decode_snapshot(body(rows), chunk(*(selectors or (ONE,))), {})


def only(answer: SnapshotAnswer, selector: Labels = ONE) -> InstanceSample:
    samples = answer.samples[selector]
    assert not isinstance(samples, SourceError), samples
    (sample,) = samples
    return sample


def failure(answer: SnapshotAnswer, selector: Labels = ONE) -> SourceError:
    error = answer.samples[selector]
    assert isinstance(error, SourceError)
    return error
