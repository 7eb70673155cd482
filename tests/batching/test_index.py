"""The dictionary on disk."""

from __future__ import annotations

import random

from glmcli.batching.index import DiskIndex, Entry, Order, key_of


def test_it_behaves_like_a_dictionary() -> None:
    """Twenty thousand puts and overwrites, through several moves of the table, against a real dict."""
    index, real = DiskIndex(), {}
    chance = random.Random(7)
    for number in range(20_000):
        key = key_of(str(chance.randrange(12_000)))
        entry = Entry(number, number * 3, 2**64 - 1 - number)
        index.put(key, entry)
        real[key] = entry
    assert len(index) == len(real)
    assert all(index.get(key) == entry for key, entry in real.items())
    assert index.get(key_of("never put")) is None
    index.close()


def test_ids_of_any_text_have_keys() -> None:
    """Also lone surrogates, which JSON allows."""
    assert len({key_of(text) for text in ("", "a", "\ud800", "任务")}) == 4


def test_an_order_is_what_was_appended() -> None:
    """Reading in between does not disturb the writing."""
    order = Order()
    keys = [key_of(str(number)) for number in range(1000)]
    for number, key in enumerate(keys):
        order.append(key)
        assert order.at(number // 2) == keys[number // 2]
    assert list(order) == keys
    order.close()
