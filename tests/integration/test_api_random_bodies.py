"""Whatever JSON and whatever parameters are sent: a bad request is the client's mistake."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from json import dumps
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.integration.service import (
    EXPERIMENTS,
    PROBLEM,
    Answer,
    Api,
    Json,
    serving,
    settings,
    task_of,
)

from sloscore.simulate.prometheus import PrometheusProcess

pytestmark = pytest.mark.prometheus

Ask = Callable[[Callable[[Api], Coroutine[None, None, Answer]]], Answer]

TASK = task_of(selector={"instance": "x"})
PAST = {"selector": {"a": "b"}, "server": "vllm", "window": {"start": 1e9, "end": 1e9 + 60}}
VALID = {
    EXPERIMENTS: {"id": "one", "task": TASK, "selector": {"a": "b"}, "start": None},
    f"{EXPERIMENTS}/one/finish": {"end": None, "base_score": 1.0},
    f"{EXPERIMENTS}/one/abort": {"reason": "none"},
    f"{EXPERIMENTS}/one/phases": {"name": "c=8", "start": None},
    f"{EXPERIMENTS}/one/phases/end": {"name": "c=8", "end": None},
    "/api/v1/score": {"slo": TASK["slo"], "values": {"latency_p90": 5.5}, "base_score": 3.0},
    "/api/v1/check": {"task": TASK},
    "/api/v1/check?": {"text": dumps(TASK), "name": "task.json"},
    "/api/v1/curves": {"slo": TASK["slo"]},
    "/api/v1/rules": {"task": TASK, "window": "5m", "interval": 30, "assume_bound": False},
    "/api/v1/rescore": {"task": "chat", "set": {"latency.p90.threshold": 4.0}, "limit": 10},
    "/api/v1/score?": {"slo": TASK["slo"], "objective": "minimize_latency", **PAST},
}
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["Infinity", "nan", "vllm", "p90", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.9999-12:00"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, -1, 1e308, 5e-324, 2**64, 10**40])
    | TEXTS
)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, Json]:
    """A path, and a body that is right for it but for a part or two."""
    path = draw(st.sampled_from(sorted(VALID)))
    body = VALID[path]
    for _ in range(draw(st.integers(1, 2))):
        body = draw(changed(body))
    return path, body


@st.composite
def changed(draw: st.DrawFn, body: Json) -> Json:
    if not isinstance(body, dict) or not body or draw(st.integers(0, 9)) == 0:
        return draw(ANY)
    key = draw(st.sampled_from(sorted(body)))
    match draw(st.integers(0, 5)):
        case 0:
            return {name: value for name, value in body.items() if name != key}
        case 1:
            return {**body, draw(TEXTS): draw(ANY)}
        case _:
            return {**body, key: draw(changed(body[key]))}


@pytest.fixture(scope="module")
def ask(prometheus: PrometheusProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks a service that serves all examples of this module."""
    place = tmp_path_factory.mktemp("service")
    given_settings = settings(place, prometheus.url, limits={"max_wait": "1ms"})
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        api = runner.run(stack.enter_async_context(serving(given_settings)))
        runner.run(api.register("one", TASK))
        yield lambda request: runner.run(request(api))
        runner.run(stack.aclose())


def check_blame(answer: Answer) -> None:
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert answer.type == PROBLEM
        assert answer.json["status"] == answer.status
        assert answer.json["detail"].strip()


@examples(max_examples=150, deadline=None)
@given(request=bodies())
def test_a_body_that_is_wrong_somewhere_never_breaks_the_service(
    ask: Ask, request: tuple[str, Json]
) -> None:
    path, body = request
    check_blame(ask(lambda api: api.post(path, body)))


@examples(max_examples=50, deadline=None)
@given(path=st.sampled_from(sorted(VALID)), body=ANY)
def test_a_body_that_is_any_json_never_breaks_the_service(ask: Ask, path: str, body: Json) -> None:
    check_blame(ask(lambda api: api.post(path, body)))


@examples(max_examples=50, deadline=None)
@given(
    path=st.sampled_from([EXPERIMENTS, f"{EXPERIMENTS}/one", f"{EXPERIMENTS}/one/score"]),
    name=st.sampled_from(["limit", "cursor", "state", "task", "wait"]) | st.text(max_size=4),
    value=TEXTS | LEAVES.map(str) | st.text("0123456789", max_size=40),
)
def test_a_parameter_that_is_any_text_never_breaks_the_service(
    ask: Ask, path: str, name: str, value: str
) -> None:
    query = f"{quote(name, safe='')}={quote(value, safe='')}"
    check_blame(ask(lambda api: api.get(f"{path}?{query}")))


@examples(max_examples=50, deadline=None)
@given(
    path=st.sampled_from([f"{EXPERIMENTS}/{{}}", f"{EXPERIMENTS}/{{}}/score", "/api/v1/tasks/{}"]),
    name=st.binary(min_size=1, max_size=8),
)
def test_a_name_that_is_any_bytes_never_breaks_the_service(
    ask: Ask, path: str, name: bytes
) -> None:
    check_blame(ask(lambda api: api.get(path.format(quote(name, safe="")))))
