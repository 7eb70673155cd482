"""How to ask an asynchronous job how it is doing: states, and pauses that grow.

Pure: the time and the sleeping are the caller's. The documented words are
PROCESSING, SUCCESS and FAIL (`api/video.md`); examples of the vendor's SDK
know SUBMITTED too, so that an unknown word counts as still running.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: The first pause and the longest one, in seconds (the SDK's examples ask every 5 s).
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 15.0
GROWTH = 1.5


class JobState(StrEnum):
    """What the service says of a job, as far as it matters to us."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_STATES = {
    "success": JobState.SUCCEEDED,
    "succeeded": JobState.SUCCEEDED,
    "fail": JobState.FAILED,
    "failed": JobState.FAILED,
}


def state_of(status: str | None) -> JobState:
    """The state behind a word of the service; one that nobody documents is still running."""
    return _STATES.get((status or "").strip().lower(), JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """When to ask again. `deadline_seconds` bounds the whole wait; None waits for ever.

    `interval_seconds` asks at an even pace instead of a slowing one.
    """

    interval_seconds: float | None = None
    deadline_seconds: float | None = None

    def pause(self, asked: int, elapsed_seconds: float) -> float | None:
        """Seconds until the next question, after `asked` of them; None when the time is over.

        The last pause is cut short, so that the job is asked once more at the deadline.
        """
        wanted = self._wanted(asked)
        if self.deadline_seconds is None:
            return wanted
        left = self.deadline_seconds - elapsed_seconds
        return min(wanted, left) if left > 0 else None

    def _wanted(self, asked: int) -> float:
        if self.interval_seconds is not None:
            return self.interval_seconds
        return min(LONGEST_SECONDS, FIRST_SECONDS * GROWTH ** min(max(asked - 1, 0), 16))
