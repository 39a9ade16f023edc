"""Numbers, durations, bucket bounds and names as generated rules have them."""

import re
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from sloscore.generate.bounds import spellings
from sloscore.generate.burn import BURN_RATES
from sloscore.generate.rules import Alert, Group, Recording
from sloscore.generate.text import Span, plain
from sloscore.generate.writing import Made, as_kubernetes, as_prometheus
from sloscore.settings_base import parse_duration

printable = st.text(min_size=1).filter(lambda text: text.isprintable() and text.strip() != "")
anything = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300.0, "5m"), (90.0, "1m30s"), (86400.0, "1d"), (0.5, "500ms"), (3661.001, "1h1m1s1ms")],
)
def test_a_span_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    assert Span(seconds).text == text


@given(st.integers(1, 10**12))
def test_a_span_reads_back_as_the_same_seconds(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(Span(seconds).text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 1.0005])
def test_a_span_of_parts_of_milliseconds_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="whole milliseconds"):
        Span(seconds)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_the_same_float(number: float) -> None:
    assert float(plain(number)) == number
    assert not plain(number).endswith(".0")


@pytest.mark.parametrize(
    ("bound", "texts"),
    [
        (5.0, {"5", "5.0"}),
        (0.5, {"0.5"}),
        (0.00015, {"0.00015"}),
        (0.00001, {"0.00001", "1e-05"}),
        (100000.0, {"100000", "100000.0"}),
        (1000000.0, {"1000000", "1000000.0", "1e+06"}),
        (2560000.0, {"2560000", "2560000.0", "2.56e+06"}),
        (0.0, {"0", "0.0"}),
    ],
)
def test_a_bound_has_the_spellings_of_go_and_python_exporters(
    bound: float, texts: set[str]
) -> None:
    assert set(spellings(bound)) == texts


@given(st.floats(min_value=0, max_value=1e9, allow_subnormal=False))
def test_a_bound_is_spelled_as_prometheus_client_and_prometheus_3_write_it(bound: float) -> None:
    found = spellings(bound)
    written = str(floatToGoString(bound))  # type: ignore[no-untyped-call]
    normalised = written if re.search(r"[.e]", written) else f"{written}.0"
    assert {written, normalised} <= set(found)
    assert {float(text) for text in found} == {bound}


def test_burn_rates_spend_what_the_workbook_says_of_a_budget_of_30_days() -> None:
    month = Decimal(30 * 86400)
    spent = [rate.factor * Decimal(rate.long.seconds) / month for rate in BURN_RATES]
    assert [f"{share * 100:.0f}%" for share in spent] == [rate.spent for rate in BURN_RATES]
    assert all(rate.long.seconds == 12 * rate.short.seconds for rate in BURN_RATES)


@given(printable, anything, anything)
def test_whatever_a_rule_holds_comes_back_from_yaml(task: str, value: str, text: str) -> None:
    labels, expr = {"task": task, "x": value}, 'up{a="b"}\nor\nvector(1)'
    rules = (
        Recording("a:b:c", expr, labels, "Comment."),
        Alert("A", expr, "5m", labels, {"summary": text}),
    )
    made = [Made(task, "f.yaml", "0" * 64, (Group(f"g-{task}", "30s", rules, (text,)),))]

    (group,) = yaml.safe_load(as_prometheus(made, ""))["groups"]
    *_, resource = yaml.safe_load_all(as_kubernetes(made, "", "n", {"k": "yes"}))

    assert group["name"] == f"g-{task}"
    assert group["rules"] == [
        {"record": "a:b:c", "expr": expr + "\n", "labels": labels},
        {"alert": "A", "expr": expr + "\n", "for": "5m", "labels": labels,
         "annotations": {"summary": text}},
    ]  # fmt: skip
    assert resource["spec"]["groups"] == [group]
    assert resource["metadata"]["labels"] == {"k": "yes"}
    assert re.fullmatch(
        r"sloscore-[a-z0-9-]{1,53}[a-z0-9]|sloscore-[a-z0-9]", resource["metadata"]["name"]
    )


def test_names_of_kubernetes_objects_differ_where_tasks_do() -> None:
    tasks = ["a b", "a-b", "A-b", "a.b", "ab-", "é", "ü", "x" * 100, "x" * 101]
    made = [Made(task, "f.yaml", "0" * 64, ()) for task in tasks]
    loaded = [one for one in yaml.safe_load_all(as_kubernetes(made, "", None, {})) if one]
    names = [one["metadata"]["name"] for one in loaded]
    assert len(set(names)) == len(tasks)
    assert names[1] == "sloscore-a-b"
    assert max(map(len, names)) <= 63
