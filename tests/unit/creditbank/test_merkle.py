"""The tree over all heads: RFC 6962 with its own figures, every size and place; a proof that is bent shows nothing."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onex.ledger import _root_of
from services.creditbank.ledger.merkle import Head, Tree, head_of, walked

# The leaves of Certificate Transparency's reference implementation, and its roots.
LEAVES = ["", "\0", "\x10", " !", "01", "@ABC", "PQRSTUVW", "`abcdefghijklmno"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def grown(lines: list[str]) -> bytes:
    tree = Tree()
    for line in lines:
        tree.add(line)
    assert tree.size == len(lines)
    return tree.root()


def by_the_book(lines: list[str]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not lines:
        return hashlib.sha256().digest()
    if len(lines) == 1:
        return hashlib.sha256(b"\0" + lines[0].encode()).digest()
    half = max(2**n for n in range(20) if 2**n < len(lines))
    return hashlib.sha256(b"\1" + by_the_book(lines[:half]) + by_the_book(lines[half:])).digest()


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_the_root_is_the_one_of_the_reference(size: int) -> None:
    assert grown(LEAVES[:size]).hex() == ROOTS[size]


def test_a_bank_without_accounts_has_the_root_of_nothing() -> None:
    assert grown([]) == by_the_book([])


@pytest.mark.parametrize("size", range(1, 35))
def test_every_place_of_every_size_is_proved(size: int) -> None:
    lines = [f"learner-{number} {number} {number:064x}" for number in range(size)]
    root = by_the_book(lines)
    assert grown(lines) == root
    for place in range(size):
        assert (walked(iter(lines), size, place)[0]) == root
        path = walked(iter(lines), size, place)[1]
        assert _root_of(lines[place], place, size, path) == root


@given(st.lists(st.text("ab", min_size=1), min_size=2, max_size=40, unique=True), st.data())
def test_a_path_shows_its_own_leaf_at_its_own_place_alone(lines: list[str], data: st.DataObject) -> None:
    size, place = len(lines), data.draw(st.integers(0, len(lines) - 1))
    root, path = walked(iter(lines), size, place)
    other = data.draw(st.sampled_from([one for one in lines if one != lines[place]]))
    assert _root_of(other, place, size, path) != root
    broken = data.draw(st.integers(0, len(path) - 1))
    bent = [bytes([one[0] ^ 1]) + one[1:] if at == broken else one for at, one in enumerate(path)]
    assert _root_of(lines[place], place, size, bent) != root
    with pytest.raises(ValueError, match="too short"):
        _root_of(lines[place], place, size, path[:-1])
    with pytest.raises(ValueError, match="too long"):
        _root_of(lines[place], place, size, [*path, b"x" * 32])


def test_an_inner_node_does_not_pass_for_a_head() -> None:
    lines = ["a", "b", "c", "d"]
    root = grown(lines)
    left = hashlib.sha256(b"\1" + b"".join(hashlib.sha256(b"\0" + one.encode()).digest() for one in "ab")).digest()
    right = hashlib.sha256(b"\1" + b"".join(hashlib.sha256(b"\0" + one.encode()).digest() for one in "cd")).digest()
    assert hashlib.sha256(b"\1" + left + right).digest() == root
    assert grown([left.hex(), right.hex()]) != root


def test_too_few_heads_are_no_tree() -> None:
    with pytest.raises(ValueError, match="fewer heads"):
        walked(iter(["a", "b"]), 3, 0)


def test_a_head_is_read_as_it_was_written() -> None:
    head = Head("mei", 12, bytes(range(32)))
    assert head_of(head.line()) == head
    with pytest.raises(ValueError, match="unpack"):
        head_of("mei 12")
