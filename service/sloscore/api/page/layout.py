"""The frame of every page: its templates, its links and the headers that it is sent with."""

from functools import cache
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sloscore import __version__
from sloscore.api.page.cached import send_if_changed
from sloscore.api.page.figures import figure, moment
from sloscore.wire import Problem, format_time

if TYPE_CHECKING:
    from jinja2 import Environment

NAVIGATION: Final = (
    ("", "Experiments"),
    ("what-if", "What if"),
    ("new", "New task"),
    ("status", "Status"),
)
"""The pages that every page links to, by their path below the service's root."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def show_page(request: web.Request, template: str, **values: object) -> web.Response:
    """A page made of a template, which extends base.html; ``values`` are its variables."""
    text = render(request, template, **values)
    response = send_if_changed(request, text.encode(), "text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def show_problem(request: web.Request, problem: Problem) -> web.Response:
    """A problem as a page, with its status."""
    text = render(request, "problem.html", problem=problem)
    response = web.Response(text=text, content_type="text/html", status=problem.status)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def render(request: web.Request, template: str, **values: object) -> str:
    """The text of a template, with what every page is given."""
    given = {"root": root_of(request), "path": request.path[1:], "pages": NAVIGATION}
    return _templates().get_template(template).render(given | values)


def root_of(request: web.Request) -> str:
    """The way from a page to the service's root: a proxy may serve that under a prefix."""
    return "../" * (request.path.count("/") - 1) or "./"


@cache
def _templates() -> "Environment":
    # A service is ready sooner without it, and many never show a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("sloscore.api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = __version__
    environment.filters |= {"figure": figure, "iso": format_time, "moment": moment}
    return environment
