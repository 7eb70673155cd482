"""Where lines come from: an editor on a real terminal, plain lines on a dumb one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO, Protocol

from glmcli.repl.completion import candidates
from glmcli.repl.terminal import unbuffered
from glmcli.repl.typed import TypedLines
from glmcli.streams import Streams, harmless
from glmcli.telling import without_keys

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

    from glmcli.interrupts import Interrupts
    from glmcli.repl.talk import Talk

_PROMPT = "> "
_NARROWEST_STATUS = 60  # columns
#: A longer paste is shown as one word, and sent as it is.
_LONGEST_SHOWN_PASTE = 4000  # characters
_MOST_SHOWN_LINES = 40


class Reader(Protocol):
    """Hands over what is typed."""

    def read(self) -> str:
        """The next text. Raises EOFError or KeyboardInterrupt when the user wants to leave."""


def open_reader(talk: Talk) -> Reader:
    """The reader that suits the terminal."""
    streams = talk.app.streams
    if streams.is_dumb or not _is_real(streams.stdin) or not _is_real(streams.stdout):
        return PlainReader(streams, talk.app.interrupts)
    return LineEditor(talk)


def _is_real(stream: BinaryIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError):
        return False


class PlainReader:
    """Lines as the terminal gives them."""

    def __init__(self, streams: Streams, interrupts: Interrupts) -> None:
        self._streams = streams
        self._interrupts = interrupts

    def read(self) -> str:
        self._streams.write_control(_PROMPT)
        with self._interrupts.at_once():
            line = self._streams.stdin.readline()
        if not line:
            raise EOFError
        return line.decode("utf-8", "replace").rstrip("\r\n")


class LineEditor:
    """A line, or several, with history, completion and safe pasting."""

    def __init__(self, talk: Talk) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.output import ColorDepth
        from prompt_toolkit.styles import Style

        app = talk.app
        self._talk = talk
        self._pastes = Pastes()
        self._session: PromptSession[str] = PromptSession(
            message=_PROMPT,
            input=_input(app.streams.stdin),
            output=_output(app.streams.stdout),
            history=_history(_typed_lines(talk), self._pastes),
            completer=_completer(talk),
            # While a question is typed nothing is offered; a command shows what there is.
            complete_while_typing=Condition(lambda: self._session.default_buffer.text.startswith("/")),
            complete_in_thread=False,
            multiline=True,
            prompt_continuation="  ",
            rprompt=self._status,
            key_bindings=_keys(talk, self._pastes),
            enable_open_in_editor=True,
            enable_suspend=True,
            style=Style.from_dict({"rprompt": "ansibrightblack"}),
            color_depth=None if app.streams.may_color() else ColorDepth.DEPTH_1_BIT,
            include_default_pygments_style=False,
        )

    def read(self) -> str:
        line = self._session.prompt()
        with unbuffered(self._talk.app.streams.stdin):
            if _drop_typed_ahead_stop(self._session.app.input):
                self._talk.app.interrupts.note()
        return self._pastes.expanded(line)

    def _status(self) -> str:
        """Model and conversation, while there is room; gone when the line is sent."""
        app = self._session.app
        if app.is_done or app.output.get_size().columns < _NARROWEST_STATUS:
            return ""
        return status(self._talk)


class Pastes:
    """Long pastes, each behind a word that stands for it in the line."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shown(self, text: str) -> str:
        """What appears in the line for a pasted text."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + 1
        if len(text) <= _LONGEST_SHOWN_PASTE and lines <= _MOST_SHOWN_LINES:
            return text
        word = f"[paste {len(self._texts) + 1}: {len(text):,} characters, {lines:,} line{'s' * (lines > 1)}]"
        self._texts[word] = text
        return word

    def expanded(self, line: str) -> str:
        """The line with the texts in the place of their words."""
        if not self._texts:
            return line
        import re

        words = "|".join(map(re.escape, self._texts))
        return re.sub(words, lambda found: self._texts[found[0]], line)


def status(talk: Talk) -> str:
    """For example `glm-5.3 · Trip to Rome · 2 attached`."""
    session = talk.session
    parts = [session.model]
    if session.keeper.title:
        parts.append(session.keeper.title if len(session.keeper.title) <= 30 else session.keeper.title[:29] + "…")
    if talk.attachments:
        parts.append(f"{len(talk.attachments)} attached")
    if session.setup.web_search:
        parts.append("web search")
    if not session.keeper.is_logged:
        parts.append("not kept")
    return harmless(" · ".join(parts)).replace("\n", " ")


# -- the parts of the editor -----------------------------------------------------------
# The classes are made inside functions: their bases must not be loaded for anything else.


def _input(stdin: BinaryIO) -> Input:
    from prompt_toolkit.input import create_input

    return create_input(os.fdopen(stdin.fileno(), encoding="utf-8", closefd=False))


def _output(stdout: BinaryIO) -> Output:
    from prompt_toolkit.output import create_output
    from prompt_toolkit.output.vt100 import Vt100_Output

    output = create_output(os.fdopen(stdout.fileno(), "w", encoding="utf-8", closefd=False))
    if isinstance(output, Vt100_Output):
        # A terminal that does not say where its cursor is would cost two seconds and a warning.
        output.enable_cpr = False
    return output


def _typed_lines(talk: Talk) -> TypedLines:
    app = talk.app
    return TypedLines(
        app.paths.prompt_history_file,
        is_secret=lambda text: without_keys(text, app.secrets()) != text,
        notice=app.streams.note,
    )


def _history(lines: TypedLines, pastes: Pastes) -> History:
    from prompt_toolkit.history import History

    class Kept(History):
        def load_history_strings(self) -> Iterable[str]:
            return reversed(lines.load())  # the newest first

        def store_string(self, string: str) -> None:
            lines.add(pastes.expanded(string))

    return Kept()


def _completer(talk: Talk) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class Commands(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            for found in candidates(talk, document.text_before_cursor):
                yield Completion(found.text, start_position=-found.length, display_meta=found.note)

    return Commands()


def _drop_typed_ahead_stop(keys: Input) -> bool:
    """Whether Ctrl-C came so soon after Enter that it was read as a key; what was typed before it is dropped."""
    from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
    from prompt_toolkit.keys import Keys

    presses = [*get_typeahead(keys), *keys.read_keys()]
    stops = [index for index, press in enumerate(presses) if press.key == Keys.ControlC]
    store_typeahead(keys, presses[stops[-1] + 1 :] if stops else presses)
    return bool(stops)


def _keys(talk: Talk, pastes: Pastes) -> KeyBindings:
    from prompt_toolkit.filters import has_completions, has_focus, is_searching
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    keys = KeyBindings()
    typing = has_focus("DEFAULT_BUFFER") & ~is_searching

    @keys.add("enter", filter=typing)
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if has_completions() and buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # the word was chosen; the next Enter sends the line
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("tab", filter=typing)
    def complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(candidates(talk, buffer.document.text_before_cursor))
        if len(found) == 1:
            buffer.delete_before_cursor(found[0].length)
            buffer.insert_text(found[0].text)
        elif found:
            buffer.start_completion(insert_common_part=True)
        elif not buffer.text.startswith("/"):
            buffer.insert_text("    ")

    @keys.add(Keys.BracketedPaste, filter=typing)
    def paste(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(pastes.shown(event.data))

    @keys.add("c-c", filter=typing)
    @keys.add("<sigint>", filter=typing)
    def stop(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return keys
