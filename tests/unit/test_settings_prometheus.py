from pathlib import Path

import pytest
from pydantic import ValidationError

from sloscore.settings import PrometheusSettings


def mistakes(settings: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as raised:
        PrometheusSettings.model_validate(settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://prometheus:9090", "http://prometheus:9090"),
        ("https://host/a/prometheus/", "https://host/a/prometheus"),
        ("http://[::1]:9090", "http://[::1]:9090"),
    ],
)
def test_a_url_may_have_a_path_prefix(url: str, kept: str) -> None:
    assert PrometheusSettings(url=url).url == kept


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://host", 'must look like "http://host:9090"'),
        ("prometheus:9090", 'must look like "http://host:9090"'),
        ("file:///etc/passwd", 'must look like "http://host:9090"'),
        ("http://", 'must look like "http://host:9090"'),
        ("http://host:port", "no URL"),
        ("http://host:99999", "no URL"),
        ("http://host/?x=1", "leave out what follows"),
        ("http://host/#x", "leave out what follows"),
        ("http://user:hunter2@host", "must not hold credentials"),
    ],
)
def test_a_url_that_cannot_be_queried_is_refused_with_a_sentence(url: str, sentence: str) -> None:
    assert sentence in mistakes({"url": url})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"timeout": "10 seconds"}, "write it like"),
        ({"timeout": 0}, "greater than 0"),
        ({"timeout": "nan"}, "write it like"),
        ({"timeouts": "10s"}, "not permitted"),
        ({"max_concurrency": 0}, "greater than or equal to 1"),
        ({"tls": {"cert_file": "a.pem"}}, "cert_file and key_file belong together"),
        ({"basic_auth": {"username": "u"}}, "either password or password_file"),
        ({"basic_auth": {"username": "u:v", "password": "p"}}, "pattern"),
        ({"bearer_token": "a", "bearer_token_file": "f"}, "give only one of"),
        ({"bearer_token": "a\nb"}, "single line"),
        ({"headers": {"authorization": "Bearer x"}}, "not an extra header"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "single line"),
        ({"headers": {"X A": "b"}}, "no name of a header"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_sentence(
    settings: dict[str, object], sentence: str
) -> None:
    assert sentence in mistakes(settings)


def test_durations_are_written_like_those_of_prometheus() -> None:
    assert PrometheusSettings.model_validate({"timeout": "1m500ms"}).timeout == 60.5
    assert PrometheusSettings.model_validate({"timeout": 2.5}).timeout == 2.5
    assert PrometheusSettings.model_validate({"timeout": "2.5"}).timeout == 2.5


@pytest.mark.parametrize("text", ["", "5.", ".5", "-5", "5 ", "1e3", "inf", "nan", "0", "5.5s"])
def test_text_that_is_neither_a_duration_nor_a_number_above_0_is_refused(text: str) -> None:
    assert "timeout" in mistakes({"timeout": text})


@pytest.mark.parametrize(
    "settings",
    [
        {"bearer_token": "hunter2"},
        {"basic_auth": {"username": "u", "password": "hunter2"}},
        {"headers": {"X-Key": "hunter2"}},
    ],
)
def test_credentials_show_neither_in_repr_nor_in_a_dump(settings: dict[str, object]) -> None:
    made = PrometheusSettings.model_validate(settings)

    assert "hunter2" not in repr(made)
    assert "hunter2" not in str(made.model_dump())
    assert "hunter2" not in made.model_dump_json()


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://user:hunter2@host"},
        {"bearer_token": "hunter2", "bearer_token_file": Path("f")},
        {"bearer_token": "hunter2\n"},
        {"headers": {"authorization": "hunter2"}},
    ],
)
def test_credentials_do_not_show_in_the_error_about_them(settings: dict[str, object]) -> None:
    assert "hunter2" not in mistakes(settings)
