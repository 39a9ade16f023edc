"""``sloscore import``: what of OpenSLO and Keptn comes over, what is left out, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.command import Ended, sloscore

BUCKET = 'sum(rate({name}_bucket{{{labels}le="{le}"}}[5m]))'
COUNT = "sum(rate({name}_count{{{labels}}}[5m]))"
QUANTILE = "histogram_quantile({q}, sum by (le) (rate({name}_bucket{{{labels}}}[5m])))"
LATENCY = "vllm:e2e_request_latency_seconds"


def source(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def ratio(le: str = "5", name: str = LATENCY, labels: str = 'job="a",') -> dict[str, Any]:
    good = source(BUCKET.format(name=name, labels=labels, le=le))
    total = source(COUNT.format(name=name, labels=labels))
    return {"ratioMetric": {"counter": True, "good": good, "total": total}}


def quantile(q: float, name: str = LATENCY, labels: str = 'job="a"') -> dict[str, Any]:
    return {"thresholdMetric": source(QUANTILE.format(q=q, name=name, labels=labels))}


def slo(indicator: dict[str, Any], *objectives: dict[str, Any], **more: object) -> dict[str, Any]:
    spec = {"service": "chat", "indicator": {"spec": indicator}, "objectives": list(objectives)}
    head = {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "first"}}
    return {**head, "spec": {**spec, **more}}


def keptn(*objectives: dict[str, Any]) -> dict[str, Any]:
    return {"spec_version": "1.0", "objectives": list(objectives)}


def criteria(*texts: str) -> list[dict[str, Any]]:
    return [{"criteria": list(texts)}]


class Files:
    """Files of one test, and the command on them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.given: list[str] = []

    def add(self, *documents: object, name: str = "slo.yaml") -> "Files":
        path = self.place / name
        path.write_text(
            yaml.safe_dump_all(documents, sort_keys=False, width=1000), encoding="utf-8"
        )
        self.given.append(str(path))
        return self

    def run(self, *options: str) -> Ended:
        return sloscore("import", *self.given, *options)

    def task(self, *options: str, code: int = 0) -> tuple[dict[str, Any], list[str]]:
        """The task, which ``sloscore check`` accepts, and what was left out without its file."""
        out = self.place / "task.yaml"
        ended = self.run("--output", str(out), *options)
        assert (ended.code, ended.out) == (code, ""), ended.err
        checked = sloscore("check", str(out))
        assert checked.code == 0, checked.err
        left = [line.removeprefix(f"{self.given[0]}:") for line in ended.err.splitlines()]
        return yaml.safe_load(out.read_text("utf-8")), left


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_share_of_requests_within_a_bound_is_a_percentile(files: Files) -> None:
    objectives = {"target": 0.999, "compositeWeight": 2}, {"targetPercent": 90}
    task, _ = files.add(slo(ratio("2.5"), *objectives)).task()
    limits = {"p90": {"threshold": 2.5}, "p99.9": {"threshold": 2.5, "weight": 2.0}}
    assert task["slo"] == {"latency": limits}
    assert (task["task_name"], task["selector"]) == ("chat", {"job": "a"})


def test_a_quantile_with_a_value_is_a_limit_on_it(files: Files) -> None:
    task, left = files.add(slo(quantile(0.5), {"op": "lt", "value": 3})).task(code=10)
    assert task["slo"] == {"latency": {"p50": {"threshold": 3.0}}}
    assert len(left) == 2
    assert left[0].endswith("spec.objectives[0].op: a value at the limit meets it: lte was taken")


def test_an_sli_in_another_file_is_followed_by_its_name(files: Files) -> None:
    referring = slo({}, {"target": 0.9})
    referring["spec"]["indicatorRef"] = "fast"
    del referring["spec"]["indicator"]
    head = {"apiVersion": "openslo/v1", "kind": "SLI", "metadata": {"name": "fast"}}
    files.add(referring).add({**head, "spec": ratio("1")}, name="sli.yaml")
    task, _ = files.task()
    assert task["slo"] == {"latency": {"p90": {"threshold": 1.0}}}


@pytest.mark.parametrize(
    ("name", "signal", "unit", "le", "threshold"),
    [
        ("my_request_duration_seconds", "latency", "s", "5", 5.0),
        ("my_ttft_milliseconds", "ttft", "ms", "250", 0.25),
    ],
)
def test_a_metric_of_no_preset_is_written_into_the_task(
    files: Files, name: str, signal: str, unit: str, le: str, threshold: float
) -> None:
    task, _ = files.add(slo(ratio(le, name), {"target": 0.9})).task()
    assert task["metrics"] == {signal: {"names": [name], "unit": unit}}
    assert task["slo"] == {signal: {"p90": {"threshold": threshold}}}
    assert task["optimization"] == {"objective": f"minimize_{signal}"}


def test_a_metric_that_one_preset_has_names_the_server(files: Files) -> None:
    name = "sglang:e2e_request_latency_seconds"
    task, _ = files.add(slo(ratio("5", name), {"target": 0.9})).task()
    assert task["server"] == "sglang"
    assert "metrics" not in task


def test_labels_that_not_all_queries_have_are_left_out(files: Files) -> None:
    one = slo(ratio("5", labels='job="a",pod="x",'), {"target": 0.9})
    two = slo(quantile(0.5), {"op": "lte", "value": 3})
    task, left = files.add(one, two).task(code=10)
    assert task["selector"] == {"job": "a"}
    assert "not all queries select pod='x'" in left[0]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (slo(ratio(), {"target": 0.9999}), "0.9999 is no percentile of a limit"),
        (slo(ratio("5|6"), {"target": 0.9}), "has the bound le='5|6', which is no number"),
        (slo(ratio(name="lab_size_bytes"), {"target": 0.9}), "of which neither presets nor words"),
        (slo(ratio(name="lab_latency"), {"target": 0.9}), "does not end in a unit"),
        (slo(quantile(0.9), {"op": "gte", "value": 1}), "op is lte or lt, not gte"),
        (slo({"thresholdMetric": source("up")}, {"op": "lte", "value": 1}), "selects no metric"),
        (
            slo({"ratioMetric": {"raw": source("x[5m]")}}, {"target": 0.9}),
            "its ratio is of bad or raw figures",
        ),
    ],
)  # fmt: skip
def test_an_objective_without_an_equivalent_is_named_with_its_reason(
    files: Files, document: dict[str, Any], reason: str
) -> None:
    alone = files.add(document).run()
    assert (alone.code, alone.out) == (1, "")
    files.given.clear()
    # Beside one that has an equivalent it is left out.
    _, left = files.add(document, slo(quantile(0.75), {"op": "lte", "value": 2})).task(code=10)
    (line,) = (one for one in left if reason in one)
    assert line.split(": ")[1] == "spec.objectives[0]"
    assert line.split(":")[0].isdigit()


def test_every_field_that_is_not_carried_over_is_named_with_its_line(files: Files) -> None:
    more = {"timeWindow": [{"duration": "1w"}], "alertPolicies": [], "nonsense": {"deep": 1}}
    document = slo(ratio(), {"target": 0.9, "timeSliceWindow": "1m"}, **more)
    document["metadata"]["labels"] = {"team": "a"}
    _, left = files.add(document).task(code=10)
    text = Path(files.given[0]).read_text("utf-8").splitlines()
    named = {}
    for line in left[:-1]:
        number, field, _ = line.split(": ", 2)
        named[field] = text[int(number) - 1].strip().removeprefix("- ").partition(":")[0]
    assert named == {
        "metadata.labels": "labels",
        "spec.timeWindow": "timeWindow",
        "spec.alertPolicies": "alertPolicies",
        "spec.nonsense": "nonsense",
        "spec.objectives[0].timeSliceWindow": "timeSliceWindow",
    }


def test_keptn_queries_tell_signal_unit_and_labels(files: Files) -> None:
    objective = {"sli": "speed", "pass": criteria("<=0.4"), "weight": 3}
    document = {**keptn(objective), "filter": {"service": "chat"}}
    query = QUANTILE.format(q=0.9, name="my_ttft_seconds", labels='job="$SERVICE"')
    indicators = {"spec_version": "1.0", "indicators": {"speed": query}}
    task, _ = files.add(document).add(indicators, name="sli.yaml").task()
    assert task["selector"] == {"job": "chat"}
    assert task["slo"] == {"ttft": {"p90": {"threshold": 0.4, "weight": 3.0}}}


def test_of_keptn_criteria_together_the_lowest_and_of_alternatives_the_highest_counts(
    files: Files,
) -> None:
    passes = [*criteria("<=600", "<=500"), *criteria("<=300"), *criteria("<=+5%")]
    task, left = files.add(keptn({"sli": "latency_p90", "pass": passes})).task(
        "--unit", "ms", code=10
    )
    assert task["slo"] == {"latency": {"p90": {"threshold": 0.5}}}
    assert "objectives[0].pass[2].criteria[0]: <=+5% is relative" in left[0]


@pytest.mark.parametrize(("warning", "ratio"), [(criteria("<=900"), 0.5), (None, 0.0)])
def test_a_key_sli_fails_hard_past_its_warning(files: Files, warning: object, ratio: float) -> None:
    objective = {"sli": "latency_p90", "pass": criteria("<=600"), "key_sli": True}
    if warning is not None:
        objective["warning"] = warning
    task, _ = files.add(keptn(objective)).task("--unit", "ms")
    limit = {"threshold": 0.6, "hard_fail": True, "fail_ratio": ratio}
    assert task["slo"] == {"latency": {"p90": limit}}


def test_a_unit_is_not_guessed(files: Files) -> None:
    ended = files.add(keptn({"sli": "latency_p90", "pass": criteria("<=600")})).run()
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(
        f"sloscore: {files.given[0]}:4: objectives[0].pass: criteria have no unit"
    )


@pytest.mark.parametrize(
    ("document", "line", "problem"),
    [
        ({"apiVersion": "openslo/v2alpha"}, 1, "apiVersion: must be openslo/v1"),
        ({"apiVersion": "openslo/v1", "kind": "SLO"}, 1, "metadata.name: is required"),
        ({"kind": "SLO"}, 1, "must have apiVersion (OpenSLO) or spec_version (Keptn)"),
        ({"spec_version": "9"}, 1, "spec_version: must be 1.0"),
        (keptn({"sli": "latency_p90", "pass": criteria("fast")}), 6, "objectives[0].pass[0].criteria[0]: must be a criterion"),
        (keptn({"sli": "latency_p90", "pass": "fast"}), 4, "objectives[0].pass: must be a list"),
        (slo(quantile(0.9), {"op": "lte", "value": "x"}), 16, "spec.objectives[0].value: must be a number"),
        (slo(quantile(0.9), {"op": "lte"}), 15, "spec.objectives[0].value: is required"),
        ([1], 1, "must be a mapping at its top"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error_with_its_line(
    files: Files, document: object, line: int, problem: str
) -> None:
    ended = files.add(document).run("--unit", "ms")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"sloscore: {files.given[0]}:{line}: {problem}"), ended.err


def test_a_reference_to_nothing_is_an_error(files: Files) -> None:
    document = slo({}, {"target": 0.9}, indicatorRef="gone")
    del document["spec"]["indicator"]
    ended = files.add(document).run()
    assert ended.code == 1
    assert "spec.indicatorRef: no SLI document is named 'gone'" in ended.err


def test_both_formats_at_once_are_refused(files: Files) -> None:
    files.add(slo(ratio(), {"target": 0.9})).add(keptn(), name="other.yaml")
    ended = files.run()
    assert ended.code == 1
    assert "cannot be one task" in ended.err


def test_a_broken_file_is_an_error_with_its_line(files: Files) -> None:
    files.add({"spec_version": "1.0"})
    Path(files.given[0]).write_text("spec_version: '1.0'\nobjectives: [\n", encoding="utf-8")
    ended = files.run()
    assert ended.code == 1
    assert "slo.yaml:3:1: is not valid YAML" in ended.err
