"""The demonstration's clock: where it may begin, and that it only goes forward."""

from __future__ import annotations

from pathlib import Path

import pytest

from onex.stack import clock
from onex.stack.clock import instant_of
from onex.stack.home import Home
from onex.stack.trouble import Trouble

JANUARY, SEPTEMBER = instant_of("2021-01-15T09:00"), instant_of("2021-09-25T00:00")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_new_stack_goes_with_the_machine_until_it_is_told_an_instant(home: Home) -> None:
    assert clock.standing(home) is None
    clock.set_clock(home, JANUARY)
    assert clock.standing(home) == JANUARY
    assert JANUARY.isoformat() == "2021-01-15T09:00:00+08:00", "an instant is campus time unless it says otherwise"


def test_the_clock_only_goes_forward(home: Home) -> None:
    clock.set_clock(home, SEPTEMBER)
    with pytest.raises(Trouble, match="only goes forward: it is 2021-09-25T00:00"):
        clock.set_clock(home, JANUARY)
    assert clock.standing(home) == SEPTEMBER


def test_a_stack_that_has_lived_does_not_go_back_to_where_a_new_one_may_begin(home: Home) -> None:
    (home.made() / "stack.json").write_text("{}")
    with pytest.raises(Trouble, match="only goes forward"):
        clock.set_clock(home, JANUARY)
    assert clock.standing(home) is None


@pytest.mark.parametrize("text", ["tomorrow", "2021-02-30", ""])
def test_what_is_no_instant_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Trouble, match="is no instant"):
        instant_of(text)
