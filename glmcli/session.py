"""A conversation: its messages, its tools, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from glmcli.api.endpoints import Plan
from glmcli.asking import ChatOptions, build_request, resolve_model
from glmcli.errors import GlmError, HistoryError, Interrupted, ServiceError, UsageError
from glmcli.spending import Spending
from glmcli.turn import Turn, ask

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.attachments import Attachment
    from glmcli.context import AppContext
    from glmcli.events import Answer, ToolCall
    from glmcli.history.model import Message, Transcript
    from glmcli.toolbox import Toolbox

WireMessage = dict[str, Any]
_PLURALS = {"image": "pictures", "video": "video", "file": "documents", "audio": "recordings"}


@dataclass(slots=True)
class SessionSetup:
    """How a conversation is held.

    `may_run` is asked before each call of a tool. `thinking` is `show`,
    `hide` or `only`. `log` False keeps nothing.
    """

    options: ChatOptions
    thinking: str
    toolbox: Toolbox | None = None
    may_run: Callable[[ToolCall], bool] = lambda call: True
    max_rounds: int = 10
    web_search: bool = False
    log: bool = True
    title: str | None = None
    copy_attachments: bool = False
    shown: bool = True


class Session:
    """Asks, remembers, and writes down.

    `messages` are in the service's form, without the system message. A
    question that fails leaves no trace in them, but `retry` knows it.
    """

    def __init__(self, app: AppContext, setup: SessionSetup, *, transcript: Transcript | None = None) -> None:
        self.app = app
        self.setup = setup
        self.messages: list[WireMessage] = []
        self.conversation_id: str | None = None
        self.title: str | None = setup.title
        self.last_turn: Turn | None = None
        self.spent = Spending()
        self._unanswered: tuple[str, Sequence[Attachment]] | None = None
        self._log_failed = False
        if transcript is not None:
            self._resume(transcript)

    @property
    def model(self) -> str:
        """The model that the next question goes to."""
        return resolve_model(self.app, self.setup.options.model)

    @property
    def unanswered(self) -> str | None:
        """The last question, when no answer to it came."""
        return self._unanswered[0] if self._unanswered is not None else None

    def change(self, **options: Any) -> None:
        """Change options (`model`, `system`, `think`, ...) for the questions to come."""
        self.setup.options = replace(self.setup.options, **options)
        known = {name: options[name] for name in ("model", "system") if options.get(name) is not None}
        if self.conversation_id is not None and known:
            identity = self.conversation_id
            self._keep(lambda: self.app.history.change(identity, **known))

    def ask(self, prompt: str, attachments: Sequence[Attachment] = ()) -> Turn:
        """One question and its answer, with as many rounds of tools as it takes.

        Raises what happens before anything of an answer came; a later failure
        stands in the turn.
        """
        self._unanswered = (prompt, attachments)
        content: object = prompt
        if attachments:
            from glmcli.attachments import message_content

            content = message_content(prompt, attachments, self.app.target.provider.region)
            self._use_seeing_model({attachment.kind for attachment in attachments})
        return self._answer({"role": "user", "content": content}, prompt, attachments)

    def retry(self) -> Turn:
        """Ask the last question again, answered or not. Raises GlmError when there is none."""
        if self._unanswered is not None:
            return self.ask(*self._unanswered)
        start = self._last_question()
        question = self.messages[start]
        earlier = self.messages[start:]
        del self.messages[start:]
        try:
            return self._answer(question, None, ())
        finally:
            if len(self.messages) == start:  # nothing came: the earlier answer is better than none
                self.messages.extend(earlier)

    def undo(self) -> str:
        """Take the last question and its answer back; returns the question's text.

        Raises GlmError when there is none.
        """
        if self._unanswered is not None:  # it never became part of the conversation
            (text, _), self._unanswered = self._unanswered, None
            return text
        start = self._last_question()
        text = plain_text(self.messages[start]["content"])
        del self.messages[start:]
        if self.conversation_id is not None:
            identity = self.conversation_id
            self._keep(lambda: self.app.history.undo_turn(identity))
        return text

    def clear(self) -> None:
        """Begin a new conversation with the same options."""
        self.messages.clear()
        self.setup.title = None
        self.conversation_id = self.title = None
        self.last_turn = None
        self._unanswered = None

    def rename(self, title: str) -> None:
        """Give the conversation a title, also one that begins with the next question."""
        self.title = self.setup.title = title
        if self.conversation_id is not None:
            identity = self.conversation_id
            self._keep(lambda: self.app.history.change(identity, title=title))

    def load(self, transcript: Transcript) -> None:
        """Leave this conversation and go on with a kept one, with its system message and model."""
        self.clear()
        self.setup.options = replace(self.setup.options, system=transcript.conversation.system or "", model=None)
        self._resume(transcript)

    def replace_messages(self, messages: list[WireMessage], kept: Sequence[Message], *, title: str | None) -> None:
        """Go on with other messages, in a new conversation; the old one stays in the history as it is."""
        self.clear()
        self.messages.extend(messages)

        self._keep(lambda: self._start(kept, title=title))

    # -- asking ------------------------------------------------------------------

    def _last_question(self) -> int:
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index]["role"] == "user":
                return index
        raise GlmError("there is no question yet")

    def _answer(self, question: WireMessage, prompt: str | None, attachments: Sequence[Attachment]) -> Turn:
        """Ask and log. `prompt` None means that the question stands in the log already."""
        start = len(self.messages)
        self.messages.append(question)
        kept: list[Message] = []
        try:
            turn = self._rounds(kept)
        except BaseException:
            del self.messages[start:]
            raise
        if len(self.messages) == start + 1:  # nothing came
            del self.messages[start:]
        else:
            self._unanswered = None
            self._log(prompt, attachments, kept)
        self.last_turn = turn
        if turn.ending is not None:
            raise turn.ending
        return turn

    def _rounds(self, kept: list[Message]) -> Turn:
        """Ask until the model has no more calls. Appends to `messages` and `kept`."""
        toolbox = self.setup.toolbox
        count = 0
        while True:
            turn = self._one_turn()
            self._take(turn, kept)
            calls = turn.answer.tool_calls
            if turn.failure is not None or not calls or toolbox is None or not toolbox.can_run:
                return turn
            count += 1
            if count > self.setup.max_rounds:
                turn.failure = GlmError(
                    f"stopped after {self.setup.max_rounds} rounds of tool calls", hint="allow more with --max-rounds N"
                )
                return turn
            try:
                for call in calls:
                    self._run_tool(call, toolbox, kept)
            except KeyboardInterrupt:
                turn.failure = Interrupted("stopped; what came so far is kept")
                return turn

    def _one_turn(self) -> Turn:
        request = self._request()
        try:
            return self._ask(request)
        except ServiceError as error:
            if error.code != "1210" or "reasoning_effort" not in request.thinking:
                raise
        self._remember_refusal(request.model)
        return self._ask(replace(request, thinking={"thinking": {"type": "enabled"}}))

    def _ask(self, request: ChatRequest) -> Turn:
        setup = self.setup
        turn = ask(self.app, request, thinking=setup.thinking, stream=setup.options.stream, shown=setup.shown)
        self.spent.add(self.app, turn.answer)
        return turn

    def _request(self) -> ChatRequest:
        request = build_request(self.app, self.setup.options, with_results(self.messages))
        tools = [*(self.setup.toolbox.tools if self.setup.toolbox else ()), *self._search_tool()]
        if not tools:
            return request
        from glmcli.api.catalog import find_model

        known = find_model(request.model)
        return replace(request, tools=tools, tool_stream=known is not None and known.tool_stream)

    def _search_tool(self) -> list[dict[str, object]]:
        if not self.setup.web_search:
            return []
        from glmcli.api.resources.chat import web_search_tool

        return [web_search_tool(self.app.target.provider.region)]

    def _remember_refusal(self, model: str) -> None:
        """The model knows no effort after all: say so once, and do not try again."""
        self.app.streams.note(f"glm: {model} refuses thinking levels; asking with thinking switched on only")
        self._keep(lambda: self.app.history.notes.set(f"refuses effort: {model}", "1"))

    def _take(self, turn: Turn, kept: list[Message]) -> None:
        """Add an answer to the conversation; a stopped one without its unfinished calls."""
        from glmcli.history.model import Message

        answer = turn.answer
        if turn.failure is not None:
            answer = replace(answer, tool_calls=[])
        if answer.content or answer.tool_calls:
            self.messages.append(assistant_message(answer, keep_reasoning=self._keeps_reasoning(answer)))
            kept.append(Message.from_answer(answer, interrupted=turn.failure is not None, seconds=turn.seconds))

    def _keeps_reasoning(self, answer: Answer) -> bool:
        """Whether the endpoint expects earlier thinking back, unmodified (`api/chat.md` section 5)."""
        provider = self.app.target.provider
        if provider.name == "custom":
            return False
        asked = any("clear_thinking=false" in pair for pair in self.setup.options.assignments)
        return provider.plan is Plan.CODING or bool(answer.tool_calls) or asked

    def _run_tool(self, call: ToolCall, toolbox: Toolbox, kept: list[Message]) -> None:
        from glmcli.history.model import Message
        from glmcli.toolbox import run_call

        with self.app.interrupts.at_once():
            if self.setup.may_run(call):
                self.app.streams.note(f"glm: calling {call.name}({call.arguments})")
                result = run_call(toolbox, call)
            else:
                result = "error: the user did not allow this call"
        self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        kept.append(Message(role="tool", content=result, tool_call_id=call.id))

    def _use_seeing_model(self, kinds: set[str]) -> None:
        """Switch to a model that can read what is attached, and name it."""
        from glmcli.api.catalog import can_read
        from glmcli.attachments import seeing_model

        model = self.model
        blind = [kind for kind in sorted(kinds - {"text"}) if can_read(model, kind) is False]
        if blind and self.app.target.base_url is None:
            seeing = seeing_model(self.app.target.provider)
            self.app.streams.note(f"glm: {model} cannot read {_PLURALS[blind[0]]}; asking {seeing}")
            self.change(model=seeing)

    # -- keeping -------------------------------------------------------------------

    @property
    def is_logged(self) -> bool:
        """Whether the conversation goes into the history."""
        return self.setup.log and not self.app.settings.no_log.value

    def _log(self, prompt: str | None, attachments: Sequence[Attachment], answers: list[Message]) -> None:
        if not self.is_logged:
            return
        from glmcli.history.model import Message

        def write() -> None:
            history = self.app.history
            if prompt is None:
                if self.conversation_id is not None:
                    history.undo_answer(self.conversation_id)
                    history.append(self.conversation_id, *answers)
                return
            kept = tuple(_kept_attachment(attachment) for attachment in attachments)
            if self.setup.copy_attachments:
                for attachment in kept:
                    history.attachments.keep(attachment)
            question = Message(role="user", content=prompt, attachments=kept)
            if self.conversation_id is None:
                self._start((question, *answers))
            else:
                history.append(self.conversation_id, question, *answers)

        self._keep(write)

    def _start(self, messages: Sequence[Message], *, title: str | None = None) -> None:
        settings, options = self.app.settings, self.setup.options
        conversation = self.app.history.start(
            messages,
            title=title or self.setup.title,
            model=self.model,
            provider=settings.provider.value.name,
            profile=settings.profile.value,
            system=options.system or None,
        )
        self.conversation_id, self.title = conversation.id, conversation.title

    def _keep(self, write: Callable[[], object]) -> None:
        """Write to the database; when that fails the conversation goes on, with one notice."""
        if self._log_failed or not self.is_logged:
            return
        try:
            write()
        except HistoryError as error:
            self._log_failed = True
            self.app.streams.note(f"glm: this conversation is not kept: {error.message}")

    def _resume(self, transcript: Transcript) -> None:
        conversation = transcript.conversation
        is_same_service = conversation.provider in (None, self.app.settings.provider.value.name)
        if self.setup.options.model is None and conversation.model and is_same_service:
            self.change(model=conversation.model)
        if self.setup.options.system is None and conversation.system:
            self.change(system=conversation.system)
        self.conversation_id, self.title = conversation.id, conversation.title
        for message in transcript.messages:
            self.messages.append(self._wire(message))

    def _wire(self, message: Message) -> WireMessage:
        """A kept message in the service's form."""
        if message.role == "tool":
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
        if message.role == "assistant":
            from glmcli.events import Answer

            answer = Answer(message.content, message.reasoning, tool_calls=list(message.tool_calls))
            return assistant_message(answer, keep_reasoning=self._keeps_reasoning(answer))
        if not message.attachments:
            return {"role": message.role, "content": message.content}
        from glmcli.attachments import message_content

        found = [attachment for kept in message.attachments for attachment in self._reopened(kept)]
        return {
            "role": "user",
            "content": message_content(message.content, found, self.app.target.provider.region),
        }

    def _reopened(self, kept: Any) -> list[Attachment]:
        """An attachment of an earlier day, if its file is still what it was."""
        from glmcli.attachments import open_attachment

        try:
            place = kept.path if kept.sha256 is None else self.app.history.attachments.locate(kept)
            if place is not None:
                return [open_attachment(str(place), name=PurePath(kept.path).name)]
        except UsageError:
            pass
        self.app.streams.note(f"glm: {kept.path} is gone or has changed; the conversation goes on without it")
        return []


def _kept_attachment(attachment: Attachment) -> Any:
    from glmcli.history.attachments import describe
    from glmcli.history.model import Attachment as Kept

    if attachment.url is not None:
        return Kept(path=attachment.url)
    try:
        return describe(Path(str(attachment.path)), mime=attachment.mime)
    except OSError:  # gone since it was sent
        return Kept(path=str(attachment.path), mime=attachment.mime)


def assistant_message(answer: Answer, *, keep_reasoning: bool) -> WireMessage:
    """An answer as the message that goes back with the next question."""
    message: WireMessage = {"role": "assistant", "content": answer.content}
    if keep_reasoning and answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return message


def with_results(messages: list[WireMessage]) -> list[WireMessage]:
    """The messages, with a result for every call: the service refuses a call that was left without one.

    Calls are left so when they were only printed, stopped by Ctrl-C, or one round too many.
    """
    answered = {message.get("tool_call_id") for message in messages}
    whole: list[WireMessage] = []
    waiting: list[WireMessage] = []
    for message in messages:
        if message["role"] != "tool":
            whole += waiting
            waiting = []
        whole.append(message)
        for call in message.get("tool_calls") or ():
            if call["id"] not in answered:
                missing = "error: this call was not carried out"
                waiting.append({"role": "tool", "tool_call_id": call["id"], "content": missing})
    return whole + waiting


def plain_text(content: object) -> str:
    """The text of a message's content, whichever form it has."""
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")
    return str(content or "")
