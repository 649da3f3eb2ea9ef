"""Run the main job on the samples, read it back, and say whether it came out as it must."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from onex.demo.compare import Figure, figures_of, shortened
from onex.demo.http import Addresses
from onex.demo.reading import all_results, found_in, standing
from onex.demo.samples import Samples
from onex.demo.screen import Screen
from onex.demo.stages import STAGES, Demo, Speakers
from onex.demo.trouble import Answered, Halt
from onex.demo.waiting import POLL_SECONDS
from onex.stack import secrets
from onex.stack.addresses import Running
from onex.stack.home import Home
from onex.stack.trouble import Trouble

STILLNESS_SECONDS = 3.0
NAMES = ("portal", *secrets.SERVICES)


def run(running: Running | None = None, samples: Path | None = None, console: Console | None = None) -> int:
    """Run the demo; 0 when everything is as expected and the books balance, 1 when not, 2 when it cannot go on.

    `running`: the stack to speak to, else the one last started from this home.
    """
    screen = Screen(console or Console())
    try:
        addresses = addresses_of(running or Running.of(Home.from_environment()))
        return perform(Demo(Samples(folder=samples) if samples else Samples(), Speakers(addresses)), screen)
    except (Halt, Answered, Trouble) as end:
        screen.say(f"✗ {end}")
        return 2


def addresses_of(running: Running) -> Addresses:
    """Where the portal and the services of a stack are."""
    known = secrets.read(running.home / "secrets.env")
    return Addresses({name: running.url(name) for name in NAMES}, known["CLIENTS_KEY"])


def perform(demo: Demo, screen: Screen) -> int:
    """Every stage, then the comparison; on a stack where all was done before, that nothing changed."""
    before = standing(demo.operator)
    is_repeat = all(figure.is_met for figure in read_back(demo, []) if not figure.name.startswith("results"))
    if is_repeat:
        screen.say("Everything is in place already. Each sheet is uploaded again, and must change nothing.")
    go_through(demo, screen)
    if is_repeat:
        wait_for_stillness(demo)
    results = all_results(demo.operator, demo.samples.plans)
    figures = read_back(demo, results) + (repeated(demo, before) if is_repeat else [])
    screen.table(figures)
    return conclude(demo, screen, figures)


def go_through(demo: Demo, screen: Screen) -> None:
    """The stages, one after the other."""
    with screen.live():
        for title, stage in STAGES:
            screen.run(title, partial(stage, demo))


def read_back(demo: Demo, results: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """What the services say, beside what was expected."""
    return figures_of(demo.samples.expected, found_in(demo.operator, results))


def wait_for_stillness(demo: Demo) -> None:
    """Wait until neither entries nor notices have grown for a while."""
    until = time.monotonic() + STILLNESS_SECONDS
    now = standing(demo.operator)
    while time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        before, now = now, standing(demo.operator)
        until = until if now == before else time.monotonic() + STILLNESS_SECONDS


def repeated(demo: Demo, before: tuple[int, int]) -> list[Figure]:
    """What a repeat must not bring."""
    entries, notices = standing(demo.operator)
    return [
        Figure("rows uploaded again and not as before", 0, demo.rows_changed),
        Figure("entries that the repeat added", 0, entries - before[0]),
        Figure("notices that the repeat added", 0, notices - before[1]),
    ]


def conclude(demo: Demo, screen: Screen, figures: Sequence[Figure]) -> int:
    """Say how it ended and where to look."""
    for sentence in shortened(demo.differences):
        screen.say(f"✗ {sentence}")
    unmet = [figure for figure in figures if not figure.is_met]
    for name, url in demo.speakers.addresses.urls.items():
        screen.say(f"  {name:<11} {url}{'' if name == 'portal' else '/docs'}")
    if unmet or demo.differences:
        screen.say(f"✗ {len(unmet)} of {len(figures)} figures differ, {len(demo.differences)} rows or steps differ.")
        return 1
    screen.say(f"✓ All {len(figures)} figures as expected, {demo.rows_sent} rows sent; the books balance.")
    return 0
