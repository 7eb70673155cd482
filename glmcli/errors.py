"""Everything that can go wrong, as one tree.

GlmError                      1
├── UsageError                2   wrong words on the command line
├── ConfigError               3   no profile, a broken or unknown setting
│   ├── NoProvider            3   nothing says whom to ask
│   └── HistoryError          3   the local database cannot be used
├── MissingKey                4   no key anywhere
├── ServiceError              *   the service refused: exit code by business code
│   └── KeyRefused            4   401 and 1000-1005
├── NetworkError              8   nothing came, or too late
│   ├── TimedOut              8
│   └── StreamCut             8   an answer ended in the middle
├── ContentRefused            7   `finish_reason: sensitive`
├── TaskFailed                1   an asynchronous job failed at the service, or was lost there
├── ResultGone                1   the address of a result is no longer good
├── TaskPending               9   an asynchronous job is still running
├── NotExecutable           126   `glm exec`: the file is no program
├── CommandNotFound         127   `glm exec`: there is no such program
└── Interrupted             130   Ctrl-C

Errors are raised where the cause is known and caught in `cli.main` alone.
A message says what failed, on what; the hint says what to type or do next.
Neither ever holds a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell sees (`docs/exit-codes.md` is made from this)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    AUTH = 4
    BALANCE = 5
    LIMIT = 6
    CONTENT = 7
    NETWORK = 8
    PENDING = 9
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    INTERRUPTED = 130


class GlmError(Exception):
    """A failure that is told to the user in one line and one hint."""

    exit_code: ExitCode = ExitCode.FAILED
    kind: str = "failed"
    hint: str | None = None
    retryable: bool = False
    #: What `remedy` found out about the cause, for `--json`.
    diagnosis: Mapping[str, object] | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def to_json(self) -> dict[str, object]:
        """The object under `error` that `--json` prints on stderr."""
        return {
            "kind": self.kind,
            "code": None,
            "http_status": None,
            "message": self.message,
            "hint": self.hint,
            "request_id": None,
            "retryable": self.retryable,
            **({} if self.diagnosis is None else {"diagnosis": dict(self.diagnosis)}),
        }


class UsageError(GlmError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE
    kind = "usage"


class ConfigError(GlmError):
    """A file, variable or profile is missing, broken or contradictory."""

    exit_code = ExitCode.CONFIG
    kind = "config"


class NoProvider(ConfigError):
    """Neither a profile nor a variable nor a flag says whom to ask."""


class HistoryError(ConfigError):
    """The local database is damaged, locked, full, out of reach or from a newer `glm`.

    Its file was not changed. Who can do without it says so once and goes on.
    """

    kind = "history"


class MissingKey(GlmError):
    """No API key was given, stored or exported."""

    exit_code = ExitCode.AUTH
    kind = "auth"


class ServiceError(GlmError):
    """The service answered, and the answer is a refusal.

    `code` is the business code as text (`"1113"`), or a gateway's word
    (`"invalid_api_key"`), or None when the body named none. `reset_at` is
    epoch seconds, parsed from messages of plan windows; `rate_limits` holds
    the `X-RateLimit-*` headers, names in lower case. `is_foreign` says that
    the answer has not the form of the service's: a proxy's page, most likely.
    """

    kind = "service"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kind: str = "service",
        code: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        exit_code: ExitCode = ExitCode.FAILED,
        retry_after_seconds: float | None = None,
        reset_at: float | None = None,
        server_message: str | None = None,
        rate_limits: Mapping[str, str] | None = None,
        is_foreign: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.retryable = retryable
        self.exit_code = exit_code
        self.retry_after_seconds = retry_after_seconds
        self.reset_at = reset_at
        self.server_message = server_message
        self.rate_limits = dict(rate_limits or {})
        self.is_foreign = is_foreign

    def to_json(self) -> dict[str, object]:
        return {
            **super().to_json(),
            "code": self.code,
            "http_status": self.http_status,
            "request_id": self.request_id,
        }


class KeyRefused(ServiceError):
    """The service does not accept the key."""


class NetworkError(GlmError):
    """The service could not be reached, or stopped answering."""

    exit_code = ExitCode.NETWORK
    kind = "network"
    retryable = True
    #: Whether the request may have reached the service before the failure.
    sent: bool = True


class TimedOut(NetworkError):
    """Nothing came within the allowed time."""

    kind = "timeout"


class StreamCut(NetworkError):
    """An answer ended before it was finished; what came was kept."""

    kind = "stream_cut"
    retryable = False


class ContentRefused(GlmError):
    """The content policy of the service stopped the answer."""

    exit_code = ExitCode.CONTENT
    kind = "content"


class TaskFailed(GlmError):
    """The service gave an asynchronous job up, or does not know it any more."""

    kind = "task_failed"


class ResultGone(GlmError):
    """A result was made, and its address has expired since."""

    kind = "expired"


class TaskPending(GlmError):
    """An asynchronous job is still running when we stop waiting."""

    exit_code = ExitCode.PENDING
    kind = "pending"


class NotExecutable(GlmError):
    """What `glm exec` was given is a file, and not a program."""

    exit_code = ExitCode.NOT_EXECUTABLE
    kind = "not_executable"


class CommandNotFound(GlmError):
    """What `glm exec` was given is nowhere on PATH."""

    exit_code = ExitCode.NOT_FOUND
    kind = "not_found"


class Interrupted(GlmError):
    """The user stopped the command."""

    exit_code = ExitCode.INTERRUPTED
    kind = "interrupted"


class DryRun(Exception):
    """Carries the command that `--dry-run` prints instead of sending a request."""

    def __init__(self, command: str) -> None:
        super().__init__("a dry run sends nothing")
        self.command = command
