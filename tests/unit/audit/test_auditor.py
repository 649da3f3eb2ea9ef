"""An audit looks again before it says that something is wrong, and keeps little in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from onex.audit.__main__ import State, answer, once
from onex.audit.auditor import Auditor
from onex.audit.comparison import Item
from onex.audit.kinds import KINDS
from onex.audit.reading import together
from onex.audit.telling import metrics, table
from tests.unit.audit.told import LONG_AGO, RESULT, account, notice, of_assessment, of_notify, result

Books = dict[str, dict[str, Any]]
EMPTY: dict[str, Any] = {"entry_count": 0, "entries": [], "holdings": [], "outcomes": []}


def balanced() -> Books:
    return {
        "assessment": {"mei": of_assessment(result())},
        "creditbank": {"mei": account()},
        "notify": {"mei": of_notify(notice())},
    }


class Pages:
    """Answers as the three services do, of what it is given; `mends` is done before a look by that number."""

    def __init__(self, books: Books, **mends: Any) -> None:
        self.books = books
        self.looks = 0
        self.mends = mends

    def learners(self, service: str) -> Iterator[Item]:
        yield from [self.books[service][one] for one in sorted(self.books[service])]

    def named(self, service: str, learner_ids: Sequence[str]) -> list[Item]:
        if service == "creditbank":
            self.looks += 1
            self.mends.get(f"before_look_{self.looks}", dict)()
        empty = {"assessment": of_assessment, "notify": of_notify}
        return [self.books[service].get(one) or self._none(service, one, empty) for one in learner_ids]

    def _none(self, service: str, learner_id: str, empty: dict[str, Any]) -> Item:
        made: Item = account(learner_id, **EMPTY) if service == "creditbank" else empty[service](learner_id=learner_id)
        return made


def auditor(pages: Pages) -> Auditor:
    return Auditor(pages, timedelta(minutes=10), pause=lambda _seconds: None)


def test_books_that_agree_are_read_once() -> None:
    pages = Pages(balanced())
    report = auditor(pages).audit()
    assert (report.is_balanced, report.compared["learners"], pages.looks) == (True, 1, 0)


def test_what_is_wrong_at_three_looks_is_an_imbalance() -> None:
    books = balanced()
    books["notify"] = {}
    report = auditor(Pages(books)).audit()
    assert [(one.kind, one.about) for one in report.named] == [("credit_not_told", "mei:2")]


@pytest.mark.parametrize("look", [1, 2])
def test_what_comes_right_at_a_later_look_was_on_its_way(look: int) -> None:
    books = balanced()
    told = books["notify"].pop("mei")
    pages = Pages(books, **{f"before_look_{look}": lambda: books["notify"].update(mei=told)})
    assert auditor(pages).audit().is_balanced
    assert pages.looks == look


def test_a_merged_learner_is_followed_to_the_survivor_and_found_once() -> None:
    """Results are the survivor's; the bank has them still under the merged one, whom it knows to be the same."""
    books = balanced()
    books["creditbank"]["lan"] = account("lan", merged_into="mei", merged_at=LONG_AGO)
    books["creditbank"]["mei"] = account(**EMPTY, merged_from=["lan"])
    report = auditor(Pages(books)).audit()
    assert [(one.kind, one.about, one.learner_id) for one in report.named] == [("merge_not_followed", "lan", "mei")]


def test_streams_out_of_order_are_not_trusted() -> None:
    with pytest.raises(ValueError, match="order"):
        list(together({"notify": [of_notify(learner_id="b"), of_notify(learner_id="a")]}))


def test_streams_are_joined_by_learner_one_item_at_a_time() -> None:
    taken: list[str] = []

    def stream(name: str, *learners: str) -> Iterator[Item]:
        for one in learners:
            taken.append(f"{name}{one}")
            yield of_assessment(learner_id=one) if name == "a" else of_notify(learner_id=one)

    joined = together({"assessment": stream("a", "1", "2", "4"), "notify": stream("n", "2", "3")})
    first = next(joined)
    assert (len(first.assessment), len(first.notify), taken) == (1, 0, ["a1", "n2"])
    assert [(len(one.assessment), len(one.notify)) for one in joined] == [(1, 1), (0, 1), (1, 0)]


def test_figures_are_metrics_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    state = State(started=1.0)
    assert b"onex_audit_imbalances" not in answer("/metrics", state)[2]  # nothing is said before the first audit
    books = balanced()
    books["notify"] = {}
    assert once(auditor(Pages(books))) == 1
    assert "mei:2  (learner mei): CreditPosted" in capsys.readouterr().out
    assert once(auditor(Pages(balanced()))) == 0
    assert "The books balance." in capsys.readouterr().out
    state.report = auditor(Pages(books)).audit()
    said = metrics(state.report, state.started, 0)
    assert 'onex_audit_imbalances{kind="credit_not_told"} 1.0' in said
    assert said.count("onex_audit_imbalances{") == len(KINDS)
    assert RESULT not in said
    assert "1 imbalances" in table(state.report)


def test_it_is_unready_only_while_it_cannot_read() -> None:
    assert answer("/readyz", State())[0] == 200
    assert answer("/readyz", State(trouble="creditbank did not answer"))[0] == 503
    assert answer("/healthz", State(trouble="creditbank did not answer"))[0] == 200
