"""The surfaces that are fuzzed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.fuzz import answers, batches, configs, dotenv, events, refusals, sounds, tools


class Target(NamedTuple):
    """A function that takes any bytes and raises when something does not hold.

    `words` are bytes worth inserting; `longest` is how long an input may become.
    """

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    longest: int = 4096


TARGETS: dict[str, Target] = {
    "sse": Target(events.fuzz_sse, events.SSE_SEEDS, events.SSE_WORDS),
    "chat": Target(events.fuzz_chat, events.CHAT_SEEDS, events.CHAT_WORDS),
    "messages": Target(events.fuzz_messages, events.MESSAGES_SEEDS, events.MESSAGES_WORDS),
    "faults": Target(refusals.fuzz_faults, refusals.FAULT_SEEDS, refusals.FAULT_WORDS),
    "batch": Target(batches.fuzz_batch, batches.SEEDS, batches.WORDS),
    "config": Target(configs.fuzz_config, configs.SEEDS, configs.WORDS, 5000),
    "dotenv": Target(dotenv.fuzz_dotenv, dotenv.SEEDS, dotenv.WORDS),
    "markdown": Target(answers.fuzz_markdown, answers.SEEDS, answers.WORDS, 2000),
    "tools": Target(tools.fuzz_tools, tools.PYTHON_SEEDS, tools.PYTHON_WORDS, 200),
    "tools-json": Target(tools.fuzz_tools_json, tools.JSON_SEEDS, tools.JSON_WORDS),
    "wav": Target(sounds.fuzz_wav, sounds.WAV_SEEDS, sounds.WAV_WORDS),
    "mp3": Target(sounds.fuzz_mp3, sounds.MP3_SEEDS, sounds.MP3_WORDS),
}
