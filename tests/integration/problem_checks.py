"""A check for Schemathesis: every error of the service is a problem that names what was wrong."""

from typing import Any

import schemathesis

from sloscore.wire import Problem

_NAMES = ("limit: ", "cursor: ", "state: ", "wait: ")


@schemathesis.check
def every_error_is_a_problem_that_names_its_field(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Fail where an error is told in another form, or a mistake of a body without its field."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    (content_type,) = response.headers["content-type"]
    assert content_type == "application/problem+json", content_type
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert problem.detail.strip()
    if problem.status == 422:
        assert problem.errors is not None
        assert problem.errors[0] == problem.detail
        is_of_query = ": unknown parameter; " in problem.detail or problem.detail.startswith(_NAMES)
        # The sentences on the text of a file begin with its own name and line.
        is_of_text = isinstance(case.body, dict) and case.body.get("text") is not None
        assert problem.fields or is_of_query or is_of_text, problem.detail
