"""What the pictures of dashboards show of an answer: rows of tables, and numbers in words."""

import math

import pytest
from tools.dashboards.render.frames import Line, Shown, Value, table
from tools.dashboards.render.looks import formatted, mapped, step_color

TRANSFORMATIONS = [
    {"id": "merge", "options": {}},
    {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "Value #B"}]}},
    {
        "id": "organize",
        "options": {"renameByName": {"experiment": "Experiment", "Value #A": "Score"}},
    },
]
STEPS = [{"color": "green", "value": None}, {"color": "red", "value": 1}]


def line(experiment: str, value: float) -> Line:
    return Line("", {"experiment": experiment}, [(0.0, value)])


def shown(**answers: list[Line]) -> Shown:
    panel = {"title": "T", "transformations": TRANSFORMATIONS}
    return Shown(panel, "T", 0, 0, 1, 1, answers)


def test_rows_are_merged_by_their_labels_and_sorted_by_a_field_that_is_not_shown() -> None:
    scores = [line("a", 2.0), line("b", math.inf), line("c", 1.0)]
    order = [line("a", 2.0), line("b", 1.0)]
    titles, rows = table(shown(A=scores, B=order))
    assert titles == ["Experiment", "Score"]
    assert rows == [["b", math.inf], ["a", 2.0], ["c", 1.0]]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "s", "-"),
        ("text", "short", "text"),
        (math.inf, "short", "\N{INFINITY}"),
        (0.25, "percentunit", "25%"),
        (-0.047, "percentunit", "-4.7%"),
        (0.0125, "s", "12.5 ms"),
        (0.0, "s", "0 s"),
        (90.0, "s", "90 s"),
        (1440.0, "short", "1.44 K"),
        (3.2e9, "short", "3.2 Bil"),
        (4500.0, "suffix: tok/s", "4.5 K tok/s"),
        (2.0, "ops", "2 ops/s"),
    ],
)
def test_values_are_written_with_their_unit(value: Value, unit: str, words: str) -> None:
    assert formatted(value, unit) == words


@pytest.mark.parametrize(("value", "color"), [(0.0, "#56a64b"), (1.0, "#e0344a"), (5.0, "#e0344a")])
def test_a_value_has_the_colour_of_the_step_that_it_reaches(value: float, color: str) -> None:
    assert step_color(STEPS, value) == color


def test_words_stand_for_numbers_and_for_texts() -> None:
    mappings = [{"options": {"1": {"text": "certain", "color": "green"}}}]
    assert mapped(mappings, 1.0) == ("certain", "#56a64b")
    assert mapped(mappings, 0.0) is None
