"""A college's roster, previewed and committed, beside reading its file: `python bench/imports.py [--rows 100000]`.

The file has the fourteen columns that colleges send. What is measured is the deed itself, in a process of its own with
a real mongod: the sheet's own jobs, from the upload to the last row committed, with its learners, student records,
applications and announcements. The file is read twice for comparison: by calamine, which the system reads with, and by
openpyxl, which most programs do. Each ratio is of one run; told are the median, the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psutil
from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from chassis.database import all_documents, connect, ensure_indexes
from chassis.sheet.imports import Received, Sheets, ask_to_commit, found, receive
from chassis.sheet.jobs import sheet_jobs
from contracts.terms import Level
from onex.samples.names import identity_number
from onex.stack.engines import start_mongod
from onex.stack.ports import free_port
from services.enrolment.applications.commands import keep_schemes
from services.enrolment.applications.domain import Offer
from services.enrolment.applications.roster import roster
from services.enrolment.learners.keyring import Keyring
from services.enrolment.programmes.commands import publish_programme
from services.enrolment.programmes.domain import Programme

HEADERS = (
    "姓名", "证件类型", "证件号码", "学校代码", "学号", "院系", "年级", "专业", "班级", "学籍状态", "手机", "邮箱",
    "申请证书", "申请等级",
)  # fmt: skip
KEYRING = Keyring(master=b"m" * 32, pepper=b"pepper")
DEEDS = ("calamine", "openpyxl", "import")
MB = 1_000_000
Figures = dict[str, float]


def main() -> None:
    """Measure, print a table and write JSON; with `--deed`, do one deed and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path(".onex/bench-imports.json"))
    parser.add_argument("--deed", choices=DEEDS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--mongo", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.deed:
        print(json.dumps(measured(wanted.deed, wanted.file, wanted.mongo)))
        return
    runs = list(all_runs(wanted.rows, wanted.runs))
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": psutil.cpu_count(), "memory_mb": psutil.virtual_memory().total // MB, "on": platform.platform()}
    wanted.json.write_text(json.dumps({"machine": machine, "rows": wanted.rows, "runs": runs}, indent=1) + "\n")
    show(runs)


def all_runs(rows: int, count: int) -> Iterator[dict[str, Figures]]:
    """Both deeds, time and again, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="onex-bench-") as folder:
        file = Path(folder) / "roster.xlsx"
        write_roster(file, rows)
        for run in range(count):
            yield one_run(file, Path(folder) / str(run))


def one_run(file: Path, place: Path) -> dict[str, Figures]:
    """Each deed once, with an empty mongod."""
    place.mkdir()
    mongod = start_mongod(place, free_port())
    try:
        return {deed: in_a_process(deed, file, mongod.mongo_url) for deed in DEEDS}
    finally:
        mongod.stop()


def in_a_process(deed: str, file: Path, mongo: str) -> Figures:
    command = [sys.executable, __file__, "--deed", deed, "--file", str(file), "--mongo", mongo]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(deed: str, file: Path, mongo: str) -> Figures:
    """Wall and processor seconds of a deed, and the most memory its process ever had."""
    if deed == "import":
        prepare(mongo)
    began, spent = time.monotonic(), time.process_time()
    {"calamine": read_by_calamine, "openpyxl": read_by_openpyxl, "import": take_in}[deed](file)
    return {
        "wall": time.monotonic() - began,
        "processor": time.process_time() - spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB,
    }


def read_by_calamine(file: Path) -> None:
    """Every cell of the file, as values."""
    for row in CalamineWorkbook.from_path(file).get_sheet_by_index(0).iter_rows():
        len(row)


def read_by_openpyxl(file: Path) -> None:
    """Every cell of the file, as values."""
    for row in load_workbook(file, read_only=True).worksheets[0].iter_rows(values_only=True):
        len(row)


def prepare(mongo: str) -> None:
    """A database with what a roster needs: a programme and a scheme."""
    sheets()
    connect(mongo, f"bench_{uuid.uuid4().hex[:8]}")
    ensure_indexes(*all_documents())
    publish_programme(Programme("630302", "会计", (2019,), 14_000, "530302"))
    keep_schemes([Offer("smart-finance", "智能财税", (), (Level(1), Level(2), Level(3)))])


def sheets() -> Sheets:
    """The sheets enrolment takes."""
    return Sheets("enrolment", (roster(KEYRING),), KEYRING.master)


def take_in(file: Path) -> None:
    """Upload, have it previewed, commit, have it committed."""
    taken = sheets()
    upload = Received("roster", "zh", file.name, file.read_bytes(), options={}, uploaded_by="bench", owns={})
    number = receive(taken, upload)
    bring(taken, number, "previewed")
    ask_to_commit(number)
    bring(taken, number, "committed")


def bring(taken: Sheets, number: int, state: str) -> None:
    """Run the sheet's jobs until the import is in a state; every row has to be new."""
    reading, committing, *_ = (verb for _name, verb, _seconds in sheet_jobs(taken))
    while found(number)["state"] != state:
        if not (reading() or committing()):
            raise SystemExit(f"The import stands still, {found(number)['state']}.")
    if found(number)["counts"]["new"] != found(number)["total"]:
        raise SystemExit(f"Rows were not taken: {found(number)['counts']}.")


def write_roster(file: Path, rows: int) -> None:
    """A roster of so many students of one programme."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("名册")
    sheet.append(HEADERS)
    for serial in range(rows):
        sheet.append(student(serial))
    book.save(file)


def student(serial: int) -> list[str]:
    born = date(1999, 1, 1) + timedelta(days=serial // 900)
    number = f"2019{serial:07d}"
    return [
        f"陈晓岚{serial}", "居民身份证", identity_number("440106", born.strftime("%Y%m%d"), serial % 900 + 1),
        "4144099999", number, "财会学院", "2019", "会计", f"190{serial % 9}班", "在读", f"199{serial:08d}",
        f"s{number}@students.example.edu.cn", "智能财税", "初级",
    ]  # fmt: skip


def show(runs: list[dict[str, Figures]]) -> None:
    """The medians as a table, with least and greatest."""
    table = Table("figure", "median", "least", "greatest")
    for deed in DEEDS:
        for what, unit in (("wall", "s"), ("processor", "s"), ("memory", "MB")):
            line(table, f"{deed}: {what} ({unit})", [run[deed][what] for run in runs])
    for reader in DEEDS[:2]:
        for what in ("wall", "processor"):
            line(table, f"import / {reader}, {what} (×)", [run["import"][what] / run[reader][what] for run in runs])
    Console().print(table)


def line(table: Table, name: str, values: list[float]) -> None:
    table.add_row(name, *(f"{value:.1f}" for value in (statistics.median(values), min(values), max(values))))


if __name__ == "__main__":
    main()
