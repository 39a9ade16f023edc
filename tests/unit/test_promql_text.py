"""Literals and matchers: whatever a text holds, it stays one text."""

import ast
import re

from hypothesis import given
from hypothesis import strategies as st

from sloscore.promql_text import matcher, quote

text = st.text(st.characters(exclude_categories=["Cs"]))
nasty = st.text(st.sampled_from('a"\\\n.*|{}()[]^$+?#ü\x00\x7f\ufffd 😀'))


@given(text | nasty)
def test_a_quoted_string_reads_back_as_the_text_and_holds_no_raw_quote_or_newline(
    value: str,
) -> None:
    quoted = quote(value)

    # PromQL's escapes are Go's; the few that are written here mean the same in Python.
    assert ast.literal_eval(quoted) == value
    assert re.fullmatch(r'"(?:[^"\\\n\ufffd]|\\["\\]|\\x[0-9a-f]{2}|\\ufffd)*"', quoted)


@given(st.lists(text | nasty, min_size=2, max_size=5, unique=True), text | nasty)
def test_a_matcher_of_several_values_matches_these_and_nothing_else(
    values: list[str], other: str
) -> None:
    operator, literal = matcher("label", values).removeprefix("label").split('"', 1)
    regex = ast.literal_eval('"' + literal)

    assert operator == "=~"
    assert all(re.fullmatch(regex, value) for value in values)
    assert bool(re.fullmatch(regex, other)) == (other in values)


def test_a_matcher_of_one_value_is_an_equality() -> None:
    assert matcher("model_name", ["a.b|c"]) == 'model_name="a.b|c"'


def test_a_label_name_outside_of_the_plain_alphabet_is_quoted() -> None:
    assert matcher('k8s.pod"} or up{x', ["a"]) == '"k8s.pod\\"} or up{x"="a"'


def test_a_negated_matcher_matches_all_others() -> None:
    assert matcher("le", ["+Inf"], negated=True) == 'le!="+Inf"'
    assert matcher("reason", ["a.b", "c"], negated=True) == r'reason!~"a\\.b|c"'
