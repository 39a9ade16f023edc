"""What can go wrong between a tuner and the service.

SLOClientError
|-- ServiceUnreachable          no answer after all retries
|-- ServiceFailed               an answer of 5xx after all retries
|-- RequestRefused              an answer of 4xx
|   |-- Unauthorized            401: the token is missing or wrong
|   |-- NotRegistered           404: no experiment of this id
|   |-- Conflict                409: contradicts what is recorded, or repeats what has ended
|   |-- InvalidRequest          400, 413, 415, 422: one sentence a mistake in ``errors``
|   `-- TooMany                 429: a limit of the service
|-- ResultTimeout               no final score in time; the experiment goes on
`-- ExperimentAborted           the experiment was called off, so it has no score
"""

__all__ = [
    "Conflict",
    "ExperimentAborted",
    "InvalidRequest",
    "NotRegistered",
    "RequestRefused",
    "ResultTimeout",
    "SLOClientError",
    "ServiceFailed",
    "ServiceUnreachable",
    "TooMany",
    "Unauthorized",
]


class SLOClientError(Exception):
    """Base of all errors that the client raises on purpose."""


class ServiceUnreachable(SLOClientError):  # noqa: N818  named for what happened, as the tree reads
    """The service did not answer, however often it was asked."""


class ServiceFailed(SLOClientError):  # noqa: N818  as above
    """The service answered that it failed, however often it was asked."""


class RequestRefused(SLOClientError):  # noqa: N818  as above
    """The service refuses what was asked; ``status`` is the HTTP status, ``errors`` its sentences."""

    def __init__(self, message: str, status: int, errors: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([message, *(e for e in errors if e != message)]))
        self.status = status
        self.errors = errors


class Unauthorized(RequestRefused):
    """The token is missing or wrong."""


class NotRegistered(RequestRefused):
    """No experiment of this id is registered, or nothing was counted for it."""


class Conflict(RequestRefused):
    """The request contradicts what is recorded, or starts an experiment that has ended."""


class InvalidRequest(RequestRefused):
    """The request holds mistakes, or more than the service takes."""


class TooMany(RequestRefused):
    """A limit of the service is reached."""


class ResultTimeout(SLOClientError):  # noqa: N818  as above
    """There was no final score in time; the experiment goes on."""


class ExperimentAborted(SLOClientError):  # noqa: N818  as above
    """The experiment was called off, so there is no score."""


_BY_STATUS: dict[int, type[RequestRefused]] = {
    401: Unauthorized,
    404: NotRegistered,
    409: Conflict,
    429: TooMany,
}


def refusal(status: int, message: str, errors: tuple[str, ...]) -> RequestRefused:
    """The error of an answer of 4xx."""
    kind = _BY_STATUS.get(status, InvalidRequest)
    return kind(message, status, errors)
