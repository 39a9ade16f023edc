"""Parts of annotations: templates of Go that ask the engine for what an alert's value leaves out.

An engine fills them in for every alert at every evaluation, so each asks a single query. Label values
go in as quoted text: no name of a task can break a query.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sloscore import conventions as names

WHO: Final = "{{ $labels.sli }} of experiment {{ $labels.experiment }} (task {{ $labels.task }})"
# How a value is shown, by the end of its gauge's name.
_SHOWN: Final[Mapping[str, str]] = {
    "seconds": "humanizeDuration",
    "tokens_per_second": 'printf "%.4g tokens/s"',
    "tokens_per_second_per_gpu": 'printf "%.4g tokens/s/GPU"',
    "requests_per_second": 'printf "%.4g requests/s"',
    "ratio": "humanizePercentage",
}
# The variable that each gauge is kept in.
_READ: Final[Mapping[str, str]] = {
    "is": names.SLI_VALUE,
    "from": names.SLI_LOWER,
    "to": names.SLI_UPPER,
    "limit": names.SLI_THRESHOLD,
}


def violation(more: str = "") -> str:
    """What the alert's SLI is, past what by how much, and how sure that is."""
    metrics = "|".join([*(name.format(unit=".+") for name in _READ.values()), names.SLI_CERTAIN])
    read = f'printf "{{__name__=~\\"{metrics}\\",task=%q,experiment=%q,sli=%q}}"'
    units = _either(
        (f'match "_{unit}$" $name', f"$text = .Value | {shown}") for unit, shown in _SHOWN.items()
    )
    kept = _either(
        [
            *(
                (f'match "^{name.format(unit="")}" $name', f"${variable} = $text")
                for variable, name in _READ.items()
            ),
            (f'eq $name "{names.SLI_CERTAIN}"', "$certain = .Value"),
        ]
    )
    return (
        '{{ $is := "" }}{{ $from := "" }}{{ $to := "" }}{{ $limit := "" }}{{ $certain := 0.0 }}'
        f"{{{{ range query ({read} $labels.task $labels.experiment $labels.sli) }}}}"
        f'{{{{ $name := .Labels.__name__ }}}}{{{{ $text := "" }}}}{units}{kept}{{{{ end }}}}'
        f"{WHO} is {{{{ $is }}}} (between {{{{ $from }}}} and {{{{ $to }}}}), "
        f"{{{{ $value | humanizePercentage }}}} past its threshold of {{{{ $limit }}}}{more}. "
        "{{ if eq $certain 1.0 }}The verdict is certain.{{ else }}The verdict is not certain: "
        "the true value may lie on the other side of a limit.{{ end }}"
    )


def requests() -> str:
    """How many requests the window of the alert's experiment holds."""
    series = f"{names.EXPERIMENT_REQUESTS}{{task=%q,experiment=%q}}"
    return (
        f'{{{{ with query (printf "{series}" $labels.task $labels.experiment) }}}}'
        '{{ . | first | value | printf "%.0f" }} requests were counted so far'
        "{{ else }}no instance was seen so far{{ end }}"
    )


def budget() -> str:
    """How many experiments of the alert's task may break a hard SLO."""
    return (
        f'{{{{ with query (printf "{names.TASK_BUDGET}{{task=%q}}" $labels.task) }}}}'
        '{{ . | first | value | printf "%.4g" }}{{ end }}'
    )


def base_of_experiment() -> str:
    """Where people reach the service that exports the alert's experiment."""
    series = f"{names.EXPERIMENT_LIVE}{{task=%q,experiment=%q}}"
    return _base(f'printf "{series}" $labels.task $labels.experiment')


def base_of_task() -> str:
    """Where people reach the service that exports the alert's task."""
    return _base(f'printf "{names.TASK_BUDGET}{{task=%q}}" $labels.task')


def base_of_instance() -> str:
    """Where people reach the alert's instance, or one of the job; as it was known last."""
    known = f'printf "last_over_time({names.EXTERNAL_URL_INFO}{{job=%q%s}}[1d])" $labels.job $only'
    return (
        '{{ $only := "" }}{{ with $labels.instance }}{{ $only = printf ",instance=%q" . }}{{ end }}'
        f'{{{{ with query ({known}) }}}}{{{{ . | first | label "url" }}}}{{{{ else }}}}'
        "{{ with $labels.instance }}http://{{ . }}{{ end }}{{ end }}"
    )


def _base(series: str) -> str:
    either = (
        f'"({names.EXTERNAL_URL_INFO} and on (job, instance) " $of ") or on (job, instance) " $of'
    )
    return (
        f"{{{{ $of := {series} }}}}{{{{ with query (print {either}) }}}}{{{{ with . | first }}}}"
        '{{ or .Labels.url (print "http://" .Labels.instance) }}{{ end }}{{ end }}'
    )


def _either(cases: Iterable[tuple[str, str]]) -> str:
    """The action of the first case whose condition holds."""
    text = "{{ else if ".join(f"{condition} }}}}{{{{ {action} }}}}" for condition, action in cases)
    return f"{{{{ if {text}{{{{ end }}}}"
