"""What the demo shows: a bar for each stage on a terminal, lines elsewhere, a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from onex.demo.compare import Figure

LINE_EVERY_SECONDS = 5.0


class Bar:
    """The progress of one stage."""

    def __init__(self, screen: Screen, title: str) -> None:
        self.title = title
        self.done, self.total = 0, 0
        self.note = ""
        self._screen = screen
        self._shown_at = time.monotonic()
        self._task: TaskID | None = None
        if screen.progress:
            self._task = screen.progress.add_task(title, total=None, note="")

    def at(self, done: int, total: int, note: str = "") -> None:
        """Show how far it is."""
        self.done, self.total, self.note = done, total, note
        if self._screen.progress and self._task is not None:
            self._screen.progress.update(self._task, completed=done, total=total or None, note=note)
        elif time.monotonic() - self._shown_at > LINE_EVERY_SECONDS:
            self._shown_at = time.monotonic()
            self._screen.say(f"  … {self.title}: {done} of {total} {note}".rstrip())


class Screen:
    """Where the demo tells what it does."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show stages while they run."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as self.progress:
            yield
        self.progress = None

    def run(self, title: str, stage: Callable[[Bar], None]) -> None:
        """One stage, from its beginning to its end."""
        started = time.monotonic()
        bar = Bar(self, title)
        stage(bar)
        bar.at(bar.total, bar.total, bar.note)
        if not self.progress:
            seconds = time.monotonic() - started
            self.say(f"✓ {title}: {bar.total} {bar.note} ({seconds:.1f} s)".replace("  ", " "))

    def say(self, text: str) -> None:
        """Say a line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def table(self, figures: Iterable[Figure]) -> None:
        """What was expected, what was found."""
        table = Table("", "expected", "found", "", title="OneX: the main job, read back from the services")
        for column in table.columns[1:3]:
            column.justify = "right"
        for figure in figures:
            mark = "[green]✓[/]" if figure.is_met else "[bold red]✗[/]"
            table.add_row(figure.name, str(figure.expected), str(figure.found), mark)
        self.console.print(table)
