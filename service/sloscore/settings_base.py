"""What all settings have in common."""

from pydantic import BaseModel, ConfigDict


class SettingsModel(BaseModel):
    """Base of all settings: unknown keys are refused, and errors never quote what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
