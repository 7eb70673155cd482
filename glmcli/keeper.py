"""What is kept of a conversation, and what happens when it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from glmcli.errors import HistoryError, UsageError

if TYPE_CHECKING:
    from glmcli.attachments import Attachment
    from glmcli.context import AppContext
    from glmcli.history.model import Attachment as Kept
    from glmcli.history.model import Conversation, Message


class Keeper:
    """Writes one conversation after the other into the history.

    When that fails the conversation goes on, with one notice. `conversation_id`
    is None until the first answer; `wanted_title` is for a conversation that
    has none yet.
    """

    def __init__(self, app: AppContext, *, log: bool, title: str | None, copy_attachments: bool) -> None:
        self._app = app
        self._log = log
        self._copy_attachments = copy_attachments
        self._has_failed = False
        self.conversation_id: str | None = None
        self.title = self.wanted_title = title

    @property
    def is_logged(self) -> bool:
        """Whether the conversation goes into the history."""
        return self._log and not self._app.settings.no_log.value

    def go_on_with(self, conversation: Conversation) -> None:
        """What follows belongs to this conversation."""
        self.conversation_id, self.title = conversation.id, conversation.title

    def forget(self) -> None:
        """What follows belongs to a new conversation."""
        self.conversation_id = self.title = self.wanted_title = None

    def rename(self, title: str) -> None:
        """Give the conversation a title, also one that is still to begin."""
        self.title = self.wanted_title = title
        self.change(title=title)

    def change(self, **known: str) -> None:
        """Note another `title`, `model` or `system` message, once there is a conversation."""
        identity = self.conversation_id
        if identity is not None and known:
            self.write(lambda: self._app.history.change(identity, **known))

    def undo_turn(self) -> None:
        """Take the last question and its answer out."""
        identity = self.conversation_id
        if identity is not None:
            self.write(lambda: self._app.history.undo_turn(identity))

    def replace_answer(self, answers: Sequence[Message]) -> None:
        """Put another answer in the place of the last one."""
        identity = self.conversation_id
        if identity is None:
            return

        def replace() -> None:
            self._app.history.undo_answer(identity)
            self._app.history.append(identity, *answers)

        self.write(replace)

    def add(
        self,
        prompt: str,
        attachments: Sequence[Attachment],
        answers: Sequence[Message],
        *,
        model: str,
        system: str | None,
    ) -> None:
        """Write a question and its answers; with the first one a conversation begins."""
        if not self.is_logged:
            return
        from glmcli.history.model import Message

        def append() -> None:
            question = Message(role="user", content=prompt, attachments=self._kept(attachments))
            if self.conversation_id is None:
                self._start((question, *answers), model=model, system=system)
            else:
                self._app.history.append(self.conversation_id, question, *answers)

        self.write(append)

    def start(self, messages: Sequence[Message], *, title: str | None, model: str, system: str | None) -> None:
        """Begin a conversation with messages."""
        self.wanted_title = title
        self.write(lambda: self._start(messages, model=model, system=system))

    def _start(self, messages: Sequence[Message], *, model: str, system: str | None) -> None:
        settings = self._app.settings
        conversation = self._app.history.start(
            messages,
            title=self.wanted_title,
            model=model,
            provider=settings.provider.value.name,
            profile=settings.profile.value,
            system=system or None,
        )
        self.go_on_with(conversation)

    def write(self, write: Callable[[], object]) -> None:
        """Write to the database, unless that is not wanted or failed before."""
        if self._has_failed or not self.is_logged:
            return
        try:
            write()
        except HistoryError as error:
            self._has_failed = True
            self._app.streams.note(f"glm: this conversation is not kept: {error.message}")

    # -- attachments -----------------------------------------------------------------

    def _kept(self, attachments: Sequence[Attachment]) -> tuple[Kept, ...]:
        kept = tuple(_described(attachment) for attachment in attachments)
        if self._copy_attachments:
            for attachment in kept:
                self._app.history.attachments.keep(attachment)
        return kept

    def reopened(self, kept: Kept) -> list[Attachment]:
        """An attachment of an earlier day, if its file is still what it was; else none, and that is told."""
        from glmcli.attachments import open_attachment

        try:
            place = kept.path if kept.sha256 is None else self._app.history.attachments.locate(kept)
            if place is not None:
                return [open_attachment(str(place), name=PurePath(kept.path).name)]
        except UsageError:
            pass
        self._app.streams.note(f"glm: {kept.path} is gone or has changed; the conversation goes on without it")
        return []


def _described(attachment: Attachment) -> Kept:
    from glmcli.history.attachments import describe
    from glmcli.history.model import Attachment as Kept

    if attachment.url is not None:
        return Kept(path=attachment.url)
    try:
        return describe(Path(str(attachment.path)), mime=attachment.mime)
    except OSError:  # gone since it was sent
        return Kept(path=str(attachment.path), mime=attachment.mime)
