"""Questions on a real terminal, with prompt_toolkit: a menu, a masked line, a line.

`choice` of prompt_toolkit jumps at every letter; here letters add up, so that
a name can be typed. Nothing is asked of the terminal itself (cursor position):
one that does not answer would cost two seconds and a warning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import ColorDepth, Output


class Terminal:
    """The two ends of a terminal: keys come from one stream, questions go to another."""

    def __init__(self, keys: BinaryIO, screen: BinaryIO, *, color: bool) -> None:
        self._keys = keys
        self._screen = screen
        self._color = color

    def pick(self, question: str, options: Sequence[tuple[str, str]], default: str | None) -> str:
        """The value of the option that was chosen. Raises KeyboardInterrupt, EOFError."""
        menu = Menu(question, options, default)
        return menu.application(self._input(), self._output(), self._depth()).run()

    def read_line(self, question: str, *, default: str = "", masked: bool = False) -> str:
        """A line; with `masked`, stars stand for what is typed. Raises KeyboardInterrupt, EOFError.

        White space, line breaks too, is left out of what is pasted into a masked line.
        """
        from prompt_toolkit import PromptSession

        session: PromptSession[str] = PromptSession(
            input=self._input(),
            output=self._output(),
            color_depth=self._depth(),
            key_bindings=_paste_without_space() if masked else None,
        )
        return session.prompt(question, default=default, is_password=masked)

    def _input(self) -> Input:
        from prompt_toolkit.input import create_input

        return create_input(os.fdopen(self._keys.fileno(), encoding="utf-8", closefd=False))

    def _output(self) -> Output:
        from prompt_toolkit.output import create_output
        from prompt_toolkit.output.vt100 import Vt100_Output

        # Descriptors of the process, which stay open.
        screen = os.fdopen(self._screen.fileno(), "w", encoding="utf-8", closefd=False)
        output = create_output(screen)
        if isinstance(output, Vt100_Output):
            output.enable_cpr = False
        return output

    def _depth(self) -> ColorDepth:
        from prompt_toolkit.output import ColorDepth

        return ColorDepth.DEPTH_4_BIT if self._color else ColorDepth.DEPTH_1_BIT


def _paste_without_space() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()

    @bindings.add(Keys.BracketedPaste)
    def paste(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("".join(event.data.split()))

    return bindings


class Menu:
    """Options with one chosen: by arrows, by number, or by typing the beginning of a name."""

    def __init__(self, question: str, options: Sequence[tuple[str, str]], default: str | None) -> None:
        self._question = question
        self._options = options
        values = [value for value, _ in options]
        self.position = values.index(default) if default in values else 0
        self.typed = ""

    @property
    def value(self) -> str:
        """The value of the chosen option."""
        return self._options[self.position][0]

    def move(self, by: int) -> None:
        """Choose a neighbour; from the last on to the first."""
        self.typed = ""
        self.position = (self.position + by) % len(self._options)

    def type(self, text: str) -> None:
        """Choose what begins with all that was typed; a letter that fits nothing begins anew."""
        for typed in (self.typed + text.lower(), text.lower()):
            found = matching(typed, self._options)
            if found is not None:
                self.typed, self.position = typed, found
                return

    def application(self, keys: Input, screen: Output, depth: ColorDepth) -> Application[str]:
        """The menu on a terminal; it takes its own lines away when it ends."""
        from prompt_toolkit.application import Application
        from prompt_toolkit.layout import FormattedTextControl, Layout, Window

        control = FormattedTextControl(self._lines, focusable=True, show_cursor=False)
        return Application(
            layout=Layout(Window(control, wrap_lines=True, dont_extend_height=True)),
            key_bindings=self._bindings(),
            erase_when_done=True,
            color_depth=depth,
            input=keys,
            output=screen,
        )

    def _lines(self) -> StyleAndTextTuples:
        lines: StyleAndTextTuples = [("bold", self._question)]
        for index, (_, label) in enumerate(self._options):
            is_chosen = index == self.position
            mark = ">" if is_chosen else " "
            lines.append(("bold" if is_chosen else "", f"\n {mark} {index + 1}. {label}"))
        return lines

    def _bindings(self) -> KeyBindings:
        from prompt_toolkit.key_binding import KeyBindings
        from prompt_toolkit.keys import Keys

        bindings = KeyBindings()
        for key, by in (("up", -1), ("c-p", -1), ("s-tab", -1), ("down", 1), ("c-n", 1), ("tab", 1)):
            bindings.add(key)(self._mover(by))

        @bindings.add("enter")
        def accept(event: KeyPressEvent) -> None:
            event.app.exit(result=self.value)

        @bindings.add("c-c")
        @bindings.add("<sigint>")
        def interrupt(event: KeyPressEvent) -> None:
            event.app.exit(exception=KeyboardInterrupt())

        @bindings.add("c-d")
        def end(event: KeyPressEvent) -> None:
            event.app.exit(exception=EOFError())

        @bindings.add(Keys.Any)
        def typed(event: KeyPressEvent) -> None:
            self.type(event.data)

        return bindings

    def _mover(self, by: int) -> Callable[[KeyPressEvent], None]:
        def move(event: KeyPressEvent) -> None:
            self.move(by)

        return move


def matching(typed: str, options: Sequence[tuple[str, str]]) -> int | None:
    """The index of the option that was typed: its number, its value, or the beginning of value or label."""
    typed = typed.strip().lower()
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(options):
        return int(typed) - 1
    values = [value.lower() for value, _ in options]
    if typed in values:
        return values.index(typed)
    for names in (values, [label.lower() for _, label in options]):
        for index, name in enumerate(names):
            if typed and name.startswith(typed):
                return index
    return None
