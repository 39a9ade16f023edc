import pytest

from sloscore.advice.engine import Engine, check_engine, read_engine
from sloscore.advice.findings import Severity

URL = "http://127.0.0.1:9090"
PROMETHEUS = (
    b'{"status":"success","data":{"version":"2.42.0+ds","revision":"2.42.0+ds-5+b5",'
    b'"branch":"debian/sid","buildUser":"x","buildDate":"20230601","goVersion":"go1.19.8"}}'
)
# As VictoriaMetrics 1.x answers.
VICTORIA = b'{"status":"success","data":{"version":"2.24.0"}}'
MIMIR = (
    b'{"status":"success","data":{"application":"Grafana Mimir","version":"2.14.0","revision":"a",'
    b'"branch":"r","goVersion":"go1.23","features":{"ruler_config_api":"true"}}}'
)
THANOS = b'{"status":"success","data":{"version":"0.37.2","revision":"a","goVersion":"go1.23"}}'


@pytest.mark.parametrize(
    ("body", "engine"),
    [
        (PROMETHEUS, Engine("Prometheus", "2.42.0+ds")),
        (VICTORIA, Engine("VictoriaMetrics")),
        (MIMIR, Engine("Grafana Mimir", "2.14.0")),
        (THANOS, Engine("Thanos", "0.37.2")),
        (b"<html>log in</html>", Engine()),
        (b"[]", Engine()),
        (b'{"status":"success"}', Engine()),
        (b'{"status":"success","data":{}}', Engine()),
        (b'{"status":"success","data":{"version":7,"goVersion":"x"}}', Engine()),
        (b'{"status":"success","data":{"version":"2.1\\u001b[2J","goVersion":"x"}}', Engine()),
    ],
)
def test_an_engine_is_known_by_what_it_says_of_its_build(body: bytes, engine: Engine) -> None:
    assert read_engine(body) == engine


def test_what_an_engine_says_is_bounded() -> None:
    read = read_engine(b'{"data":{"application":"' + b"x" * 10_000 + b'","version":"1"}}')
    assert len(str(read)) < 100


@pytest.mark.parametrize(
    ("engine", "severity", "words"),
    [
        (Engine("Prometheus", "2.42.0+ds"), Severity.OK, f"Prometheus 2.42.0+ds answers at {URL}."),
        (Engine("Prometheus", "3.5.0"), Severity.OK, "Prometheus 3.5.0"),
        (Engine("Prometheus", "v2.41.1"), Severity.INFO, "Prometheus v2.41.1"),
        (Engine("Prometheus", "1.8.2"), Severity.INFO, "Prometheus 1.8.2"),
        (Engine("Prometheus", "HEAD"), Severity.OK, "Prometheus HEAD"),
        (Engine("VictoriaMetrics"), Severity.OK, f"VictoriaMetrics answers at {URL}."),
        (Engine("Thanos", "0.37.2"), Severity.OK, "Thanos 0.37.2"),
        (Engine(), Severity.INFO, f"{URL} answers queries and does not say which engine it is."),
    ],
)
def test_only_an_old_or_nameless_engine_is_worth_knowing(
    engine: Engine, severity: Severity, words: str
) -> None:
    finding = check_engine(engine, URL)
    assert finding.severity is severity
    assert finding.found.startswith(words)
