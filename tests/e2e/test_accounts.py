"""The README's way in for a machine of one's own, and for a person."""

from __future__ import annotations

import httpx

from tests.support.stack import Stack

TEO = "911100000000000276"


def test_a_machine_is_registered_and_gets_a_token_for_its_own(stack: Stack) -> None:
    said = stack.onex("add-client", "my-teo", "--role", "teo", "--owns", f"teo={TEO}")
    assert said.returncode == 0, said.stdout + said.stderr
    known = dict(line.split("=", 1) for line in said.stdout.split())
    form = {"grant_type": "client_credentials", "audience": "assessment"}
    asked = httpx.post(
        f"{stack.running.url('portal')}/oauth/token", data=form, auth=(known["CLIENT"], known["SECRET"]), timeout=30
    )
    token = asked.json()["access_token"]
    teos = httpx.get(
        f"{stack.running.url('assessment')}/teos", headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    assert teos.status_code == 200
    wrong = stack.onex("add-client", "my-teo", "--role", "teo", "--owns", TEO)
    assert (wrong.returncode, "kind=id" in wrong.stderr) == (1, True)


def test_a_person_is_registered(stack: Stack) -> None:
    said = stack.onex("add-user", "li.hua", "--role", "registry", "--password", "a-long-enough-one")
    assert said.returncode == 0, said.stdout + said.stderr
    short = stack.onex("add-user", "li.hua", "--role", "registry", "--password", "x")
    assert (short.returncode, "password" in short.stderr) == (1, True)
