"""Selectors of what runs in Kubernetes, by the labels that scrapes there put on series."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NOT_OF_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def kubernetes_selector(
    namespace: str,
    *,
    pod: str | None = None,
    service: str | None = None,
    container: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The selector of a pod, of a Service's pods, or of all pods that carry some labels.

    ``namespace``, ``pod``, ``service`` and ``container`` are the labels of those names that the
    Prometheus operator sets (``service`` with a ServiceMonitor only). ``labels`` are labels of the
    pods that its ``podTargetLabels`` puts on their series: what is no letter, digit or underscore in
    a name is an underscore there. Values are asked for exactly.

    Raises ValueError for a name that Kubernetes would not take, for an empty value, and where nothing but
    a namespace or a container is named.
    """
    if pod is None and service is None and not labels:
        raise ValueError("name a pod, a service or labels: a namespace holds several deployments")
    named = {"namespace": namespace, "pod": pod, "service": service, "container": container}
    for kind, name in named.items():
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"{kind}: {name!r} is no name of an object in Kubernetes")
    for label, value in (labels or {}).items():
        if not value:
            raise ValueError(f"labels: {label} has no value, so its series have no such label")
    of_pods = {_NOT_OF_LABEL.sub("_", label): value for label, value in (labels or {}).items()}
    return of_pods | {kind: name for kind, name in named.items() if name is not None}
