"""Assessment was set back to before its results: of what is sent again, only what is other is announced again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.assessment import ResultAnnulled, ResultCorrected, ResultFinalised
from services.assessment.results.commands import annul_result, close_due_publicity, close_publicity, correct_result
from services.assessment.results.domain import Marks
from tests.support.forgetting import forget, forgotten
from tests.unit.assessment.stories import (
    AS_OF,
    SF2,
    announced,
    kinds,
    open_college,
    publish_2021,
    seat,
    sitting,
    states,
    submit,
)

RESULT = f"{SF2.id}:A1:1"
OF_RESULTS = ("ResultPublicised", "ResultFinalised", "ResultCorrected", "ResultAnnulled")


@pytest.fixture(autouse=True)
def college(mongo: str, clock: object) -> None:
    open_college(SF2)
    publish_2021()
    seat(SF2, "chen")


def close() -> None:
    close_publicity(SF2.id)
    close_due_publicity()


def go_back() -> None:
    forget(["results", "external_ids"], OF_RESULTS)


def test_the_same_again_announces_nothing() -> None:
    for _ in range(2):
        submit(sitting(SF2, "A1", 50, 50))
        close()
        correct_result(RESULT, Marks(80, 80), "two papers were exchanged")
        annul_result(RESULT, "not theirs")
        assert kinds() == ["ResultPublicised", "ResultFinalised", "ResultCorrected", "ResultAnnulled"]
        assert states(SF2) == {"A1/1": ("annulled", "passed", 4)}
        assert forgotten() == []
        go_back()


def test_the_last_state_alone_gets_revisions_that_readers_have_not_seen() -> None:
    submit(sitting(SF2, "A1", 50, 50))
    submit(sitting(SF2, "A1", 80, 80, as_of=AS_OF + timedelta(hours=1)))
    close()
    go_back()
    submit(sitting(SF2, "A1", 80, 80, as_of=AS_OF + timedelta(hours=1)))
    assert states(SF2) == {"A1/1": ("publicised", "passed", 4)}
    close()
    assert [one.revision for one in announced(ResultFinalised)] == [3, 5]
    correct_result(RESULT, Marks(40, 40), "two papers were exchanged")
    assert announced(ResultCorrected)[-1].revision == 6
    assert states(SF2) == {"A1/1": ("final", "failed", 6)}


def test_another_word_on_a_result_that_was_annulled_is_heard() -> None:
    submit(sitting(SF2, "A1", 80, 80))
    annul_result(RESULT, "not theirs")
    go_back()
    submit(sitting(SF2, "A1", 80, 80))
    annul_result(RESULT, "written down otherwise")
    assert [(one.reason, one.revision) for one in announced(ResultAnnulled)] == [
        ("not theirs", 2),
        ("written down otherwise", 3),
    ]
