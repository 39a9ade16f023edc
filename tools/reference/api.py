"""docs/reference/api.md: each call of the HTTP API, and what it takes and answers."""

from collections.abc import Iterator
from typing import Final

from sloscore.api.auth import Access
from sloscore.api.openapi import openapi_document
from sloscore.settings import Settings
from tools.reference import spec
from tools.reference.markdown import page, table
from tools.reference.schemas import Schema, Schemas, default, limits

_PROBLEM: Final = "application/problem+json"


def make() -> str:
    """The page."""
    document = openapi_document()
    of_tasks = dict.fromkeys(spec.models(), "spec.md")
    schemas = Schemas(document["components"]["schemas"], of_tasks)
    calls = [
        (f"{m.upper()} {path}", call)
        for path, calls in document["paths"].items()
        for m, call in calls.items()
    ]
    bodies = [_schema(call["requestBody"]["content"]) for _, call in calls if "requestBody" in call]
    answers = [
        _schema(answer["content"]) for _, call in calls for answer in call["responses"].values()
    ]
    named = [one["$ref"].rpartition("/")[2] for one in [*bodies, *answers] if "$ref" in one]
    roles = _roles(document)
    return page(
        "HTTP API",
        "The service describes itself to programs at `/openapi.json`; this page is the same for people. "
        "[In any language](../http.md) has the calls as a script, and what to do about each error. "
        "Times are RFC 3339 in answers; requests may have Unix seconds, too.",
        "A role is needed where the service has tokens, for reading as "
        "[`auth.require_read`](../configuration.md#tokens) says; each role may do what those before it may: "
        "`read`, `write`, `admin`.",
        table(
            ("call", "role", "what it does"),
            [(f"[{name}](#{_anchor(name)})", roles[name], call["summary"]) for name, call in calls],
        ),
        *(_call(name, call, roles[name], schemas) for name, call in calls),
        *schemas.sections(named),
    )


def _roles(document: Schema) -> dict[str, str]:
    """The role that each call needs of a service that asks for one wherever it can."""
    auth = {"token": "a token of this page", "require_read": True}
    access = Access(Settings.model_validate({"auth": auth}))
    paths = document["paths"].items()
    changes_nothing = frozenset(
        path for path, calls in paths if "post" in calls and {} in calls["post"]["security"]
    )
    return {
        f"{method.upper()} {path}": str(
            access.role_needed(method.upper(), path, changes_nothing) or "none"
        )
        for path, calls in paths
        for method in calls
    }


def _call(name: str, call: Schema, role: str, schemas: Schemas) -> str:
    parts = [f"## `{name}`", f"{call['summary']}. Role: {role}."]
    rows = [
        (
            f"`{one['name']}`",
            one["in"],
            schemas.type(one["schema"]),
            default(one["schema"]),
            limits(one["schema"]),
            one.get("description", ""),
        )
        for one in call.get("parameters", ())
    ]
    if rows:
        parts.append(table(("parameter", "in", "type", "default", "limits", "what it is"), rows))
    if "requestBody" in call:
        body = call["requestBody"]
        optional = "" if body["required"] else ", which may be left out"
        parts.append(f"Body: {schemas.type(_schema(body['content']))}{optional}.")
    parts.append("\n".join(_answers(call, schemas)))
    return "\n\n".join(parts)


def _answers(call: Schema, schemas: Schemas) -> Iterator[str]:
    good = {code: one for code, one in call["responses"].items() if _PROBLEM not in one["content"]}
    for code, answer in good.items():
        (kind,) = answer["content"]
        told = schemas.type(_schema(answer["content"])) if kind.endswith("json") else f"`{kind}`"
        yield f"- {code}: {told}"
    if problems := [code for code in call["responses"] if code not in good]:
        yield f"- {', '.join(problems)}: [Problem](#problem)"


def _schema(content: Schema) -> Schema:
    (answer,) = content.values()
    schema: Schema = answer["schema"]
    return schema


def _anchor(name: str) -> str:
    """That of a heading, as GitHub and the site make it."""
    kept = "".join(sign for sign in name.lower() if sign.isalnum() or sign in "-_ ")
    return kept.replace(" ", "-")
