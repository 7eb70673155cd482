"""Inputs made from seeds by chance: the same for the same number, with no help from coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.fuzz.targets import Target

Change = Callable[[bytearray, Target, Random], None]


def mutations(target: Target, random: Random) -> Iterator[bytes]:
    """Inputs without end. Mutants of a seed are mutated further, so that changes add up."""
    pool = [bytearray(seed) for seed in target.seeds]
    while True:
        mutant = bytearray(random.choice(pool))
        for _ in range(random.choice((1, 1, 1, 2, 2, 4, 8))):
            random.choice(_CHANGES)(mutant, target, random)
        del mutant[target.longest :]
        yield bytes(mutant)
        if len(pool) < 200:
            pool.append(mutant)
        else:
            pool[random.randrange(len(target.seeds), len(pool))] = mutant


def _set_byte(mutant: bytearray, target: Target, random: Random) -> None:
    if mutant:
        mutant[random.randrange(len(mutant))] = random.randrange(256)


def _flip_bit(mutant: bytearray, target: Target, random: Random) -> None:
    if mutant:
        mutant[random.randrange(len(mutant))] ^= 1 << random.randrange(8)


def _insert_word(mutant: bytearray, target: Target, random: Random) -> None:
    at = random.randint(0, len(mutant))
    mutant[at:at] = random.choice(target.words)


def _replace_by_word(mutant: bytearray, target: Target, random: Random) -> None:
    start, end = _span(mutant, random)
    mutant[start:end] = random.choice(target.words)


def _repeat_word(mutant: bytearray, target: Target, random: Random) -> None:
    at = random.randint(0, len(mutant))
    mutant[at:at] = random.choice(target.words) * random.choice((2, 3, 10, 100, 1500))


def _delete_span(mutant: bytearray, target: Target, random: Random) -> None:
    start, end = _span(mutant, random)
    del mutant[start:end]


def _repeat_span(mutant: bytearray, target: Target, random: Random) -> None:
    start, end = _span(mutant, random)
    mutant[end:end] = mutant[start:end] * random.choice((1, 1, 2, 5))


def _splice(mutant: bytearray, target: Target, random: Random) -> None:
    other = bytearray(random.choice(target.seeds))
    start, end = _span(other, random)
    at = random.randint(0, len(mutant))
    mutant[at:at] = other[start:end]


def _span(mutant: bytearray, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(mutant))
    return start, min(len(mutant), start + random.choice((1, 2, 4, 16, 64)))


_CHANGES: tuple[Change, ...] = (
    _set_byte,
    _flip_bit,
    _insert_word,
    _insert_word,
    _replace_by_word,
    _repeat_word,
    _delete_span,
    _repeat_span,
    _splice,
)
