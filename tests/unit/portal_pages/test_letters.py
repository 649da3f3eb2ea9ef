"""Operators look at the dead letters of all services and decide about them; auditors only look."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.bus.dead_letters import OPEN, LetterState
from chassis.database import connect
from chassis.workbench import LetterSchema, WholeLetterSchema
from contracts.terms import Role
from onex.stack.ports import free_port
from portal.assembly import assemble
from portal.identity.people import passwords
from portal.identity.people.commands import put_user
from portal.identity.people.domain import User
from portal.pages import kinds as by_kind
from portal.pages.kinds import SETTLED, blocked, kinds
from portal.pages.letters import AT_ONCE, MOST_COUNTED, MOST_LETTERS, SHOWN_OF_EACH
from portal.pages.lives import SERVICES
from portal.pages.words import WORDS
from tests.unit.portal.conftest import settings
from tests.unit.portal_pages.workbenches import Workbench, answering, letter

PASSWORD = "correct horse"
PEOPLE = {"wang": Role.OPERATOR, "liu": Role.AUDITOR, "mei": Role.REGISTRY}
WHY = "Handling it broke: KeyError at services/creditbank/handlers.py:40 outcome_of."
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    """Sign somebody in at a portal whose services have these workbenches; None is a service that does not answer."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with ExitStack() as servers:

        def opened(who: str = "wang", language: str = "en", **benches: Workbench | None) -> FlaskClient:
            given = {name: benches.get(name, Workbench()) for name in SERVICES}
            urls = {
                f"{name}_url": servers.enter_context(answering(one)) if one else f"http://127.0.0.1:{free_port()}"
                for name, one in given.items()
            }
            app = assemble(msgspec.structs.replace(settings(mongo_url, mongo), **urls))
            for name, role in PEOPLE.items():
                put_user(User(name, (role,)), PASSWORD, by="test")
            browser = app.test_client()
            browser.set_cookie("language", language)
            assert browser.post("/sign-in", data={"name": who, "password": PASSWORD}).status_code == 302
            return browser

        yield opened
        connect(mongo_url, mongo)


def text_of(answer: TestResponse) -> str:
    """What a reader sees of a page."""
    page = re.sub(r"<(head|header)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def csrf_of(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/overview").get_data(as_text=True))
    assert found
    return found[1]


def test_the_tests_letters_are_as_the_services_give_them() -> None:
    for one in (letter(), letter(key="")):
        assert WholeLetterSchema().validate(one) == {}
        assert LetterSchema(many=True).validate(Workbench(one).listed({"limit": "5"})["items"]) == {}
    assert set(by_kind.OPEN) == set(OPEN)
    assert set(by_kind.OPEN) | set(SETTLED) == set(LetterState)
    assert {f"letter_{state}" for state in LetterState} - set(WORDS) == set()


def test_letters_are_counted_by_kind_and_nobody_twice() -> None:
    twice = [letter(1, waiting=4), letter(2, waiting=4, code="record_broken"), letter(3, "scheme:s", waiting=1)]
    found = kinds({"creditbank": twice, "notify": [letter(1, waiting=2), letter(9, key="")]})
    assert [(one.service, one.code, len(one.letters)) for one in found] == [
        ("creditbank", "handling_broke", 2),
        ("creditbank", "record_broken", 1),
        ("notify", "record_broken", 1),
        ("notify", "handling_broke", 1),
    ]
    assert found[0].blocked == (2, 1, 1, 5)
    assert blocked({"creditbank": twice, "notify": [letter(1, waiting=2), letter(9, key="")]}) == (5, 1, 1, 7)
    assert blocked({"notify": [letter(1, state="handled")]}) == (1, 0, 0, 0)


def test_a_kind_says_the_sentence_that_most_of_it_has_and_its_oldest_first() -> None:
    some = [letter(3, why="rare"), letter(2), letter(1), letter(4, state="handled"), letter(5, state="discarded")]
    [kind] = kinds({"notify": some})
    assert kind.why == WHY
    assert [one["seq"] for one in kind.letters] == [1, 2, 3, 5, 4]


def test_what_is_due_next_stands_first_and_says_its_day(visit: Visit) -> None:
    later, sooner, never = letter(1, due_on="2021-03-12"), letter(2, "learner:l2", due_on="2021-03-08"), letter(3)
    [kind] = kinds({"creditbank": [later, sooner, never]})
    assert [one["due_on"] for one in kind.letters] == ["2021-03-08", "2021-03-12", None]
    browser = visit(creditbank=Workbench(later, sooner))
    page = text_of(browser.get("/dead-letters"))
    assert "Next deadline" in page
    assert page.index("2021-03-08") < page.index("2021-03-12")
    one = text_of(browser.get(f"/dead-letters/creditbank/{sooner['id']}"))
    assert "The next deadline among what it holds up: 2021-03-08." in one
    assert "Next deadline" not in text_of(visit(creditbank=Workbench(never)).get("/dead-letters"))


def test_an_operator_sees_what_failed_why_and_whom_it_holds_up(visit: Visit) -> None:
    said = {"at": "2021-03-01T09:00:00+00:00", "what": "retry", "by": "chen", "reason": ""}
    given_up = said | {"what": "discard", "reason": "sent twice <by mistake>"}
    browser = visit(
        creditbank=Workbench(letter(1, waiting=3, attempts=2, decisions=[said, given_up]), letter(2, "learner:l2")),
        notify=Workbench(letter(7, key="")),
    )
    page = text_of(browser.get("/dead-letters"))
    assert "letters 3 learners held up 2 other things held up 0 events behind them 3" in page
    assert f"Result final Credit bank handling_broke {WHY} Letters: 2. Held up: learners 2" in page
    assert "Unreadable record Notices record_broken" in page
    assert "Learner · event 1 l1 to be decided tried 2× 2021-03-01 16:00:01 3 chen had it tried again" in page
    assert "chen discarded it 2021-03-01 17:00:00 sent twice <by mistake>" in page
    assert "onex.assessment.v1:3 · offset 47" in page
    assert "Try the 2 shown again" in page
    chinese = text_of(visit("wang", "zh", creditbank=Workbench(letter(1), letter(2))).get("/dead-letters"))
    assert "成绩生效 学分银行" in chinese
    assert "重试所列 2 件" in chinese


def test_a_silent_service_is_named_and_the_others_are_shown(visit: Visit) -> None:
    browser = visit(creditbank=Workbench(letter()), notify=None)
    page = text_of(browser.get("/dead-letters"))
    assert "Notices does not answer at the moment" in page
    assert "Learner · event 1 l1" in page
    assert "every event was handled" not in text_of(visit(notify=None).get("/dead-letters"))


def test_when_nothing_waits_it_says_so(visit: Visit) -> None:
    browser = visit(creditbank=Workbench(letter(state="handled")))
    assert "Nothing waits here" in text_of(browser.get("/dead-letters"))
    assert "Needs attention" not in text_of(browser.get("/overview"))
    assert "There are no such letters." in text_of(browser.get("/dead-letters?state=discarded"))


def test_settled_letters_can_be_looked_at_but_not_decided(visit: Visit) -> None:
    browser = visit(creditbank=Workbench(letter(1), letter(2, "learner:l2", state="handled", event=None)))
    page = browser.get("/dead-letters?state=handled")
    assert "Learner · event 2 l2 Handled" in text_of(page)
    assert "l1" not in text_of(page)
    assert "/dead-letter-" not in page.get_data(as_text=True)
    shown = browser.get("/dead-letters/creditbank/assessment%7Clearner:l2%7C2")
    assert "its event is no longer kept" in text_of(shown)
    assert "/dead-letter-" not in shown.get_data(as_text=True)


def test_one_letter_tells_its_event_where_it_broke_and_its_cause(visit: Visit) -> None:
    found = letter(event={"learner_id": "l1", "verdict": "passed", "level": 2})
    browser = visit(creditbank=Workbench(found))
    [address] = re.findall(r'<a href="(/dead-letters/[^"?]+)"', browser.get("/dead-letters").get_data(as_text=True))
    page = browser.get(address)
    assert "Verdict passed Level intermediate" in text_of(page)
    assert "/srv/onex/services/creditbank/handlers.py:40 outcome_of" in text_of(page)
    assert 'href="/lives?cause=import:assessment:1:2"' in page.get_data(as_text=True)
    assert 'href="/learners/l1/account"' in page.get_data(as_text=True)
    assert browser.get("/dead-letters/creditbank/none").status_code == 404
    assert browser.get("/dead-letters/elsewhere/none").status_code == 404
    assert browser.get("/dead-letters?service=elsewhere").status_code == 404


def test_a_record_that_is_no_event_has_a_page_too(visit: Visit) -> None:
    page = text_of(visit(notify=Workbench(letter(7, key=""))).get("/dead-letters/notify/onex.assessment.v1:3%7C7"))
    assert "Unreadable record Notices" in page
    assert "The record is no event that can be read." in page


def forms_of(answer: TestResponse, deed: str) -> list[tuple[str, dict[str, list[str]]]]:
    """The forms of a deed: where each goes and its hidden fields."""
    page = answer.get_data(as_text=True)
    found = re.findall(rf'<form[^>]*action="(/dead-letter-{deed}/[^"]+)">(.*?)</form>', page, flags=re.DOTALL)
    hidden = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]+)">')
    return [
        (where, {name: [value for one, value in hidden.findall(rest) if one == name] for name in ("csrf_token", "id")})
        for where, rest in found
    ]


def test_all_shown_of_a_kind_are_tried_again_and_each_verdict_is_told(visit: Visit) -> None:
    bench = Workbench(
        letter(1), letter(2), letter(3, state="asked"), refused={"assessment|learner:l1|2": "broke again"}
    )
    browser = visit(creditbank=bench)
    [(where, fields)] = forms_of(browser.get("/dead-letters"), "retries")
    answer = browser.post(where, data=fields)
    assert bench.sent == [("/dead-letter-retries", {"ids": ["assessment|learner:l1|1", "assessment|learner:l1|2"]})]
    told = text_of(answer)
    assert answer.status_code == 200
    assert "Accepted: 1." in told
    assert "Refused: 1." in told
    assert "assessment|learner:l1|2 refused broke again" in told
    assert "assessment|learner:l1|1 accepted" in told


def test_one_of_those_shown_is_tried_again_alone(visit: Visit) -> None:
    bench = Workbench(letter(1), letter(2))
    browser = visit(creditbank=bench)
    page = browser.get("/dead-letters")
    [(where, fields)] = forms_of(page, "retries")
    assert 'form="retry-1" name="only" value="assessment|learner:l1|2"' in page.get_data(as_text=True)
    browser.post(where, data=fields | {"only": "assessment|learner:l1|2"})
    assert bench.sent == [("/dead-letter-retries", {"ids": ["assessment|learner:l1|2"]})]


def test_a_discard_says_what_it_means_and_wants_a_reason(visit: Visit) -> None:
    bench = Workbench(letter(1))
    browser = visit(creditbank=bench)
    page = browser.get("/dead-letters/creditbank/assessment%7Clearner:l1%7C1?discard=1")
    assert "Its effect never comes" in text_of(page)
    assert re.search(r"<details[^>]* open>", page.get_data(as_text=True))
    [(where, fields)] = forms_of(page, "discards")
    for reason in ({}, {"reason": "  "}):
        refused = browser.post(where, data=fields | reason)
        assert (refused.status_code, bench.sent) == (422, [])
        assert "Give a reason for discarding." in text_of(refused)
    told = browser.post(where, data=fields | {"reason": " sent twice "})
    assert bench.sent == [("/dead-letter-discards", {"ids": ["assessment|learner:l1|1"], "reason": "sent twice"})]
    assert "Accepted: 1." in text_of(told)


@pytest.mark.parametrize("deed", ["retries", "discards"])
def test_a_form_from_elsewhere_and_an_auditors_decide_nothing(visit: Visit, deed: str) -> None:
    bench = Workbench(letter(1))
    sent = {"id": "assessment|learner:l1|1", "reason": "why not"}
    browser = visit(creditbank=bench)
    assert browser.post(f"/dead-letter-{deed}/creditbank", data=sent).status_code == 403
    auditor = visit("liu", creditbank=bench)
    for somebody, service, status in ((auditor, "creditbank", 403), (browser, "elsewhere", 404)):
        signed = sent | {"csrf_token": csrf_of(somebody)}
        assert somebody.post(f"/dead-letter-{deed}/{service}", data=signed).status_code == status
    assert bench.sent == []


def test_an_auditor_looks_and_has_no_buttons(visit: Visit) -> None:
    browser = visit("liu", creditbank=Workbench(letter(1)))
    for address in ("/dead-letters", "/dead-letters/creditbank/assessment%7Clearner:l1%7C1?discard=1"):
        page = browser.get(address)
        assert WHY in text_of(page)
        assert "/dead-letter-" not in page.get_data(as_text=True)
        assert "<details" not in page.get_data(as_text=True)


def test_others_neither_look_nor_hear_of_them(visit: Visit) -> None:
    browser = visit("mei", creditbank=Workbench(letter(1)))
    assert browser.get("/dead-letters").status_code == 403
    overview = browser.get("/overview").get_data(as_text=True)
    assert "/dead-letters" not in overview


@pytest.mark.parametrize("who", ["wang", "liu"])
def test_the_overview_says_that_letters_wait(visit: Visit, who: str) -> None:
    many = Workbench(*(letter(number) for number in range(1, MOST_COUNTED + 5)))
    browser = visit(who, creditbank=Workbench(letter(1), letter(2), letter(3, state="asked")), notify=many)
    overview = browser.get("/overview/live")
    assert "Credit bank: dead letters that wait for an operator: 2." in text_of(overview)
    assert f"Notices: dead letters that wait for an operator: {MOST_COUNTED}+." in text_of(overview)
    assert '<a href="/dead-letters"' in browser.get("/overview").get_data(as_text=True)


def test_a_large_kind_is_shown_in_parts_that_one_request_takes(visit: Visit) -> None:
    bench = Workbench(*(letter(number, f"learner:l{number}") for number in range(1, AT_ONCE + 31)))
    browser = visit(creditbank=bench)
    first = browser.get("/dead-letters")
    [(_, fields)] = forms_of(first, "retries")
    assert len(fields["id"]) == SHOWN_OF_EACH
    assert f"Show all {AT_ONCE + 30}" in text_of(first)
    kind = "/dead-letters?service=creditbank&type=ResultFinalised&code=handling_broke"
    pages = [browser.get(kind + more) for more in ("", f"&start={AT_ONCE}", "&start=900")]
    sizes = [len(forms_of(page, "retries")[0][1]["id"]) for page in pages]
    assert sizes == [AT_ONCE, 30, AT_ONCE]


def test_more_letters_than_are_read_are_said_to_be_more(visit: Visit) -> None:
    bench = Workbench(*(letter(number, f"learner:l{number}") for number in range(MOST_LETTERS + 1)))
    page = text_of(visit(creditbank=bench).get("/dead-letters"))
    assert f"Credit bank has more than {MOST_LETTERS} letters" in page
