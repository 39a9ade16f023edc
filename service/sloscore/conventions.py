"""Every metric, label and rule name that sloscore gives to the outside, in one place."""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "sloscore"

# Labels
LABEL_TASK: Final = "task"
LABEL_EXPERIMENT: Final = "experiment"
LABEL_SLI: Final = "sli"
EXPERIMENT_LABELS: Final = (LABEL_TASK, LABEL_EXPERIMENT)
SLI_LABELS: Final = (LABEL_TASK, LABEL_EXPERIMENT, LABEL_SLI)

# Units of SLIs, as names of metrics have them
UNIT_NAMES: Final[Mapping[str, str]] = {
    "s": "seconds",
    "tokens/s": "tokens_per_second",
    "tokens/s/GPU": "tokens_per_second_per_gpu",
    "requests/s": "requests_per_second",
    "ratio": "ratio",
}

# Service level indicators: one series an SLI of a live or recently finished experiment; what is in
# the SLI's own unit has a gauge for each unit
SLI_VALUE: Final = "sloscore_sli_value_{unit}"
SLI_LOWER: Final = "sloscore_sli_lower_{unit}"
SLI_UPPER: Final = "sloscore_sli_upper_{unit}"
SLI_THRESHOLD: Final = "sloscore_sli_threshold_{unit}"
SLI_VIOLATION_RATIO: Final = "sloscore_sli_violation_ratio"
SLI_PENALTY: Final = "sloscore_sli_penalty"
SLI_HARD_FAIL: Final = "sloscore_sli_hard_fail"
SLI_NO_DATA: Final = "sloscore_sli_no_data"
SLI_CERTAIN: Final = "sloscore_sli_certain"

# Next to a baseline: one series an SLI, and one of BASE_SCORE in its place for the objective's value
SLI_CHANGE: Final = "sloscore_sli_change_ratio"
SLI_CHANGE_LOWER: Final = "sloscore_sli_change_lower_ratio"
SLI_CHANGE_UPPER: Final = "sloscore_sli_change_upper_ratio"
SLI_CHANGE_VERDICT: Final = "sloscore_sli_change_verdict"
BASE_SCORE: Final = "base_score"

# Experiments
EXPERIMENT_PENALTY: Final = "sloscore_experiment_penalty"
EXPERIMENT_PENALTY_MULTIPLIER: Final = "sloscore_experiment_penalty_multiplier"
EXPERIMENT_HARD_FAIL: Final = "sloscore_experiment_hard_fail"
EXPERIMENT_NO_DATA: Final = "sloscore_experiment_no_data"
EXPERIMENT_SCORE: Final = "sloscore_experiment_score"
EXPERIMENT_REQUESTS: Final = "sloscore_experiment_requests"
EXPERIMENT_INFO: Final = "sloscore_experiment_info"
EXPERIMENT_LIVE: Final = "sloscore_experiment_live"
EXPERIMENT_START: Final = "sloscore_experiment_start_timestamp_seconds"

# Tasks that have an experiment above
TASK_EXPERIMENTS: Final = "sloscore_task_experiments"
TASK_BUDGET: Final = "sloscore_task_violation_budget_experiments"
TASK_BUDGET_SPENT: Final = "sloscore_task_violation_budget_spent_ratio"

# Of the service itself
EXPERIMENTS_BY_STATE: Final = "sloscore_experiments"
EXPERIMENT_SERIES_EXPIRED: Final = "sloscore_experiment_series_expired"
STORE_UP: Final = "sloscore_store_up"
EVALUATION_DURATION: Final = "sloscore_evaluation_duration_seconds"
EVALUATION_ERRORS: Final = "sloscore_evaluation_errors"
EVALUATION_LAST_TIMESTAMP: Final = "sloscore_evaluation_last_timestamp_seconds"
EVALUATION_ROUNDS: Final = "sloscore_evaluation_rounds"
EVALUATION_LATE: Final = "sloscore_evaluation_late"
EVALUATION_INTERVAL: Final = "sloscore_evaluation_interval_seconds"
SOURCE_QUERIES: Final = "sloscore_source_queries"
SOURCE_QUERY_ERRORS: Final = "sloscore_source_query_errors"
SOURCE_CLOCK_OFFSET: Final = "sloscore_source_clock_offset_seconds"
SOURCE_QUERY_DURATION: Final = "sloscore_source_query_duration_seconds"
CONFIG_RELOAD_SUCCESSFUL: Final = "sloscore_config_last_reload_successful"
CONFIG_RELOAD_TIMESTAMP: Final = "sloscore_config_last_reload_success_timestamp_seconds"
LOG_LINES_DROPPED: Final = "sloscore_log_lines_dropped"
BUILD_INFO: Final = "sloscore_build_info"
EXTERNAL_URL_INFO: Final = "sloscore_external_url_info"

# Alerts on the gauges above (rules/sloscore-alerts.yml); each has its page in docs/runbooks, which the
# service serves under this path
RUNBOOKS_PATH: Final = "/runbooks"
ALERT_SLO_VIOLATION: Final = "SloscoreSloViolation"
ALERT_HARD_SLO_VIOLATION: Final = "SloscoreHardSloViolation"
ALERT_NO_DATA: Final = "SloscoreNoData"
ALERT_BUDGET_SPENT: Final = "SloscoreViolationBudgetSpent"
ALERT_DOWN: Final = "SloscoreDown"
ALERT_EVALUATION_STALE: Final = "SloscoreEvaluationStale"
ALERT_EVALUATION_ERRORS: Final = "SloscoreEvaluationErrors"
ALERT_SOURCE_ERRORS: Final = "SloscoreSourceErrors"
ALERT_STORE_DOWN: Final = "SloscoreStoreDown"
ALERT_RELOAD_FAILED: Final = "SloscoreConfigReloadFailed"

# Recorded by generated rules, as level:metric:operation; the levels are the labels that are left
RULE_VALUE: Final = "task_sli:sloscore_{signal}_{unit}:{statistic}_{window}"
RULE_VIOLATION: Final = "task_sli:sloscore_violation:ratio_{window}"
# By the name of its penalty function: a recorded series keeps its meaning
RULE_PENALTY: Final[Mapping[str, str]] = {
    "exponential": "task_sli:sloscore_penalty:exp_{window}",
    "continuous_exponential": "task_sli:sloscore_penalty:expm1_{window}",
    "linear": "task_sli:sloscore_penalty:linear_{window}",
    "polynomial": "task_sli:sloscore_penalty:polynomial_{window}",
    "piecewise": "task_sli:sloscore_penalty:piecewise_{window}",
}
RULE_HARD_FAIL: Final = "task_sli:sloscore_hard_fail:bool_{window}"
RULE_NO_DATA: Final = "task_sli:sloscore_no_data:bool_{window}"
RULE_OVER_THRESHOLD: Final = "task_sli:sloscore_over_threshold:ratio_rate_{window}"
RULE_FAILED: Final = "task_sli:sloscore_failed:ratio_rate_{window}"
RULE_TASK_REQUESTS: Final = "task:sloscore_requests:increase_{window}"
RULE_TASK_PENALTY: Final = "task:sloscore_penalty:sum_{window}"
RULE_TASK_MULTIPLIER: Final = "task:sloscore_penalty_multiplier:sum_{window}"
RULE_TASK_HARD_FAIL: Final = "task:sloscore_hard_fail:max_{window}"
RULE_TASK_NO_DATA: Final = "task:sloscore_no_data:max_{window}"

# Alerts of generated rules on standing deployments
LABEL_SEVERITY: Final = "severity"
LABEL_WINDOW: Final = "window"
DEPLOYMENT_VIOLATION: Final = "SloscoreDeploymentSloViolation"
DEPLOYMENT_HARD_FAIL: Final = "SloscoreDeploymentHardSloViolation"
DEPLOYMENT_NO_DATA: Final = "SloscoreDeploymentNoData"
DEPLOYMENT_BUDGET_BURN: Final = "SloscoreDeploymentBudgetBurn"
DEPLOYMENT_BOUND_MISSING: Final = "SloscoreDeploymentBoundMissing"
