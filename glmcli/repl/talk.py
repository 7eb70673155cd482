"""What a conversation at the terminal is made of besides its session: what waits, what was asked last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from glmcli.errors import DryRun, Interrupted, ServiceError, UsageError
from glmcli.repl.size import about_tokens, context_of
from glmcli.repl.terminal import echo
from glmcli.telling import as_ours, tell, trace
from glmcli.turn import tell_calls, tell_sources

if TYPE_CHECKING:
    from glmcli.attachments import Attachment
    from glmcli.session import Session
    from glmcli.turn import Turn

_CONTINUE = "Go on exactly where your last answer stopped. Repeat nothing, and say nothing about having stopped."


class Leave(Exception):
    """The user wants to go."""


class Talk:
    """Asks through the session and tells what happens; nothing that fails ends it.

    `attachments` wait for the next question.
    """

    def __init__(self, session: Session, attachments: Sequence[Attachment] = ()) -> None:
        self.session = session
        self.app = session.app
        self.attachments = list(attachments)
        self.last_prompt = ""

    def say(self, text: str) -> None:
        """Tell what was asked for; on stderr, because it is no answer."""
        self.app.streams.complain(text)

    def tell(self, error: BaseException) -> None:
        """Tell a failure."""
        secrets = self.app.secrets()
        found = as_ours(error)
        if isinstance(found, ServiceError):
            self._find_way_out(found)
        if self.app.options.verbose > 1 and found is not error:
            self.say(trace(error, secrets))
        tell(found, self.app.streams, as_json=False, secrets=secrets)

    def _find_way_out(self, error: ServiceError) -> None:
        """Put what mends a refusal into its hint; Ctrl-C spares the questions to the service."""
        from glmcli.remedy import diagnose_failure

        with suppress(KeyboardInterrupt), self.app.interrupts.at_once():
            diagnose_failure(self.app, error)

    # -- asking ------------------------------------------------------------------

    def ask(self, prompt: str) -> None:
        """Ask, with what is attached."""
        attachments, self.attachments = self.attachments, []
        self.last_prompt = prompt
        try:
            self._hold(lambda: self.session.ask(prompt, attachments))
        except UsageError as error:  # nothing was sent; what is attached may be the reason
            self.attachments = attachments
            self.tell(error)
            if attachments:
                self.say("  still attached; /attach clear drops it")

    def retry(self) -> None:
        """Ask the last question again."""
        self._hold(self.session.retry)

    def go_on(self) -> None:
        """Let the model go on with an answer that was stopped or ended early."""
        messages = self.session.messages
        if not messages or messages[-1]["role"] != "assistant":
            raise UsageError("there is no answer to go on with", hint="/retry asks the last question again")
        self._hold(lambda: self.session.ask(_CONTINUE))

    def _hold(self, ask: Callable[[], Turn]) -> None:
        """Show an answer; Ctrl-C stops it and nothing else. Raises UsageError alone."""
        app = self.app
        try:
            with echo(app.streams.stdin, shown=False):
                turn = ask()
                toolbox = self.session.setup.toolbox
                if toolbox is not None and not toolbox.can_run:
                    tell_calls(app, turn.answer)
                tell_sources(app, turn.answer)
            self._judge(turn)
        except KeyboardInterrupt:
            self.say("interrupted")
        except DryRun as dry:
            app.streams.write_line(dry.command)
        except UsageError:
            raise
        except Exception as error:
            self.tell(error)
            if isinstance(error, ServiceError) and error.code == "1261":
                self._tell_size()

    def _judge(self, turn: Turn) -> None:
        answer = turn.answer
        if isinstance(turn.failure, Interrupted):
            kept = bool(answer.content or answer.tool_calls)
            self.say(
                "interrupted; what came is kept: /continue goes on, /retry asks again"
                if kept
                else "interrupted; /retry asks again"
            )
        elif turn.failure is not None:
            self.tell(turn.failure)
            if answer.content:
                self.say("  what came is kept; /continue goes on, /retry asks again")
        elif turn.note:
            self.say(f"glm: {turn.note}")
            if answer.finish_reason == "model_context_window_exceeded":
                self._tell_size()
            elif answer.finish_reason == "length" and answer.content:
                self.say("  /continue goes on")

    def _tell_size(self) -> None:
        """By how much the conversation is too long, and the way out."""
        tokens = about_tokens(self.session)
        context = context_of(self.session.model)
        limit = f"; {self.session.model} takes {context:,}" if context else ""
        excess = f", {tokens - context:,} too many" if context and tokens > context else ""
        self.say(f"  the conversation has about {tokens:,} tokens{limit}{excess}")
        self.say("  /compact summarises its older part, /new begins another, /model asks a model with more room")
