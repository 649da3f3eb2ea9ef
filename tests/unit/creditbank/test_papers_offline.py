"""A credential's QR code is read off its picture and verified by the public key alone, at the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import zxingcpp
from click.testing import CliRunner, Result

from onex.cli import main
from services.creditbank.papers import queries
from services.creditbank.papers.commands import request_credential
from services.creditbank.papers.signing import Signer
from services.creditbank.papers.square import SCALE, square_of
from tests.unit.creditbank.papers import PAPERS_URL, PUBLIC_URL, desk
from tests.unit.creditbank.stories import TEO, Assessment, annulled, finalised, publicised, publish_annex, registered

DESK = desk()
MOVE = re.compile(r"([Mm])(-?[\d.]+) (-?[\d.]+)|h(\d+)")


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"))
    teller.tell(publicised("mei"), finalised("mei"))
    return teller


def drawn(svg: bytes) -> memoryview:
    """The picture as a camera sees it: the strokes of the SVG's path, each a row of dark modules, four pixels wide."""
    text = svg.decode()
    side = int(re.search(r'width="(\d+)"', text)[1]) // SCALE  # type: ignore[index]
    rows, x, y = [bytearray(b"\xff" * side) for _ in range(side)], 0.0, 0.0
    for kind, dx, dy, length in MOVE.findall(re.search(r'stroke="#000" d="([^"]+)"', text)[1]):  # type: ignore[index]
        if kind:
            x, y = (float(dx), float(dy)) if kind == "M" else (x + float(dx), y + float(dy))
            continue
        rows[int(y)][int(x) : int(x) + int(length)] = bytes(int(length))
        x += int(length)
    pixels = b"".join(bytes(dot for dot in row for _ in range(4)) * 4 for row in rows)
    return memoryview(pixels).cast("B", (side * 4, side * 4))


@pytest.fixture
def scanned(assessment: Assessment, tmp_path: Path) -> Path:
    """What a reader finds in the square code, as a file, with the bank's keys and its status list beside it."""
    row = request_credential("mei", f"{TEO}:plan:0001:1", DESK)
    (code,) = zxingcpp.read_barcodes(drawn(square_of(queries.carried_by_code("mei", row["_id"], DESK))))
    (tmp_path / "code").write_text(code.text)
    (tmp_path / "keys").write_text(json.dumps(DESK.signer().published()))
    listed(tmp_path)
    return tmp_path


def listed(folder: Path) -> None:
    (folder / "list").write_text(queries.status_list(1, DESK))


def check(folder: Path, *more: str, key: str = "keys") -> Result:
    return CliRunner().invoke(main, ["papers", "check", str(folder / "code"), "--key", str(folder / key), *more])


def status(folder: Path, name: str = "list") -> tuple[str, str]:
    return "--status", str(folder / name)


def test_the_square_code_leads_to_the_page_and_carries_the_credential(scanned: Path) -> None:
    text = (scanned / "code").read_text()
    address, _, token = text.partition("#")
    assert address.startswith(f"{PUBLIC_URL}/verify/")
    assert token.count(".") == 2


def test_a_scanned_code_is_verified_by_the_public_key_alone(scanned: Path) -> None:
    done = check(scanned)
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["holder"], said["issuer"], said["achievement"]) == ("黄**", PAPERS_URL, "cloud-ops 中级")
    assert said["revocation"].startswith("not asked")
    assert json.loads(check(scanned, *status(scanned)).output)["revocation"] == "not revoked"


def test_a_revoked_one_is_refused_with_the_list_of_today(scanned: Path, assessment: Assessment) -> None:
    assessment.tell(annulled("mei"))
    listed(scanned)
    assert check(scanned, *status(scanned)).exit_code == 1


def test_an_altered_one_is_refused(scanned: Path) -> None:
    text = (scanned / "code").read_text()
    (scanned / "code").write_text(text[:-200] + ("B" if text[-200] == "A" else "A") + text[-199:])
    assert check(scanned).exit_code == 1


def test_one_of_another_issuer_is_refused(scanned: Path) -> None:
    stranger = DESK.signer().published()["keys"][0]
    forged = {
        "keys": [stranger | {name: stranger[name] for name in ("kid",)} | {"x": stranger["y"], "y": stranger["x"]}]
    }
    (scanned / "others").write_text(json.dumps(forged))
    assert check(scanned, key="others").exit_code == 1


@pytest.mark.parametrize("name", ["code", "nowhere"])
def test_what_is_no_key_is_said(scanned: Path, name: str) -> None:
    done = check(scanned, key=name)
    assert done.exit_code == 1
    assert not done.exception or isinstance(done.exception, SystemExit)


def test_a_key_published_is_never_private(assessment: Assessment) -> None:
    assert "d" not in Signer(b"k" * 32, PAPERS_URL).published()["keys"][0]


def test_another_seal_key_does_not_open_the_signing_key(assessment: Assessment) -> None:
    Signer(b"k" * 32, PAPERS_URL)
    with pytest.raises(SystemExit, match="SEAL_KEY"):
        Signer(b"o" * 32, PAPERS_URL)
