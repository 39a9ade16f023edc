"""Problems as pages, for who asks for a page."""

from functools import wraps

from aiohttp import web

from sloscore.api.page.layout import show_problem
from sloscore.api.problems import Handler, problems
from sloscore.wire import Problem


def for_people(handler: Handler) -> Handler:
    """The handler, with its problem documents as pages where the request takes HTML."""

    @wraps(handler)
    async def show(request: web.Request) -> web.StreamResponse:
        answer = await problems(request, handler)
        is_problem = answer.content_type == "application/problem+json"
        takes_html = "text/html" in request.headers.get("Accept", "")
        if not (is_problem and takes_html and isinstance(answer, web.Response)):
            return answer
        return show_problem(request, Problem.model_validate_json(answer.body))  # type: ignore[arg-type]  # always bytes

    return show
