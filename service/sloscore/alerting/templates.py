"""Parts of annotations: templates of Go that ask the engine for what an alert's value leaves out.

An engine fills them in for every alert at every evaluation, so each asks a single query. Label values
go in as quoted text: no name of a task can break a query.
"""

from typing import Final

from sloscore import conventions as names

WHO: Final = "{{ $labels.sli }} of experiment {{ $labels.experiment }} (task {{ $labels.task }})"
# The variable of each gauge that tells of an SLI, and how it is shown.
_SECONDS: Final = ".Value | humanizeDuration"
_TOKENS: Final = '.Value | printf "%.4g tokens/s"'
_READINGS: Final = (
    ("is", names.SLI_VALUE, _SECONDS),
    ("is", names.SLI_VALUE_TOKENS, _TOKENS),
    ("from", names.SLI_LOWER, _SECONDS),
    ("from", names.SLI_LOWER_TOKENS, _TOKENS),
    ("to", names.SLI_UPPER, _SECONDS),
    ("to", names.SLI_UPPER_TOKENS, _TOKENS),
    ("limit", names.SLI_THRESHOLD, _SECONDS),
    ("limit", names.SLI_THRESHOLD_TOKENS, _TOKENS),
    ("certain", names.SLI_CERTAIN, ".Value"),
)


def violation(more: str = "") -> str:
    """What the alert's SLI is, past what by how much, and how sure that is."""
    metrics = "|".join(name for _, name, _ in _READINGS)
    read = f'printf "{{__name__=~\\"{metrics}\\",task=%q,experiment=%q,sli=%q}}"'
    cases = "{{ else if ".join(
        f'eq .Labels.__name__ "{name}" }}}}{{{{ ${variable} = {shown} }}}}'
        for variable, name, shown in _READINGS
    )
    return (
        '{{ $is := "" }}{{ $from := "" }}{{ $to := "" }}{{ $limit := "" }}{{ $certain := 0.0 }}'
        f"{{{{ range query ({read} $labels.task $labels.experiment $labels.sli) }}}}"
        f"{{{{ if {cases}{{{{ end }}}}{{{{ end }}}}"
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
