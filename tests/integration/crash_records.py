"""What a service answered of an experiment, and what it must therefore answer after it was killed."""

from dataclasses import dataclass
from typing import Any

import orjson
from tests.integration.service import EXPERIMENTS, Answer, Api, Json

OUTCOMES = {"scored", "failed", "no_data"}
REASON = "not needed any more"


@dataclass
class Record:
    """An experiment: its registration, its document as it was answered last, and its final score.

    ``pending`` is what was sent and not answered: an operation, and the name of its phase.
    """

    body: Json
    document: Json | None = None
    pending: tuple[str, str | None] | None = None
    final: str | None = None

    @property
    def name(self) -> str:
        return str(self.body["id"])

    @property
    def answered(self) -> Json:
        """The document, which there is."""
        assert self.document is not None
        return self.document

    @property
    def path(self) -> str:
        return f"{EXPERIMENTS}/{self.name}"

    def check(self, found: Json | None) -> None:
        """What was answered is there, and of what was not all or nothing; that is known from now on."""
        assert found in self._possible(found or {}), (self, found)
        if found is not None and found["state"] in {"settling", *OUTCOMES}:
            assert found["end"] is not None, (self, found)
        if self.final is not None:
            assert found is not None
            assert found["state"] in OUTCOMES, (self, found)
            assert found["score"] == orjson.loads(self.final)["score"]
        self.document, self.pending = found, None

    def _possible(self, found: Json) -> list[Json | None]:
        documents = [self.document]
        if self.pending == ("register", None):
            documents.append(_registered(self.body, found))
        elif self.pending is not None:
            documents.append(_changed(self.document, *self.pending, found))
        if found.get("state") in OUTCOMES:
            settling = [one for one in documents if one and one["state"] == "settling"]
            documents += [_settled(one, found) for one in settling]
        return documents


def _registered(body: Json, found: Json) -> Json:
    """A document as it is after this registration; what only the service knows is as ``found``."""
    names = {"id": body["id"], "task": body["task"]["task_name"], "state": "running"}
    objective = {"objective": body["task"]["optimization"]["objective"]}
    times = {"start": found.get("start"), "created_at": found.get("created_at")}
    unset: Json = {"end": None, "score": None, "reason": None, "phases": []}
    return {**names, **objective, **times, **unset, "updated_at": times["created_at"]}


def _changed(document: Json, operation: str, phase: str | None, found: Json) -> Json:
    """The document after the operation, whose times are as ``found``."""
    after: dict[str, Any] = {**document, "updated_at": found.get("updated_at")}
    phases = found.get("phases") or [{"start": None, "end": None}]
    if operation == "finish":
        after |= {"state": "settling", "end": found.get("end")}
        after["phases"] = _ended(document["phases"], found.get("end"))
    elif operation == "abort":
        after |= {"state": "aborted", "reason": REASON}
    elif operation == "start":
        begun = phases[-1]["start"]
        new = {"name": phase, "start": begun, "end": None}
        after["phases"] = [*_ended(document["phases"], begun), new]
    else:
        after["phases"] = _ended(document["phases"], phases[-1]["end"])
    return after


def _settled(document: Json, found: Json) -> Json:
    """The document after its final score, which is as ``found``."""
    return {**document, **{key: found[key] for key in ("state", "score", "updated_at")}}


def _ended(phases: Json, end: str | None) -> Json:
    if not phases or phases[-1]["end"] is not None:
        return phases
    return [*phases[:-1], {**phases[-1], "end": end}]


async def all_documents(api: Api) -> dict[str, Json]:
    """Every experiment that the list holds; it holds each once."""
    found: list[Json] = []
    more = ""
    while True:
        page = (await api.get(f"{EXPERIMENTS}?limit=1000{more}")).json
        found += page["experiments"]
        if page["next_cursor"] is None:
            break
        more = f"&cursor={page['next_cursor']}"
    documents = {one["id"]: one for one in found}
    assert len(documents) == len(found)
    return documents


def ok(answer: Answer, *more: int) -> Json:
    """The document of an answer that is no problem."""
    assert answer.status in {200, *more}, answer
    return answer.json
