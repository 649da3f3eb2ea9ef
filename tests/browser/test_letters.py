"""What could not be handled is found by an operator, who has it tried again and gives it up, on the real stack."""

from __future__ import annotations

import re

from kafka import KafkaProducer
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit, fits_every_screen
from tests.support.stack import Stack
from tests.support.waiting import until

HEARD_BY_FEW = "onex.creditbank.v1"
HEARERS = ("notify", "training")
SEND_SECONDS = 30


def send_what_is_no_event(stack: Stack) -> None:
    """A record without headers, which blocks nobody."""
    producer = KafkaProducer(bootstrap_servers=stack.running.variables["KAFKA"], acks="all")
    producer.send(HEARD_BY_FEW, value=b"no event at all", partition=0).get(timeout=SEND_SECONDS)
    producer.close(timeout=SEND_SECONDS)


def is_told(page: Page, address: str, words: str) -> bool:
    page.goto(address)
    return words in page.locator("main").inner_text()


def heard_of(visit: Visit, stack: Stack) -> Page:
    """The operator's list with a letter of each that hears the credit bank, reached from the overview."""
    send_what_is_no_event(stack)
    page = visit("operator")
    page.goto("/overview")
    page.get_by_role("link", name=re.compile("^Notices: dead letters")).click()
    expect(page).to_have_url(re.compile("/dead-letters$"))
    until(lambda: is_listed(page))
    return page


def is_listed(page: Page) -> bool:
    page.goto("/dead-letters")
    return page.locator("section.kind").count() == len(HEARERS)


def of(service: str, page: Page) -> Locator:
    return page.locator(f"section.kind[data-kind^='{service}/']")


def give_up(page: Page, service: str, reason: str) -> None:
    """Discard a service's one letter of the list, which needs a reason."""
    page.goto("/dead-letters")
    of(service, page).get_by_role("link", name=re.compile("^Discard ")).click()
    expect(page.locator("details")).to_contain_text("Its effect never comes in this service")
    fits_every_screen(page)
    field, button = page.locator("input[name=reason]"), page.locator("details button")
    button.click()
    assert field.evaluate("one => one.validationMessage") == "Please fill this in."
    field.fill(reason)
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Accepted: 1.")
    until(lambda: is_told(page, "/dead-letters?state=discarded", reason))


def test_an_operator_hears_of_a_letter_has_it_tried_again_and_gives_it_up(visit: Visit, stack: Stack) -> None:
    page = heard_of(visit, stack)
    kind = of("notify", page)
    expect(kind.locator("h2")).to_contain_text("Unreadable record")
    expect(kind.locator(".why")).to_contain_text("The record breaks its contract")
    fits_every_screen(page)
    kind.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("Refused: 1.")
    expect(page.locator("tbody .note")).to_contain_text("The record breaks its contract")
    page.get_by_role("link", name="Go back").click()
    expect(page).to_have_url(re.compile("/dead-letters$"))
    for service in HEARERS:
        give_up(page, service, f"sent to {service} by a test of the pages")
    page.goto("/dead-letters")
    expect(page.locator(".empty")).to_contain_text("Nothing waits here")


def test_an_auditor_looks_at_letters_and_has_no_buttons(visit: Visit, stack: Stack) -> None:
    operator, auditor = heard_of(visit, stack), visit("auditor")
    auditor.get_by_role("link", name="Dead letters", exact=True).click()
    expect(auditor.locator("section.kind")).to_have_count(len(HEARERS))
    expect(auditor.locator("main button")).to_have_count(0)
    for service in HEARERS:
        give_up(operator, service, f"looked at by an auditor of {service}")
    auditor.get_by_role("link", name="Discarded", exact=True).click()
    auditor.locator("tbody tr").filter(has_text="looked at by an auditor of notify").locator("a").click()
    expect(auditor.locator(".decisions")).to_contain_text("operator discarded it")
    expect(auditor.locator("main button")).to_have_count(0)
    fits_every_screen(auditor)
