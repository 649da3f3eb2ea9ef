"""What a learner is excused from in a training stands on the account page, each with its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from services.training.modules.schemas import TrainingExcuseSchema
from tests.unit.portal_pages.colleges import Bank, Service
from tests.unit.portal_pages.conftest import Enter, text_of
from tests.unit.portal_pages.workbenches import Workbench

EXCUSE = {
    "scheme": "smart-finance", "level": 1, "module": "tax", "module_name": "纳税申报", "class_hours": 16,
    "is_excused": True, "ended": "", "course": "KJ2105", "term": "2020-2021-1", "mark": 86,
    "result_id": "2019040117:KJ2105:2020-2021-1", "rule": "tax-by-course", "rule_version": 1, "basis": "办法",
    "least_mark": 75, "since": "2021-03-01T08:00:00+00:00", "why_zh": "课程 KJ2105 免训此模块。",
    "why_en": "Course KJ2105 excuses from this module.",
}  # fmt: skip
TITLES = {"zh": "培训免训", "en": "Excused from training"}


def training(*excuses: dict[str, Any]) -> Service:
    return Service(
        {
            "/course-results": {"items": [], "next": None},
            "/learners/ann/training-excuses": {"items": list(excuses), "next": None},
        }
    )


def test_the_answer_is_one_that_training_gives() -> None:
    assert TrainingExcuseSchema().validate(EXCUSE) == {}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", ("培训免训", "纳税申报", "初级", "16", "已免训", "课程 KJ2105 免训此模块。", "已撤回")),
        (
            "en",
            ("Excused from training", "elementary", "16", "excused", "Course KJ2105 excuses from this module.", "back"),
        ),
    ],
)
def test_excuses_are_shown_with_their_sentence_in_the_readers_language(
    enter: Enter, language: str, said: tuple[str, ...]
) -> None:
    over = EXCUSE | {"module": "ledger", "is_excused": False, "ended": "excuse_place_gone"}
    page = text_of(enter("ann", Bank(), language, training=training(EXCUSE, over)).get("/account"))
    for part in said:
        assert part in page, part


def test_staff_see_a_learners_excuses_too(enter: Enter) -> None:
    page = text_of(enter("mei", Bank(), training=training(EXCUSE)).get("/learners/ann/account"))
    assert "Course KJ2105 excuses from this module." in page


def test_who_is_excused_from_nothing_sees_nothing_of_it(enter: Enter) -> None:
    assert TITLES["en"] not in text_of(enter("ann", Bank(), training=training()).get("/account"))


def test_the_account_is_shown_while_training_does_not_answer(enter: Enter) -> None:
    class Away(Workbench):
        def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
            return 503, {"status": 503, "code": "too_busy", "detail": "later"}

    page = enter("ann", Bank(), training=Away()).get("/account")
    assert page.status_code == 200
    assert "Training" in text_of(page)
