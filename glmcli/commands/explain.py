"""`glm explain CODE`: what an error means, whether to retry, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli import codes
from glmcli.codes import CodeEntry
from glmcli.commands.options import command_app, context_of, examples
from glmcli.errors import UsageError
from glmcli.language import CHINESE, ENGLISH

if TYPE_CHECKING:
    from glmcli.context import AppContext


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What to explain: codes, or a text that holds some; `whole_table` lists all."""

    words: tuple[str, ...] = ()
    whole_table: bool = False


app = command_app()


@app.command(
    epilog=examples(
        "glm explain 1113",
        "glm explain 1302 1305 --json",
        'glm explain "[1302][Rate limit reached for requests]"',
        """echo '{"error":{"code":"1311"}}' | glm explain""",
        "glm explain --list",
    )
)
def explain(
    ctx: typer.Context,
    code: Annotated[
        list[str] | None,
        typer.Argument(help="Codes, or a text that holds one; - or nothing reads standard input.", show_default=False),
    ] = None,
    whole_table: Annotated[bool, typer.Option("--list", "-l", help="List every code.")] = False,
) -> None:
    """Explain an error code of the service."""
    run(context_of(ctx), ExplainOptions(words=tuple(code or ()), whole_table=whole_table))


def run(app: AppContext, options: ExplainOptions) -> None:
    """Print what the codes mean, for people or as JSON."""
    entries = list(codes.CODES.values()) if options.whole_table else _wanted(app, options.words)
    if app.options.json:
        told = [_as_json(entry, app.language) for entry in entries]
        app.streams.write_json(told[0] if len(told) == 1 and not options.whole_table else told)
    elif options.whole_table:
        app.streams.write("".join(_line(entry, app.language) + "\n" for entry in entries))
    else:
        app.streams.write("\n".join(_paragraph(entry, app.language) for entry in entries))


def _wanted(app: AppContext, words: tuple[str, ...]) -> list[CodeEntry]:
    """The entries that the arguments or standard input ask for. Raises UsageError for none."""
    if words and words != ("-",):
        return _of_codes(words) if all(map(_is_code, words)) else _of_text(" ".join(words))
    text = app.streams.read_stdin() if words else app.streams.read_piped()
    if not (text or "").strip():
        raise UsageError(
            "nothing to explain", hint="name a code, as in: glm explain 1113; all of them: glm explain --list"
        )
    return _of_text(text or "")


def _is_code(word: str) -> bool:
    return codes.find(word.lower()) is not None or re.fullmatch(r"\d{3,5}|[A-Za-z]+(_[A-Za-z]+)+", word) is not None


def _of_codes(words: tuple[str, ...]) -> list[CodeEntry]:
    return [codes.find(word.lower()) or _unknown(word) for word in dict.fromkeys(words)]


def _unknown(word: str) -> CodeEntry:
    meant = codes.near(word)
    near = f"did you mean {', '.join(meant)}? " if meant else ""
    raise UsageError(f"unknown error code {word!r}", hint=f"{near}all codes: glm explain --list")


def _of_text(text: str) -> list[CodeEntry]:
    """The codes that a body or a log line mentions."""
    text = text.strip()
    if _is_code(text):
        return _of_codes((text,))
    found = codes.mentioned_in(text)
    if not found:
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise UsageError(f"no error code found in {shown!r}", hint="all codes: glm explain --list")
    return found


# -- telling ---------------------------------------------------------------------

_LABELS = {
    ENGLISH: {
        "http": "HTTP",
        "kind": "kind",
        "retry": "retry",
        "exit": "exit code",
        "advice": "what to do",
        "codes": "codes",
        "yes": "yes, after a moment",
        "once": "once",
        "no": "no",
        "reset": "not before the reset",
        "old": "from an earlier edition of the vendor's list",
    },
    CHINESE: {
        "http": "HTTP",
        "kind": "类别",
        "retry": "重试",
        "exit": "退出码",
        "advice": "处理建议",
        "codes": "错误码",
        "yes": "可以，稍后重试",
        "once": "一次",
        "no": "无用",
        "reset": "额度重置后",
        "old": "来自官方错误码列表的早期版本",
    },
}


def _as_json(entry: CodeEntry, language: str) -> dict[str, object]:
    words = entry.words(language)
    return {
        "code": entry.code,
        "http_status": entry.http_status,
        "kind": entry.kind,
        "meaning": words.meaning,
        "retryable": entry.retryable,
        "exit_code": int(entry.exit_code),
        "advice": words.advice,
        "old": entry.old,
    }


def _line(entry: CodeEntry, language: str) -> str:
    """One line of `--list`; the meaning stands last, for columns to hold in any script."""
    http = str(entry.http_status or "-")
    retry = _retry(entry)
    return f"{entry.code:>4}  {http:>3}  {retry:<5}  {int(entry.exit_code)}  {entry.words(language).meaning}"


def _paragraph(entry: CodeEntry, language: str) -> str:
    """One entry in full, with a final newline."""
    labels = _LABELS[language]
    words = entry.words(language)
    facts = [
        (labels["http"], str(entry.http_status or "-")),
        (labels["kind"], entry.kind),
        (labels["retry"], labels[_retry(entry)]),
        (labels["exit"], str(int(entry.exit_code))),
        (labels["advice"], words.advice),
    ]
    if entry.code in codes.STATUSES:
        facts.append((labels["codes"], ", ".join(_codes_of(entry.http_status))))
    lines = [f"{entry.code}  {words.meaning}"]
    width = max(_columns(label) for label, _ in facts)
    lines += [f"  {label}{' ' * (width - _columns(label))}  {fact}" for label, fact in facts]
    if entry.old:
        lines.append(f"  ({labels['old']})")
    return "\n".join(lines) + "\n"


def _codes_of(http_status: int | None) -> list[str]:
    """The business codes that come with an HTTP status, which says little by itself."""
    return [code for code, entry in codes.CODES.items() if entry.http_status == http_status] or ["-"]


def _retry(entry: CodeEntry) -> str:
    """Whether to retry: `yes`, `once`, `reset` or `no`."""
    if entry.kind == codes.PLAN_WINDOW:
        return "reset"
    if not entry.retryable:
        return "no"
    return "once" if entry.retry_limit == 1 else "yes"


def _columns(text: str) -> int:
    """Columns of a label: ideographs take two."""
    return sum(2 if character > "\u2e7f" else 1 for character in text)
