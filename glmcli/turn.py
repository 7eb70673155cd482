"""One turn: a request goes out, its events are shown, and its end is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from glmcli.errors import ContentRefused, GlmError, Interrupted, NetworkError, ServiceError, StreamCut
from glmcli.events import Answer, AnswerBuilder, Event

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatCompletions, ChatRequest
    from glmcli.api.resources.messages import Messages
    from glmcli.context import AppContext
    from glmcli.render.answers import AnswerRenderer


class Turn:
    """What came of a request.

    `failure` is None for an answer that ended by itself. A failure does not
    undo the answer: what came before it is there. `seconds` is wall time.
    """

    def __init__(
        self,
        answer: Answer,
        seconds: float,
        failure: GlmError | None = None,
        *,
        ending: BaseException | None = None,
    ) -> None:
        self.answer = answer
        self.seconds = seconds
        self.failure = failure
        #: The kind of ending that is told but is no failure (`length`, ...).
        self.note: str | None = None
        #: What ended the process in the middle: a signal, a closed pipe. To be raised once the answer is written down.
        self.ending = ending


def run_turn(
    batches: Iterator[list[Event]], renderer: AnswerRenderer, *, clock: Callable[[], float] = time.monotonic
) -> Turn:
    """Show an answer while it comes. Raises only what happens before anything came."""
    builder = AnswerBuilder()
    failure: GlmError | None = None
    ending: BaseException | None = None
    started = clock()
    try:
        for batch in batches:
            builder.feed(batch)
            renderer.feed(batch)
    except KeyboardInterrupt:
        failure = Interrupted("stopped; what came so far is kept" if builder.has_output else "stopped")
    except (NetworkError, ServiceError) as error:
        if not builder.has_output:
            raise
        failure = error
    except BaseException as error:
        if not builder.has_output:
            raise
        failure, ending = Interrupted("the answer was broken off"), error
    answer = builder.answer()
    if not isinstance(ending, Exception) and (failure is None or builder.has_output):
        with suppress(OSError) if ending is not None else nullcontext():  # the terminal may have gone
            renderer.finish(answer, complete=failure is None)
    turn = Turn(answer, clock() - started, failure, ending=ending)
    if failure is None:
        _judge(turn)
    return turn


def _judge(turn: Turn) -> None:
    """Tell endings other than `stop` and `tool_calls` (`api/chat.md` section 7)."""
    answer = turn.answer
    reason = answer.finish_reason
    if reason == "length":
        turn.note = _length_note(answer)
    elif reason == "sensitive":
        turn.failure = ContentRefused(
            "the service stopped the answer: its content policy was triggered",
            hint="rephrase the prompt; `glm explain 1301` says more",
        )
    elif reason == "network_error":
        turn.failure = StreamCut("the service broke the answer off (network_error)", hint="ask again")
    elif reason == "model_context_window_exceeded":
        turn.note = "the answer ends early: prompt and answer together fill the model's context window"


def _length_note(answer: Answer) -> str:
    if not answer.content.strip() and answer.reasoning:
        return (
            "thinking used up all of --max-tokens, so there is no answer; "
            "raise --max-tokens, or think less with --think low or off"
        )
    return "the answer ends early: it reached --max-tokens"


def ask(app: AppContext, request: ChatRequest, *, thinking: str, stream: bool = True, shown: bool = True) -> Turn:
    """One turn with the renderer that suits stdout, and its usage line on a terminal.

    With `shown` False the answer is only returned.
    """
    from glmcli.accounting import prepare_to_record, record_usage
    from glmcli.api.resources.chat import events_of_answer

    chat = chat_resource(app)

    def batches() -> Iterator[list[Event]]:
        if stream:
            yield from chat.stream(request)
        else:
            yield events_of_answer(chat.create(request))

    events = advised(batches(), request.model)
    if shown and _is_live(app, thinking):
        turn = _live_turn(app, events, show_reasoning=thinking == "show")
    else:
        app.client.meanwhile = lambda: prepare_to_record(app)
        with app.interrupts.at_once():
            turn = run_turn(events, _plain_renderer(app, thinking) if shown else _silent_renderer())
    if turn.ending is None and app.streams.stdout_is_tty and app.streams.stderr_is_tty and not app.options.json:
        _write_usage(app, turn)
    answered = turn.answer.model or request.model
    record_usage(app, command="chat", model=answered, usage=turn.answer.usage, asked=request.model)
    return turn


def chat_resource(app: AppContext) -> ChatCompletions | Messages:
    """The resource for the protocol of the settings."""
    from glmcli.api.endpoints import Protocol

    if app.settings.protocol.value is Protocol.ANTHROPIC:
        from glmcli.api.resources.messages import Messages

        return Messages(app.client, language=app.language)
    from glmcli.api.resources.chat import ChatCompletions

    return ChatCompletions(app.client, language=app.language)


def advised(batches: Iterator[list[Event]], model: str) -> Iterator[list[Event]]:
    """The same batches; an unknown model (1211) is told together with the ids that it resembles."""
    try:
        yield from batches
    except ServiceError as error:
        if error.code in ("1211", "model_not_found"):
            from glmcli.api.catalog import nearest

            meant = ", ".join(nearest(model))
            error.hint = f"did you mean {meant}? `glm models` lists what is known" if meant else error.hint
        raise


def told(app: AppContext, turn: Turn) -> None:
    """Tell how a turn ended. Raises its failure."""
    if turn.ending is not None:
        raise turn.ending
    if turn.failure is not None:
        raise turn.failure
    if turn.note:
        app.streams.note(f"glm: {turn.note}")


def tell_calls(app: AppContext, answer: Answer) -> None:
    """The calls of tools that are not ours to carry out, one JSON object per line."""
    import json

    for call in answer.tool_calls:
        try:
            arguments = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = call.arguments
        app.streams.write_line(
            json.dumps({"id": call.id, "name": call.name, "arguments": arguments}, ensure_ascii=False)
        )


def tell_sources(app: AppContext, answer: Answer) -> None:
    """Web pages as footnotes, on stderr: the answer itself stays what the model wrote."""
    for number, source in enumerate(answer.sources, 1):
        title = source.get("title") or source.get("media") or ""
        app.streams.note(f"[{source.get('refer') or number}] {title}  {source.get('link') or ''}".rstrip())


def _is_live(app: AppContext, thinking: str) -> bool:
    streams = app.streams
    return streams.stdout_is_tty and not streams.is_dumb and not app.options.json and thinking != "only"


def _live_turn(app: AppContext, batches: Iterator[list[Event]], *, show_reasoning: bool) -> Turn:
    """Read in a thread and draw in this one; what drawing needs is imported while the server thinks."""
    from glmcli.accounting import prepare_to_record
    from glmcli.pump import Pump
    from glmcli.render.live import LiveRenderer

    renderer = LiveRenderer(app.streams, show_reasoning=show_reasoning)
    sent = app.client.prepare()
    pump: Pump[list[Event]] = Pump(batches, idle=[], next_wait=renderer.next_wait)
    try:
        with app.interrupts.handed_to(pump.interrupt):
            sent.wait(timeout=0.2)  # the request leaves before anything that the answer needs is imported
            renderer.preload()
            prepare_to_record(app)
            return run_turn(iter(pump), renderer)
    finally:
        pump.stop()
        app.client.abort()


def _plain_renderer(app: AppContext, thinking: str) -> AnswerRenderer:
    from glmcli.render.answers import JsonDocumentRenderer, ReasoningRenderer, TextRenderer

    streams = app.streams
    if app.options.json:
        return JsonDocumentRenderer(streams.write_json)
    write = streams.write_harmless if streams.stdout_is_tty else streams.write
    if thinking == "only":
        return ReasoningRenderer(write)
    show = streams.write_error if thinking == "show" else None
    return TextRenderer(write, write_reasoning=show, end_line=True)


def _silent_renderer() -> AnswerRenderer:
    from glmcli.render.silent import SilentRenderer

    return SilentRenderer()


def _write_usage(app: AppContext, turn: Turn) -> None:
    from glmcli.render.usage_line import usage_line

    line = usage_line(turn.answer, seconds=turn.seconds, target=app.target)
    if line and not app.streams.quiet:
        app.streams.write_error(line + "\n")
