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


def test_a_person_takes_a_token_along_and_a_wrong_password_none(stack: Stack) -> None:
    stack.onex("add-user", "sun.li", "--role", "registry", "--password", "a-long-enough-one")
    said = stack.onex("token", "sun.li", "enrolment", "--password", "a-long-enough-one")
    assert said.returncode == 0, said.stdout + said.stderr
    body = {"survivor_id": "nobody", "merged_id": "nobody-else"}
    headers = {"Authorization": f"Bearer {said.stdout.strip()}"}
    asked = httpx.post(f"{stack.running.url('enrolment')}/merges", json=body, headers=headers, timeout=30)
    assert asked.json()["code"] == "not_found", "a person is heard; a machine would be told person_needed"
    wrong = stack.onex("token", "sun.li", "enrolment", "--password", "another-long-one")
    assert (wrong.returncode, "Check name and password" in wrong.stderr) == (1, True)
