"""The board of newest reports: what it shows, what leaves it, and whom it wakes."""

from collections.abc import Callable

import pytest

from sloscore.evaluation.board import Board
from sloscore.evaluation.report import report_values
from sloscore.wire import Report, ScoreRequest

RETENTION = 100.0


def report(score: float) -> Report:
    return report_values(ScoreRequest(base_score=score, values={}), now=0.0)


@pytest.fixture
def board() -> Board:
    return Board(RETENTION, max_ended=3)


def shown(board: Board) -> list[tuple[float | None, float | None]]:
    return [(posted.figures.score, posted.ended_at) for posted in board]


def test_the_newest_report_of_a_live_experiment_is_shown(board: Board) -> None:
    board.post("a", report(1))
    board.post("b", report(2))
    board.post("a", report(3))

    posted = board.get("a")
    assert posted is not None
    assert posted.report == report(3)
    assert sorted(shown(board)) == [(2, None), (3, None)]
    assert board.get("c") is None


def test_a_final_report_replaces_a_live_one_and_stays(board: Board) -> None:
    board.post("a", report(1))
    board.post_final("a", report(2), ended_at=50.0)
    board.post("a", report(3))

    assert shown(board) == [(2, 50.0)]
    posted = board.get("a")
    assert posted is not None
    with pytest.raises(LookupError, match="in the store"):
        _ = posted.report


def test_an_experiment_that_was_aborted_is_taken_down(board: Board) -> None:
    board.post("a", report(1))
    board.remove("a")
    board.remove("never posted")

    assert shown(board) == []


@pytest.mark.parametrize(("now", "gone"), [(149.9, 0), (150.0, 1)])
def test_final_reports_leave_after_the_retention_and_live_ones_never(
    board: Board, now: float, gone: int
) -> None:
    board.post("live", report(1))
    board.post_final("ended", report(2), ended_at=50.0)

    assert board.expire(now) == gone
    assert (board.get("ended") is None) == bool(gone)
    assert board.get("live") is not None
    assert board.expire(now) == 0


def test_past_the_limit_those_leave_that_ended_first(board: Board) -> None:
    for number, name in enumerate("abcde"):
        board.post(name, report(number))
    for number, name in enumerate("edcab"):
        board.post_final(name, report(number), ended_at=float(number))

    assert board.expire(now=10.0) == 2
    assert [posted.ended_at for posted in board] == [2, 3, 4]
    assert board.get("e") is None
    assert board.get("d") is None


def test_what_is_shown_can_change_while_it_is_read(board: Board) -> None:
    board.post("a", report(1))
    board.post("b", report(2))

    for _ in board:
        board.remove("b")
        board.post("c", report(3))

    assert sorted(shown(board)) == [(1, None), (3, None)]


WAKES: dict[str, Callable[[Board], None]] = {
    "its final report": lambda board: board.post_final("a", report(1), ended_at=1.0),
    "its abortion": lambda board: board.remove("a"),
    "a wake of its own": lambda board: board.wake("a"),
    "a wake of all": lambda board: board.wake_all(),
}
LEAVES_WAITING: dict[str, Callable[[Board], object]] = {
    "a live report": lambda board: board.post("a", report(1)),
    "the end of another": lambda board: board.post_final("b", report(1), ended_at=1.0),
    "expiry": lambda board: board.expire(1e9),
}


@pytest.mark.parametrize("act", WAKES.values(), ids=WAKES.keys())
async def test_everybody_who_waits_for_an_experiment_is_woken_by(
    board: Board, act: Callable[[Board], None]
) -> None:
    with board.waiter("a") as first, board.waiter("a") as second:
        act(board)
        assert first.is_set()
        assert second.is_set()


@pytest.mark.parametrize("act", LEAVES_WAITING.values(), ids=LEAVES_WAITING.keys())
async def test_nobody_who_waits_for_an_experiment_is_woken_by(
    board: Board, act: Callable[[Board], object]
) -> None:
    with board.waiter("a") as event:
        act(board)
        assert not event.is_set()


async def test_those_who_wait_are_counted_until_they_leave_or_are_woken(board: Board) -> None:
    with board.waiter("a"), board.waiter("b"):
        with board.waiter("a"):
            assert board.waiting == 3
        assert board.waiting == 2
        board.remove("a")
        assert board.waiting == 1
    assert board.waiting == 0


async def test_one_who_waits_anew_is_not_woken_by_the_end_before(board: Board) -> None:
    with board.waiter("a"):
        board.post_final("a", report(1), ended_at=1.0)
        with board.waiter("a") as late:
            assert not late.is_set()
            assert board.waiting == 1
