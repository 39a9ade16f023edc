"""Prometheus' own figures over time, read through prometheus-api-client."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

import pandas as pd
import requests
from prometheus_api_client import (
    MetricRangeDataFrame,
    MetricValueConversionError,
    PrometheusApiClientException,
    PrometheusConnect,
)
from urllib3.util.retry import Retry

from sloscore.errors import SourceError
from sloscore.settings import PrometheusSettings, TlsSettings
from sloscore.sources.access import Access

# Prometheus refuses more than 11,000 points in a series.
MAX_POINTS = 10_000
_LEAST_STEP = 0.1
_BROKEN = (
    requests.RequestException,
    PrometheusApiClientException,
    MetricValueConversionError,
    KeyError,
    TypeError,
    ValueError,
)


def read_figures(
    settings: PrometheusSettings,
    expressions: Mapping[str, str],
    span: tuple[float, float],
    step: float,
) -> dict[str, pd.Series]:
    """Values over time (UTC) by the expressions' keys, NaN where a gap begins.

    ``span`` is in Unix seconds, ``step`` in seconds. Expressions that nothing answers are left out.
    Raises SourceError where Prometheus does not answer.
    """
    start, end = span
    step = max(step, (end - start) / MAX_POINTS, _LEAST_STEP)
    found = {}
    with requests.Session() as session:
        prometheus = _connect(settings, session)
        for key, expression in expressions.items():
            try:
                answer = prometheus.custom_query_range(
                    expression,
                    datetime.fromtimestamp(start, UTC),
                    datetime.fromtimestamp(end, UTC),
                    f"{step:.3f}",
                )
                # The frame of an empty answer has no column to take times from.
                if answer:
                    found[key] = _with_gaps(MetricRangeDataFrame(answer)["value"], step)
            except _BROKEN as error:
                raise SourceError(f"Prometheus at {settings.url}: {error}") from error
    return found


def _connect(settings: PrometheusSettings, session: requests.Session) -> PrometheusConnect:
    """A client with the source's own address, credentials and deadline; it has none by default."""
    # A proxy or a .netrc of the environment is not what the settings say.
    session.trust_env = False
    session.max_redirects = 0
    session.params = dict(settings.parameters)
    session.verify = _authorities(settings.tls)
    if settings.tls.cert_file and settings.tls.key_file:
        session.cert = (str(settings.tls.cert_file), str(settings.tls.key_file))
    return PrometheusConnect(
        url=settings.url,
        headers=Access(settings).headers(),
        session=session,
        timeout=settings.timeout,
        retry=Retry(0),
    )


def _authorities(tls: TlsSettings) -> bool | str:
    if tls.insecure_skip_verify:
        return False
    if tls.ca_file:
        return str(tls.ca_file)
    # Those of the machine, as everywhere else, not those that requests brings along.
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _with_gaps(values: pd.Series, step: float) -> pd.Series:
    """The values with a NaN where the next one is more than a step away, so that lines break."""
    values = values.tz_localize("UTC").sort_index()
    distances = values.index.to_series().diff().dt.total_seconds()
    breaks = values.index[(distances > 1.5 * step).to_numpy()] - pd.Timedelta(seconds=step / 2)
    return pd.concat([values, pd.Series(float("nan"), index=breaks)]).sort_index()
