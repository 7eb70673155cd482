"""A conversation: its messages, its tools, its questions and answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from glmcli.api.endpoints import Plan
from glmcli.asking import ChatOptions, build_request, resolve_model
from glmcli.errors import GlmError, Interrupted, ServiceError
from glmcli.keeper import Keeper
from glmcli.spending import Spending
from glmcli.turn import Turn, ask
from glmcli.wiremessages import WireMessage, assistant_message, plain_text, with_results

if TYPE_CHECKING:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.attachments import Attachment
    from glmcli.context import AppContext
    from glmcli.events import Answer, ToolCall
    from glmcli.history.model import Message, Transcript
    from glmcli.toolbox import Toolbox

_PLURALS = {"image": "pictures", "video": "video", "file": "documents", "audio": "recordings"}


class SessionSetup:
    """How a conversation is held.

    `may_run` is asked before each call of a tool. `thinking` is `show`,
    `hide` or `only`. `log` False keeps nothing.
    """

    def __init__(
        self,
        options: ChatOptions,
        thinking: str,
        *,
        toolbox: Toolbox | None = None,
        may_run: Callable[[ToolCall], bool] = lambda call: True,
        max_rounds: int = 10,
        web_search: bool = False,
        log: bool = True,
        title: str | None = None,
        copy_attachments: bool = False,
        shown: bool = True,
    ) -> None:
        self.options = options
        self.thinking = thinking
        self.toolbox = toolbox
        self.may_run = may_run
        self.max_rounds = max_rounds
        self.web_search = web_search
        self.log = log
        self.title = title
        self.copy_attachments = copy_attachments
        self.shown = shown


class Session:
    """Asks, remembers, and writes down.

    `messages` are in the service's form, without the system message. A
    question that fails leaves no trace in them, but `retry` knows it.
    """

    def __init__(self, app: AppContext, setup: SessionSetup, *, transcript: Transcript | None = None) -> None:
        self.app = app
        self.setup = setup
        self.messages: list[WireMessage] = []
        self.keeper = Keeper(app, log=setup.log, title=setup.title, copy_attachments=setup.copy_attachments)
        self.last_turn: Turn | None = None
        self.spent = Spending()
        self._unanswered: tuple[str, Sequence[Attachment]] | None = None
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
        self.setup.options = self.setup.options.replace(**options)
        self.keeper.change(**{name: options[name] for name in ("model", "system") if options.get(name) is not None})

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
        self.keeper.undo_turn()
        return text

    def clear(self) -> None:
        """Begin a new conversation with the same options."""
        self.messages.clear()
        self.keeper.forget()
        self.last_turn = None
        self._unanswered = None

    def load(self, transcript: Transcript) -> None:
        """Leave this conversation and go on with a kept one, with its system message and model."""
        self.clear()
        self.setup.options = self.setup.options.replace(system=transcript.conversation.system or "", model=None)
        self._resume(transcript)

    def replace_messages(self, messages: list[WireMessage], kept: Sequence[Message], *, title: str | None) -> None:
        """Go on with other messages, in a new conversation; the old one stays in the history as it is."""
        self.clear()
        self.messages.extend(messages)
        self.keeper.start(kept, title=title, model=self.model, system=self.setup.options.system)

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
            self._keep(prompt, attachments, kept)
        self.last_turn = turn
        if turn.ending is not None:
            raise turn.ending
        return turn

    def _keep(self, prompt: str | None, attachments: Sequence[Attachment], answers: list[Message]) -> None:
        if prompt is None:
            self.keeper.replace_answer(answers)
        else:
            self.keeper.add(prompt, attachments, answers, model=self.model, system=self.setup.options.system)

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
        return self._ask(request.replace(thinking={"thinking": {"type": "enabled"}}))

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
        return request.replace(tools=tools, tool_stream=known is not None and known.tool_stream)

    def _search_tool(self) -> list[dict[str, object]]:
        if not self.setup.web_search:
            return []
        from glmcli.api.resources.chat import web_search_tool

        return [web_search_tool(self.app.target.provider.region)]

    def _remember_refusal(self, model: str) -> None:
        """The model knows no effort after all: say so once, and do not try again."""
        self.app.streams.note(f"glm: {model} refuses thinking levels; asking with thinking switched on only")
        self.keeper.write(lambda: self.app.history.notes.set(f"refuses effort: {model}", "1"))

    def _take(self, turn: Turn, kept: list[Message]) -> None:
        """Add an answer to the conversation; a stopped one without its unfinished calls."""
        from glmcli.history.model import Message

        answer = turn.answer
        if turn.failure is not None:
            answer = answer.without_calls()
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

    # -- going on -----------------------------------------------------------------

    def _resume(self, transcript: Transcript) -> None:
        conversation = transcript.conversation
        is_same_service = conversation.provider in (None, self.app.settings.provider.value.name)
        if self.setup.options.model is None and conversation.model and is_same_service:
            self.change(model=conversation.model)
        if self.setup.options.system is None and conversation.system:
            self.change(system=conversation.system)
        self.keeper.go_on_with(conversation)
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

        found = [attachment for kept in message.attachments for attachment in self.keeper.reopened(kept)]
        return {
            "role": "user",
            "content": message_content(message.content, found, self.app.target.provider.region),
        }
