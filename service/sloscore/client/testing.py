"""A service without measurements, for the tests of tuners: it answers the reports that it is told.

with FakeService() as fake:
fake.will_report("exp-1", score=2.5)
client = SLOClient(fake.url)
...
assert fake.states["exp-1"] == "finished"
"""

import json
import math
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = [
    "FakeService",
]

_PREFIX = "/api/v1/experiments"
_OUTCOME: Mapping[str, Any] = {
    "status": "SUCCESS",
    "slo_violation": False,
    "reason": None,
    "objective": "minimize_latency",
    "direction": "minimize",
    "base_score": 1.0,
    "penalty": 0.0,
    "penalty_multiplier": 1.0,
    "score": 1.0,
    "score_interval": None,
    "standard_error": None,
    "certain": True,
    "finite_score": 1.0,
    "log_score": 0.0,
    "constraints": {},
    "binding_constraint": None,
    "infeasibility_reason": None,
    "slis": [],
    "window": None,
    "phases": [],
    "scored_phase": None,
}
_FINAL_STATES = {"SUCCESS": "scored", "FAILED": "failed", "NO_DATA": "no_data"}
_CONTINUE = {"action": "continue", "reason": "Nothing speaks against it.", "confidence": None}
_STOP = {"action": "stop", "reason": "The experiment has ended.", "confidence": 1.0}


class FakeService:
    """Takes registrations, finishes and aborts on a loopback port, and answers with reports.

    ``states`` maps an experiment's id to ``running``, ``finished`` or ``aborted``; ``bodies`` holds
    the registrations, ``phases`` the names of each experiment's phases in order with ``running`` or
    ``ended``. ``with`` starts and stops it.
    """

    def __init__(self, token: str | None = None) -> None:
        """Refuse what does not carry ``token``, if one is given."""
        self.states: dict[str, str] = {}
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.phases: dict[str, dict[str, str]] = {}
        self._reports: dict[str, dict[str, Any]] = {}
        self._token = token
        self._changed = Condition()
        self._failures = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def will_report(self, experiment: str, **fields: Any) -> None:  # noqa: ANN401  fields of a report
        """Answer with these fields of a report (``score``, ``status``, ``decision``, ...).

        ``finite_score`` follows from a ``score`` that is told without one, ``log_score`` from it.
        """
        with self._changed:
            told = {**self._reports.get(experiment, {}), **_with_finite_scores(fields)}
            self._reports[experiment] = told

    def will_fail(self, times: int) -> None:
        """Answer the next requests with 503."""
        self._failures = times

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self._answer(json.loads(self.rfile.read(length) or b"{}"))

            def _answer(self, body: Mapping[str, Any] | None) -> None:
                given = self.headers.get("Authorization")
                status, document = service._respond(self.path, body, given)
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _respond(
        self, path: str, body: Mapping[str, Any] | None, authorization: str | None
    ) -> tuple[int, Mapping[str, Any]]:
        parts = urlsplit(path)
        with self._changed:
            if self._failures > 0:
                self._failures -= 1
                return _problem(503, "told to fail")
            wrong = self._token is not None and authorization != f"Bearer {self._token}"
            if wrong and body is not None:
                return _problem(401, "This needs a token of the service.")
            if parts.path == _PREFIX and body is not None:
                return self._register(body)
            experiment, _, verb = unquote(parts.path.removeprefix(f"{_PREFIX}/")).partition("/")
            if experiment not in self.states or verb == "counts":
                missing = "is not registered" if verb != "counts" else "has no counts in a fake"
                return _problem(404, f"experiment {experiment!r} {missing}")
            if verb == "score":
                wait = float(parse_qs(parts.query).get("wait", ["0"])[0])
                self._changed.wait_for(lambda: self.states[experiment] != "running", wait)
                return 200, self._report(experiment)
            return self._change(experiment, verb, body or {})

    def _change(
        self, experiment: str, verb: str, body: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, Any]]:
        if verb == "phases":
            return self._start_phase(experiment, body.get("name"))
        if verb == "phases/end":
            return self._end_phase(experiment, body.get("name"))
        return self._end(experiment, "finished" if verb == "finish" else "aborted")

    def _register(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        experiment = body["id"]
        if experiment not in self.bodies:
            self.bodies[experiment] = body
            self.states[experiment] = "running"
            self.phases[experiment] = {}
            return 201, {"id": experiment, "state": "running"}
        if self.bodies[experiment] != body:
            return _problem(409, f"experiment {experiment!r} is already registered")
        state = self.states[experiment]
        if state == "finished":
            state = _FINAL_STATES[self._report(experiment)["status"]]
        return 200, {"id": experiment, "state": state}

    def _end(self, experiment: str, state: str) -> tuple[int, Mapping[str, Any]]:
        if self.states[experiment] not in {"running", state}:
            return _problem(409, f"experiment {experiment!r} is {self.states[experiment]}")
        self.states[experiment] = state
        self._end_phases(experiment)
        self._changed.notify_all()
        return 200, {"id": experiment, "state": state}

    def _start_phase(self, experiment: str, name: Any) -> tuple[int, Mapping[str, Any]]:  # noqa: ANN401  JSON
        if not isinstance(name, str) or not name:
            return _problem(422, "body: name: is required")
        if self.states[experiment] != "running":
            return _problem(409, f"experiment {experiment!r} is {self.states[experiment]}")
        if self.phases[experiment].get(name) == "ended":
            return _problem(409, f"phase {name!r} has ended already")
        self._end_phases(experiment)
        self.phases[experiment][name] = "running"
        return 200, {"id": experiment, "state": "running"}

    def _end_phase(self, experiment: str, name: str | None) -> tuple[int, Mapping[str, Any]]:
        phases = self.phases[experiment]
        if name is not None and name not in phases:
            return _problem(409, f"experiment {experiment!r} has no phase {name!r} to end")
        if name is None or phases[name] == "running":
            self._end_phases(experiment)
        return 200, {"id": experiment, "state": self.states[experiment]}

    def _end_phases(self, experiment: str) -> None:
        self.phases[experiment] = dict.fromkeys(self.phases[experiment], "ended")

    def _report(self, experiment: str) -> Mapping[str, Any]:
        state = self.states[experiment]
        task = self.bodies[experiment]["task"]["task_name"]
        report = {**_OUTCOME, "experiment": experiment, "task": task}
        report |= {"decision": _CONTINUE if state == "running" else _STOP}
        report |= self._reports.get(experiment, {})
        if state == "running":
            report["status"] = "RUNNING"
        elif state == "aborted":
            report |= {"status": "NO_DATA", "score": None, "reason": "Experiment aborted"}
        return report


def _with_finite_scores(fields: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(fields)
    if "score" in told:
        finite = isinstance(told["score"], int | float) and math.isfinite(told["score"])
        told.setdefault("finite_score", told["score"] if finite else None)
    if "finite_score" in told:
        score = told["finite_score"]
        told.setdefault("log_score", math.log(score) if score is not None and score > 0 else None)
    return told


def _problem(status: int, detail: str) -> tuple[int, Mapping[str, Any]]:
    return status, {"title": "refused", "status": status, "detail": detail}
