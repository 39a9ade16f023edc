"""Tasks and settings that cannot be read at all: text, files and values."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator
from tests.unit.spec_problems import problems_in

from sloscore.errors import SpecError
from sloscore.settings import PrometheusSettings
from sloscore.spec.loader import load_model, load_task, parse_model, validate
from sloscore.spec.slo import SloSpec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "t: is empty"),
        (" \n\t\n", "t: is empty"),
        ("# only a comment\n", "t: is empty"),
        ("- a\n", "t:1: must be a mapping at its top"),
        ("\njust text\n", "t:2: must be a mapping at its top"),
        ("a: 1\n--- \nb: 2\n", "t: must hold one document, not several"),
        ("a: b: c\n", "t:1:5: is not valid YAML: mapping values are not allowed here"),
        (
            "a:\n\tb: 1\n",
            "t:2:1: is not valid YAML: found character '\\t' that cannot start any token",
        ),
        ("a: &x 1\nb: *x\n", "t:2: aliases (*name) are not supported; write the value out"),
        (
            "a: 1\nb: !!python/object:os.system x\n",
            "t:2: tags (!name) are not supported; put text that begins with ! in quotes",
        ),
        ("? {a: 1}\n: 2\n", "t:1: a key must be text"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "t:4: b.c: is given twice, first at line 3"),
        ("a: 1\nb: \x01\n", "t:2: must not hold control characters"),
        ('a: "\\UFFFFFFFF"\n', "t: is not valid YAML: an escape or directive is out of range"),
        ("a: " + "[" * 40 + "\n", "t:1: must be nested at most 32 levels deep"),
        ("a: \ud800", "t: is not valid Unicode text"),
        ("a: " + "x" * 1024 * 1024, "t: must be at most 1 MiB, got 1048579 bytes"),
    ],
)
def test_yaml_that_cannot_be_read_is_refused_with_a_sentence(text: str, problem: str) -> None:
    assert problems_in(text, "t") == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{"a": 1,\n b: 2}',
            "t.json:2:2: is not valid JSON: expecting property name enclosed in double quotes",
        ),
        ('{"a": 1}\n{', "t.json:2:1: is not valid JSON: extra data"),
        (
            "{'a': 1}",
            "t.json:1:2: is not valid JSON: expecting property name enclosed in double quotes",
        ),
        ('{"a": 1 // no\n}', "t.json:1:9: is not valid JSON: expecting ',' delimiter"),
        ('{"a": NaN}', "t.json:1: a: must be a finite number"),
        ('{"a":\n -Infinity}', "t.json:2: a: must be a finite number"),
        ('{"a": [1,\n 1e999]}', "t.json:2: a[1]: must be a finite number"),
        ('{"a": ' + "9" * 5000 + "}", "t.json:1: a: must be a finite number"),
        ('{"a": "\\ud800"}', "t.json:1: a: must not hold half of a surrogate pair"),
        ('{"a": {"b c": 1,\n"b c": 2}}', "t.json:2: a.'b c': is given twice, first at line 1"),
        ("[1]", "t.json:1: must be a mapping at its top"),
        ("[" * 100_000, "t.json:1: must be nested at most 32 levels deep"),
        ('{"' * 1000 + '"' + '\\"' * 400_000, "t.json:1: must be nested at most 32 levels deep"),
        ("", "t.json: is empty"),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_a_sentence(text: str, problem: str) -> None:
    assert problems_in(text, "t.json") == [problem]


def test_of_very_many_mistakes_only_the_first_are_told() -> None:
    text = "task_name: t\n" + "".join(f"key{n}: 1\n" for n in range(1000))
    problems = problems_in(text)
    assert len(problems) == 51
    assert problems[-1] == "and 950 more"


def file_problems(path: Path) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load_task(path)
    return raised.value.problems


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert file_problems(path) == [f"{path}: there is no such file"]


def test_a_directory_is_a_sentence(tmp_path: Path) -> None:
    assert file_problems(tmp_path) == [f"{tmp_path}: must be a file, not a directory"]


def test_a_path_below_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "task.yaml"
    assert file_problems(path) == [f"{path}: cannot be read: Not a directory"]


def test_bytes_that_are_no_utf_8_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"task_name: t\ndescription: \xff\n")
    assert file_problems(path) == [f"{path}:2: must be UTF-8 text"]


def test_a_file_past_the_size_limit_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    assert file_problems(path) == [f"{path}: must be at most 1 MiB"]


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_bytes(b'\xef\xbb\xbf{"task_name": "t"}')
    assert load_task(path).task_name == "t"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"ttft": {"threshold": -1}}, "body: ttft.threshold: must be above 0, got -1"),
        (
            {},
            "body: holds no SLO: give at least one of latency, ttft, tpot, queue, throughput, error_rate, goodput",
        ),
        (5, "body: must be a mapping, got 5"),
        (
            {"ttft": {"threshold": float("nan")}},
            "body: ttft.threshold: must be a finite number, got NaN",
        ),
    ],
)
def test_a_body_is_refused_without_lines(data: object, problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        validate(SloSpec, data)
    assert raised.value.problems == [problem]


class ServiceSettings(BaseModel):
    """A model whose secrets lie one level down, as those of the service's own file do."""

    model_config = ConfigDict(extra="forbid")

    port: int = 1
    prometheus: PrometheusSettings | None = None


class Token(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    token: SecretStr

    @field_validator("token")
    @classmethod
    def _is_short(cls, token: SecretStr) -> SecretStr:
        if len(token.get_secret_value()) > 4:
            raise ValueError("must be short")
        return token


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Token, "token: hunter2"),
        (Token, "token: [hunter2]"),
        (Token, "token: {hunter2: hunter2}"),
        (Token, "token: !hunter2"),
        (Token, "token: !hunter2!x y"),
        (Token, "token: *hunter2"),
        (ServiceSettings, "prometheus: {bearer_token: [hunter2]}"),
        (ServiceSettings, "prometheus: {basic_auth: {username: u, password: [hunter2]}}"),
        (ServiceSettings, "prometheus: hunter2"),
    ],
)
def test_a_model_with_secrets_never_has_its_values_quoted(
    model: type[BaseModel], text: str
) -> None:
    with pytest.raises(SpecError) as raised:
        parse_model(model, text, "service.yaml")
    assert "hunter2" not in str(raised.value)
    assert "service.yaml:1" in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_any_model_is_read_from_a_file_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    path.write_text("port: 5\nprometheus:\n  urll: x\n", encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        load_model(ServiceSettings, path)
    assert raised.value.problems == [
        f"{path}:3: prometheus.urll: is not a known key; did you mean url?"
    ]
