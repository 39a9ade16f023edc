"""Several services on one PostgreSQL: any of them answers, one evaluates, and some of them die."""

import asyncio
import contextlib
import itertools
import os
import re
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.cli.command import Process
from tests.integration.postgres import PASSWORD, Postgres
from tests.integration.processes import kill, started
from tests.integration.service import (
    EXPERIMENTS,
    Api,
    Deployments,
    Json,
    has_requests,
    requests_between,
    serving,
    settings,
    task_of,
    until,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus
pytest_plugins = ["tests.integration.service_fixtures", "tests.integration.store_fixtures"]

# How many experiments run while services die: 300 for a whole deployment.
MANY = int(os.environ.get("SLOSCORE_TEST_REPLICATED", "30"))
INTERVAL = 4.0
# Nobody reads the logs of these processes, which a full pipe would stop.
ENVIRONMENT = {"SLOSCORE_STORE_PASSWORD": PASSWORD, "SLOSCORE_LOG_LEVEL": "error"}
# What the services themselves write of their evaluations, kept for good.
KEEP = """
CREATE TABLE evaluations (experiment text, holder bigint, evaluated_at double precision);
CREATE TABLE outcomes (experiment text, holder bigint);
CREATE FUNCTION keep_evaluation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO evaluations SELECT NEW.experiment, holder,
    extract(epoch FROM (NEW.report::json->>'evaluated_at')::timestamptz)
    FROM experiments WHERE id = NEW.experiment;
  RETURN NULL;
END $$;
CREATE FUNCTION keep_outcome() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO outcomes VALUES (NEW.id, NEW.holder);
  RETURN NULL;
END $$;
CREATE TRIGGER evaluation AFTER INSERT OR UPDATE ON live_reports
  FOR EACH ROW EXECUTE FUNCTION keep_evaluation();
CREATE TRIGGER outcome AFTER UPDATE OF report ON experiments
  FOR EACH ROW EXECUTE FUNCTION keep_outcome();
"""


@contextlib.asynccontextmanager
async def two_services(
    place: Path, url: str, prometheus: PrometheusProcess
) -> AsyncIterator[tuple[Api, Api]]:
    """Two services on one database, in this process."""
    store = {"url": url, "password": PASSWORD}
    given = settings(place, prometheus.url, store=store)
    async with serving(given) as one, serving(given) as other:
        yield one, other


def state_of(process: Process) -> str:
    """The letter of Linux for what a process does: T where it is stopped."""
    status = Path(f"/proc/{process.pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0]


def gauges(metrics: str, name: str) -> list[str]:
    return re.findall(rf"^{name}{{(.*?)}}", metrics, re.MULTILINE)


async def test_any_service_answers_for_what_another_one_evaluates(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    async with two_services(tmp_path, postgres.new_database(), prometheus) as (one, other):
        await one.register("chat-1", task_of(), selector=selector)
        assert (await other.register("chat-1", task_of(), selector=selector)).status == 200
        running = await other.score_until("chat-1", has_requests(5))
        assert running["status"] == "RUNNING"
        counts = (await other.get(f"{EXPERIMENTS}/chat-1/counts")).json
        assert counts["window"]["requests"] >= 5
        assert "chat-1" in (await other.get("/")).text
        phases = f"{EXPERIMENTS}/chat-1/phases"
        assert (await other.post(phases, {"name": "warm"})).status == 200
        await one.score_until("chat-1", lambda report: bool(report["phases"]))
        waiting = [asyncio.create_task(api.final("chat-1")) for api in (one, other)]
        assert (await other.finish("chat-1")).json["state"] == "settling"
        final, same = await asyncio.gather(*waiting)
        assert final == same == await other.score("chat-1")
        assert final["status"] == "SUCCESS"
        log = requests_between(deployments.quick, final["window"])
        assert final["window"]["requests"] == len(log)


async def test_what_is_aborted_at_another_service_is_not_evaluated_any_more(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    async with two_services(tmp_path, postgres.new_database(), prometheus) as (one, other):
        selector = {"instance": deployments.quick.address}
        await one.register("chat-1", task_of(), selector=selector)
        await one.score_until("chat-1", has_requests(1))
        assert (await other.abort("chat-1", reason="not needed")).status == 200

        async def shown() -> list[str]:
            return gauges((await one.get("/metrics")).text, "sloscore_experiment_live")

        await until(shown, lambda series: not series)
        assert (await one.score("chat-1"))["reason"] == "Experiment aborted: not needed"


async def test_each_gauge_is_exported_by_one_service(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    async with two_services(tmp_path, postgres.new_database(), prometheus) as apis:
        for number, api in enumerate(apis):
            await api.register(f"chat-{number}", task_of(), selector=selector)
            await api.score_until(f"chat-{number}", has_requests(1))
        await apis[1].finish("chat-0")
        await apis[0].final("chat-0")
        pages = [(await api.get("/metrics")).text for api in apis]
    held = [gauges(page, "sloscore_experiment_live") for page in pages]
    assert [("chat-0" in one[0], len(one)) for one in held] == [(True, 1), (False, 1)]
    of_all = [gauges(page, "sloscore_task_experiments") for page in pages]
    assert [len(one) > 0 for one in of_all] == [True, False]
    by_state = [gauges(page, "sloscore_experiments") for page in pages]
    assert [len(one) > 0 for one in by_state] == [True, False]


async def test_a_service_that_stops_hands_its_experiments_on(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    selector = {"instance": deployments.quick.address}
    store = {"url": postgres.new_database(), "password": PASSWORD}
    given = settings(tmp_path, prometheus.url, store=store)
    async with serving(given) as other:
        async with serving(given) as one:
            for name in ("runs", "ended"):
                await one.register(name, task_of(), selector=selector)
            await one.score_until("runs", has_requests(5))
            await one.finish("ended")
            await one.final("ended")

        async def shown() -> set[str]:
            page = (await other.get("/metrics")).text
            return set(gauges(page, "sloscore_experiment_live"))

        await until(shown, lambda series: len(series) == 2)
        await other.finish("runs")
        final = await other.final("runs")
        log = requests_between(deployments.quick, final["window"])
        assert final["window"]["requests"] == len(log) >= 5


async def test_services_whose_leases_are_gone_join_again_and_lose_nothing(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    selector = {"instance": deployments.quick.address}
    names = [f"chat-{number}" for number in range(6)]
    async with two_services(tmp_path, url, prometheus) as apis:
        for position, name in enumerate(names):
            await apis[position % 2].register(name, task_of(), selector=selector)
        for name in names:
            await apis[0].score_until(name, has_requests(1))
        waiting = [asyncio.create_task(api.final(name)) for api in apis for name in names]
        # As after a pause, or a time without the database, that was longer than the leases.
        before = postgres.psql("DELETE FROM replicas RETURNING number", database).splitlines()
        orphans = "SELECT id FROM experiments WHERE holder NOT IN (SELECT number FROM replicas)"

        async def rows(statement: str) -> list[str]:
            return (await asyncio.to_thread(postgres.psql, statement, database)).splitlines()

        joined = await until(
            lambda: rows("SELECT number FROM replicas"), lambda numbers: len(numbers) == 2
        )
        await until(lambda: rows(orphans), lambda names: not names)
        assert min(map(int, joined)) > max(map(int, before))
        for name in names:
            await apis[0].finish(name)
        reports = await asyncio.gather(*waiting)
        pages = [(await api.get("/metrics")).text for api in apis]
    check_reports(reports, deployments)
    shown = [series for page in pages for series in gauges(page, "sloscore_experiment_live")]
    assert len(shown) == len(set(shown)) == len(names)


async def test_a_database_that_breaks_all_connections_costs_no_score(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    selector = {"instance": deployments.quick.address}
    async with two_services(tmp_path, url, prometheus) as apis:
        await apis[0].register("chat-1", task_of(), selector=selector)
        await apis[1].score_until("chat-1", has_requests(1))
        waiting = asyncio.create_task(apis[1].final("chat-1"))
        await apis[1].finish("chat-1")
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        others = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        postgres.psql(f"{ending} {others}", database)
        check_reports([await waiting], deployments)


async def test_a_service_that_is_paused_while_it_writes_a_score_leaves_it_to_another(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres
) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    selector = {"instance": deployments.quick.address}

    async def ask(statement: str) -> list[str]:
        return (await asyncio.to_thread(postgres.psql, statement, database)).splitlines()

    async with contextlib.AsyncExitStack() as stack:
        (paused, one), (_, other) = [
            await stack.enter_async_context(
                started(url, prometheus.url, interval="1s", env=ENVIRONMENT)
            )
            for _ in range(2)
        ]
        await ask(KEEP)
        await one.register("chat-1", task_of(), selector=selector)
        await one.score_until("chat-1", has_requests(1))
        locking = await asyncpg.connect(url, password=PASSWORD)
        stack.push_async_callback(locking.close)
        await one.finish("chat-1")
        async with locking.transaction():
            await locking.execute("SELECT FROM experiments FOR UPDATE")
            writing = """SELECT pid FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE experiments%'"""
            await until(lambda: ask(writing), bool)
            paused.send(signal.SIGSTOP)
            await until(lambda: asyncio.to_thread(state_of, paused), lambda letter: letter == "T")
        # The score is written now, in a transaction that nobody ends.
        final = await other.final("chat-1")
        [left] = await ask("SELECT number FROM replicas")
        paused.send(signal.SIGCONT)
        await until(lambda: ask("SELECT number FROM replicas"), lambda rows: len(rows) == 2)
        assert await one.final("chat-1") == final
        assert await ask("SELECT * FROM outcomes") == [f"chat-1|{left}"]
    check_reports([final], deployments)


@pytest.mark.timeout(120 + MANY)
async def test_no_score_is_lost_or_written_twice_when_one_is_killed_and_one_is_paused(
    deployments: Deployments, prometheus: PrometheusProcess, postgres: Postgres
) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    selector = {"instance": deployments.quick.address}
    names = [f"chat-{number}" for number in range(MANY)]

    async def ask(statement: str) -> list[str]:
        return (await asyncio.to_thread(postgres.psql, statement, database)).splitlines()

    async with contextlib.AsyncExitStack() as stack:
        services = [
            await stack.enter_async_context(
                started(url, prometheus.url, interval=f"{INTERVAL:g}s", env=ENVIRONMENT)
            )
            for _ in range(3)
        ]
        (killed, _), (paused, paused_api), (_, api) = services
        await ask(KEEP)
        for position, name in enumerate(names):
            await services[position % 3][1].register(name, task_of(), selector=selector)
        every = "SELECT count(DISTINCT experiment) FROM evaluations"
        await until(lambda: ask(every), lambda rows: rows == [str(MANY)], INTERVAL * 10)
        # Those that it settles when it is paused it would score once it goes on.
        ending = names[1::6]
        await asyncio.gather(*(paused_api.finish(name) for name in ending))
        paused.send(signal.SIGSTOP)
        await kill(killed)
        holders = "SELECT DISTINCT holder FROM experiments WHERE state IN ('running', 'settling')"
        await until(lambda: ask(holders), lambda rows: len(rows) <= 1, INTERVAL * 10)
        [left] = await ask("SELECT number FROM replicas")
        again = f"{every} WHERE holder = {left}"
        running = MANY - len(ending)
        await until(lambda: ask(again), lambda rows: int(rows[0]) >= running, INTERVAL * 10)
        paused.send(signal.SIGCONT)
        await until(
            lambda: ask("SELECT number FROM replicas ORDER BY number"),
            lambda rows: len(rows) == 2,
        )
        for position, name in enumerate(names):
            await (api, paused_api)[position % 2].finish(name)
        reports = [await paused_api.final(name) for name in names]
        outcomes = await ask("SELECT experiment, holder FROM outcomes")
        rows = await ask("SELECT experiment, evaluated_at FROM evaluations ORDER BY 1, 2")
    check_reports(reports, deployments)
    holders_of = dict(row.split("|") for row in outcomes)
    assert Counter(row.split("|")[0] for row in outcomes) == Counter(names)
    assert {holders_of[name] for name in names if name not in ending} == {left}
    times: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        name, at = row.split("|")
        times[name].append(float(at))
    gaps = {n: max(b - a for a, b in itertools.pairwise(t)) for n, t in times.items() if t[1:]}
    assert max(gaps.values()) <= 2 * INTERVAL


def check_reports(reports: list[Json], deployments: Deployments) -> None:
    """Hold every final report against the server's own log, over all services that counted it."""
    for report in reports:
        assert report["status"] == "SUCCESS", report
        log = requests_between(deployments.quick, report["window"])
        assert report["window"]["requests"] == len(log) > 0
