"""`glm doctor`: what is set up, what wins, what the key can use, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glmcli.commands.options import command_app, context_of, examples
from glmcli.errors import ExitCode

if TYPE_CHECKING:
    from glmcli.checkup import Check
    from glmcli.context import AppContext
    from glmcli.diagnosis import Row
    from glmcli.doctor import Mending, Report, Scope

app = command_app()

_MARKS = {"ok": " ", "note": "!", "bad": "x"}
_COLORS = {"ok": "", "note": "33", "bad": "31"}
_GOOD, _BOLD = "32", "1"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """How far to look, and what to do about it."""

    all_regions: bool = False
    probe: bool = False
    fix: bool = False
    bundle: Path | None = None


@app.command(
    epilog=examples(
        "glm doctor",
        "glm doctor --probe",
        "glm doctor --provider zai-coding --json",
        "glm doctor --fix",
        "glm doctor --bundle support.json",
    )
)
def doctor(
    ctx: typer.Context,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="Ask both companies' hosts; the key is sent to both.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Send each endpoint one request of a few tokens, to see who pays.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended here, after showing it.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FILE", help="Write a file for support, without any key.", show_default=False),
    ] = None,
) -> None:
    """Find out what works, and mend what does not."""
    code = run(context_of(ctx), DoctorOptions(all_regions=all_regions, probe=probe, fix=fix, bundle=bundle))
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def run(app: AppContext, options: DoctorOptions) -> ExitCode:
    """Examine, tell, and with `fix` mend and examine again. The exit code is that of the provider in use."""
    from glmcli.doctor import examine

    report = examine(app, _scope(app, options))
    if options.fix:
        report = _mended(app, options, report)
    if app.options.json:
        app.streams.write_json(report.to_json())
    else:
        app.streams.write("\n".join(_page(app, report)).lstrip("\n") + "\n")
    if options.bundle is not None:
        _write_bundle(app, report, options.bundle)
    return report.exit_code


def _scope(app: AppContext, options: DoctorOptions) -> Scope:
    from glmcli.catalogue import text
    from glmcli.doctor import Scope

    def consent(providers: Sequence[str]) -> bool:
        if app.options.json or not app.prompter.can_ask:
            return False
        return app.prompter.confirm(text("doctor.consent", app.language, providers=", ".join(providers)))

    return Scope(options.all_regions, options.probe, consent)


# -- mending ---------------------------------------------------------------------


def _mended(app: AppContext, options: DoctorOptions, report: Report) -> Report:
    """The report after mending; the same one when nothing was done."""
    from glmcli.catalogue import text
    from glmcli.doctor import examine, mendings, renewed

    found = mendings(app, report)
    if not found:
        app.streams.note(text("doctor.nothing_to_mend", app.language))
        return report
    if not _may_mend(app, found):
        return report
    for mending in found:
        mending.apply()
        app.streams.note(text("doctor.mended", app.language, command=mending.command))
    if app.options.key_stdin:  # the pipe is empty by now
        return report
    fresh = renewed(app)
    try:
        return examine(fresh, _scope(fresh, options))
    finally:
        fresh.close()


def _may_mend(app: AppContext, found: Sequence[Mending]) -> bool:
    """Show what would be done; a person at the terminal is asked, elsewhere `--fix` is the word."""
    from glmcli.catalogue import text

    app.streams.note(text("doctor.would_mend", app.language))
    for mending in found:
        app.streams.note(f"  {mending.command}")
    return not app.prompter.can_ask or app.prompter.confirm(text("doctor.confirm_mend", app.language), default=True)


# -- telling ---------------------------------------------------------------------


def _page(app: AppContext, report: Report) -> Iterator[str]:
    """The report for people; with `--quiet` only what is wrong, and the endpoints."""
    from glmcli import __version__
    from glmcli.catalogue import text
    from glmcli.checkup import SECTIONS

    quiet = app.options.quiet
    if not quiet:
        yield f"glm {__version__}"
    for section in SECTIONS:
        lines = list(_section(app, report, section))
        if lines:
            yield from ("", _painted(app, text(f"doctor.section.{section}", app.language), _BOLD), *lines)
    yield from ("", _painted(app, text("doctor.endpoints", app.language), _BOLD))
    yield from _matrix(app, report)
    yield from ("", _conclusion(app, report))


def _section(app: AppContext, report: Report, section: str) -> Iterator[str]:
    """The lines of a section: settings as they stand, then what was found; with `--quiet` only what is wrong."""
    from glmcli import checkup

    checks = [check for check in report.checks if check.section == section]
    if app.options.quiet:
        checks = [check for check in checks if check.level is checkup.Level.BAD]
    settings = checkup.rows(report.settings) if report.settings and section == checkup.SETTINGS else []
    rows = [] if app.options.quiet else [(name, _shown(value), source) for name, value, source in settings]
    rows = [row for row in rows if row[1] != "-"]
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)] or [12, 0]
    for name, value, source in rows:
        yield _harmless(f"  {name:<{widths[0]}}  {value:<{min(widths[1], 40)}}  ({source})")
    width = max([widths[0], *(len(check.name) for check in checks)])
    for check in checks:
        yield from _check_lines(app, check, width)


def _check_lines(app: AppContext, check: Check, width: int) -> Iterator[str]:
    level = check.level.value
    mark = _painted(app, _MARKS[level], _COLORS[level])
    yield f"{mark} {_harmless(f'{check.name:<{width}}  {check.message}')}"
    for line in (check.command or "").splitlines():
        yield f"    -> {_harmless(line)}"


def _matrix(app: AppContext, report: Report) -> Iterator[str]:
    """A star marks the provider in use."""
    from glmcli.catalogue import text

    own = report.own
    others = [] if own is None or any(row.provider == own.provider for row in report.rows) else [own]
    arrow = text("diagnosis.command", app.language)
    for row in [*others, *report.rows]:
        is_own = own is not None and row.provider == own.provider
        title = _painted(app, row.title, _color_of(row))
        yield f"{'*' if is_own else ' '} {row.provider:<14}{title}"
        yield f"    {_harmless(row.meaning)}"
        yield f"    {arrow} {_harmless(row.command)}"


def _color_of(row: Row) -> str:
    from glmcli.diagnosis import OPEN, PROVEN, Verdict

    if row.verdict is Verdict.NOT_ASKED:
        return ""
    return _GOOD if row.verdict in PROVEN else "33" if row.verdict in OPEN else "31"


def _conclusion(app: AppContext, report: Report) -> str:
    """One line: it works, it probably does, or what to do."""
    from glmcli.catalogue import text
    from glmcli.diagnosis import Verdict

    language, own = app.language, report.own
    if report.failure is not None or own is None:
        message = report.failure.message if report.failure else "?"
        return _painted(app, _harmless(text("doctor.broken", language, message=message)), "31")
    if report.exit_code is not ExitCode.OK:
        told = text("doctor.trouble", language, provider=own.provider, title=own.title, command=own.command)
        return _painted(app, _harmless(told), "31")
    key = "doctor.likely" if own.verdict is Verdict.ACCEPTED else "doctor.works"
    return _painted(app, text(key, language, provider=own.provider), _GOOD)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())


def _harmless(text: str) -> str:
    """What a server, file or variable said, fit for a terminal."""
    from glmcli.streams import harmless

    return harmless(text)


def _painted(app: AppContext, text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[m" if code and app.streams.may_color() else text


# -- the file for support --------------------------------------------------------


def _write_bundle(app: AppContext, report: Report, path: Path) -> None:
    """Write the redacted report, after proving that no key is in it."""
    from glmcli import supportfile
    from glmcli.catalogue import text
    from glmcli.errors import GlmError

    try:
        key = app.key().reveal()
    except GlmError:
        key = ""
    secrets = supportfile.known_secrets(app, key)
    home = app.environ.get("HOME", "")
    replacements = {home: "~"} if len(home) > 1 else {}
    written = supportfile.redacted(supportfile.support_text(app, report.to_json()), secrets, replacements)
    forms = supportfile.proven(written, secrets)
    supportfile.write(app.cwd / path, written)
    app.streams.note(text("doctor.bundle", app.language, path=path, forms=forms, count=len(secrets)))
