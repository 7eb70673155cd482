"""Faults of usage in our own words, and the rest of `telling` for the root command."""

from __future__ import annotations

import re

from typer._click.exceptions import ClickException, NoSuchOption
from typer._click.exceptions import UsageError as ClickUsageError

from glmcli.errors import GlmError, UsageError
from glmcli.telling import as_ours, tell, trace, without_keys

__all__ = ["expected", "tell", "trace", "without_keys"]


def expected(error: BaseException, command: str) -> tuple[GlmError, str]:
    """The error to tell for anything that was raised, and the words to put in front of it.

    `command` is named where a fault of usage does not say which command it belongs to.
    """
    if isinstance(error, ClickException):
        return _from_click(error, command)
    return as_ours(error), "glm"


def _from_click(error: ClickException, command: str) -> tuple[GlmError, str]:
    message, _, suggestion = error.format_message().partition(" Did you mean ")
    context = error.ctx if isinstance(error, ClickUsageError) else None
    prefix = context.command_path if context else command
    if isinstance(error, NoSuchOption):
        message, hint = _unknown_option(error, prefix)
    elif suggestion:
        hint = f"did you mean {suggestion.rstrip('?')}?"
    else:
        hint = f"see {prefix} --help"
    return UsageError(_as_our_own(message), hint=hint), prefix


def _unknown_option(error: NoSuchOption, prefix: str) -> tuple[str, str]:
    message = f"no such option: {error.option_name}"
    if error.possibilities:
        return message, f"did you mean {error.possibilities[0]}?"  # the nearest comes first
    return message, f"see {prefix} --help; put -- before words that start with a dash"


def _as_our_own(message: str) -> str:
    """Click's sentence in the house's form: lower case first, no final full stop."""
    message = " ".join(message.split())
    message = re.sub(r"not a valid int\w*( range)?", "not a whole number", message)
    message = re.sub(r"not a valid float( range)?", "not a number", message)
    return message[:1].lower() + message[1:].rstrip(".")
