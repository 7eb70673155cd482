"""Examines a set-up and the endpoints behind it, and mends what can be mended.

Free questions first; a tiny request per endpoint only with consent. Only the
hosts of the provider's own region get the key, unless the user allows both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glmcli import checkup, codes
from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan
from glmcli.catalogue import text
from glmcli.checkup import Check, Level
from glmcli.config.model import Config, Secret, Settings
from glmcli.context import AppContext, Manner
from glmcli.diagnosis import OPEN, Evidence, Finding, Outcome, Row, Subject, Verdict, diagnose
from glmcli.errors import ExitCode, GlmError
from glmcli.probing import TIMEOUT_SECONDS, Prober, finding_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = 1

#: What each verdict about the provider in use says to a shell; what is not here is ExitCode.BALANCE.
_EXIT_CODES = {
    Verdict.WORKS: ExitCode.OK,
    Verdict.PLAN_ACTIVE: ExitCode.OK,
    Verdict.ACCEPTED: ExitCode.OK,
    Verdict.WINDOW_USED_UP: ExitCode.LIMIT,
    Verdict.BUSY: ExitCode.LIMIT,
    Verdict.OTHER_REGION: ExitCode.AUTH,
    Verdict.KEY_REFUSED: ExitCode.AUTH,
    Verdict.UNREACHABLE: ExitCode.NETWORK,
    Verdict.NOT_THE_SERVICE: ExitCode.NETWORK,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.NOT_ASKED: ExitCode.FAILED,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """How far an examination goes.

    `consent` is asked before tiny requests, with the providers that would get
    one; `probe` is that consent, given beforehand.
    """

    all_regions: bool = False
    probe: bool = False
    consent: Callable[[Sequence[str]], bool] = lambda providers: False


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    `failure` is why settings or key are missing; `rows` has a line for each of
    the vendor's providers, `own` that of the provider in use, whichever it is.
    """

    settings: Settings | None
    checks: tuple[Check, ...]
    rows: tuple[Row, ...]
    own: Row | None
    failure: GlmError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 when the provider in use works, as far as was asked; else the code of its trouble."""
        if self.failure is not None:
            return self.failure.exit_code
        if self.own is None:
            return ExitCode.CONFIG
        return _EXIT_CODES.get(self.own.verdict, ExitCode.BALANCE)

    def to_json(self) -> dict[str, object]:
        """The document of `glm doctor --json`."""
        from glmcli import __version__

        settings = checkup.rows(self.settings) if self.settings else []
        return {
            "schema_version": SCHEMA_VERSION,
            "version": __version__,
            "works": self.exit_code is ExitCode.OK,
            "exit_code": int(self.exit_code),
            "settings": {name: {"value": value, "source": source} for name, value, source in settings},
            "checks": [check.to_json() for check in self.checks],
            "selected": self.own.to_json() if self.own else None,
            "providers": [
                {**row.to_json(), "selected": self.own is not None and row.provider == self.own.provider}
                for row in self.rows
            ],
        }


def examine(app: AppContext, scope: Scope) -> Report:
    """Look at everything, also where a part of it is broken."""
    app.key_end_is_told = True  # among the checks
    config, settings, failure = _set_up(app)
    key = _key(app, settings) if settings else None
    checks = [*_problem(failure), *_checks(app, config, settings, key)]
    rows, own = _rows(app, settings, key, scope)
    if failure is None and isinstance(key, GlmError):
        failure = key
    return Report(settings, tuple(checks), rows, own, failure)


# -- what is set up --------------------------------------------------------------


def _set_up(app: AppContext) -> tuple[Config | None, Settings | None, GlmError | None]:
    """Configuration and settings, and the failure that stands in their way.

    With a broken file, flags and variables alone may still say enough to go on.
    """
    from glmcli.config.resolve import resolve

    config: Config | None = None
    directory = None
    failure: GlmError | None = None
    try:
        config = app.config
        directory = app.directory_file
    except GlmError as error:
        failure = error
    try:
        known = config or Config(app.paths.config_file)
        return config, resolve(app.options, app.environ, directory, known), failure
    except GlmError as error:
        return config, None, failure or error


def _key(app: AppContext, settings: Settings) -> Secret | GlmError:
    """The key of these settings, or why there is none; a keyring that hangs is given up after seconds."""
    from glmcli.config.credentials import find_key
    from glmcli.config.resolve import key_candidates

    if settings.provider.value.name == "sandbox":
        return Secret("", "the sandbox")
    try:
        candidates = key_candidates(settings, app.options, app.environ)
        return find_key(candidates, settings, app.environ, app.paths, app.streams)
    except GlmError as error:
        return error


def _problem(failure: GlmError | None) -> Iterator[Check]:
    if failure is not None:
        yield Check(checkup.SETTINGS, "problem", Level.BAD, failure.message, failure.hint)


def _checks(
    app: AppContext, config: Config | None, settings: Settings | None, key: Secret | GlmError | None
) -> Iterator[Check]:
    language = app.language
    found = key if isinstance(key, Secret) else None
    if settings is not None:
        yield from checkup.check_settings(settings, language)
    yield from checkup.check_variables(app.environ, language, settings=settings, key=found)
    yield from checkup.check_files(app, config)
    if settings is not None and key is not None:
        yield from checkup.check_key(key, settings, app)
        yield from checkup.check_network(settings, app)


# -- the endpoints ---------------------------------------------------------------


def _rows(
    app: AppContext, settings: Settings | None, key: Secret | GlmError | None, scope: Scope
) -> tuple[tuple[Row, ...], Row | None]:
    """A row per provider of the vendor, and that of the provider in use."""
    language = app.language
    if settings is None or not isinstance(key, Secret):
        rows = [_without_key(row, settings) for row in diagnose(Evidence(), language=language)]
        own = settings.provider.value.name if settings else None
        return tuple(rows), next((row for row in rows if row.provider == own), None)
    provider = settings.provider.value.name
    if provider not in VENDOR_PROVIDERS:
        rows = [_not_of_vendor(row, provider, language) for row in diagnose(Evidence(), language=language)]
        return tuple(rows), _ask_compatible(app, settings, key, scope)
    evidence = _without_word_of_plan(_gather(app, settings, key, scope), provider)
    subject = Subject(_switchable_profile(settings), provider, variable=key.variable)
    rows = diagnose(evidence, language=language, subject=subject)
    return tuple(rows), next(row for row in rows if row.provider == provider)


def _without_key(row: Row, settings: Settings | None) -> Row:
    profile = settings.profile.value if settings and settings.key_reference else None
    return replace(row, command=f"glm profile login {profile}" if profile else "glm onboard")


def _not_of_vendor(row: Row, provider: str, language: str) -> Row:
    meaning = text("doctor.key_of_other_service", language, provider=provider)
    return replace(row, meaning=meaning, command=f"glm doctor --provider {row.provider}")


def _switchable_profile(settings: Settings) -> str | None:
    """The profile, if it is what says which provider is used: a flag or variable would win over a change of it."""
    name = settings.profile.value
    return name if name and settings.provider.source == f"profile {name}" else None


def _gather(app: AppContext, settings: Settings, key: Secret, scope: Scope) -> Evidence:
    region = settings.provider.value.region
    providers = [name for name in VENDOR_PROVIDERS if scope.all_regions or PROVIDERS[name].region is region]
    prober = Prober(app, key, auth=settings.auth.value)
    evidence = prober.ask_free(providers)
    if not scope.probe:
        providers = _undecided(evidence, settings, providers)
        if not providers or not scope.consent(providers):
            return evidence
    own = settings.provider.value.name
    if own in providers and settings.model.value:
        # The very model that would be used: that another one works is no help to this profile.
        evidence = prober.ask_completions(evidence, [own], models=[settings.model.value])
        providers = [name for name in providers if name != own]
    return prober.ask_completions(evidence, providers)


def _without_word_of_plan(evidence: Evidence, provider: str) -> Evidence:
    """The evidence, in which a fault of the monitor is one of the plan: nothing else shows that the plan pays."""
    seen, trouble = evidence.of(provider), evidence.plan_of(provider).trouble
    is_open = seen.models.outcome is Outcome.OK and seen.completion.outcome is Outcome.NOT_ASKED
    if PROVIDERS[provider].plan is not Plan.CODING or not is_open or trouble.outcome is Outcome.NOT_ASKED:
        return evidence
    return Evidence({**evidence.providers, provider: replace(seen, models=trouble)}, evidence.plans)


def _undecided(evidence: Evidence, settings: Settings, providers: Sequence[str]) -> list[str]:
    """Those that only a request could judge; none where the provider in use is clear."""
    verdicts = {row.provider: row.verdict for row in diagnose(evidence, providers=providers)}
    if verdicts[settings.provider.value.name] not in OPEN:
        return []
    return [name for name in providers if verdicts[name] in OPEN]


def _ask_compatible(app: AppContext, settings: Settings, key: Secret, scope: Scope) -> Row:
    """The row of a custom endpoint or the sandbox, which the vendor's rules say nothing about."""
    provider, language = settings.provider.value.name, app.language
    finding, count = _list_models(app, settings, key)
    is_silent = finding.outcome is Outcome.REFUSED and finding.kind != codes.AUTH
    is_known = finding.outcome in (Outcome.NETWORK, Outcome.PAGE) or finding.kind == codes.AUTH
    if not is_known and (scope.probe or (is_silent and scope.consent([provider]))):
        finding, count = _try_completion(app, settings), None
    verdict = _of_compatible(finding, is_proven=count is None or provider == "sandbox")
    meaning = finding.detail or text("meaning.works", language, model=finding.model or "?")
    if count is not None:
        address = settings.base_url.value or provider
        meaning = text("doctor.lists_models", language, address=address, count=count)
    return Row(provider, verdict, text(f"verdict.{verdict}", language), meaning, _compatible_command(verdict, settings))


def _list_models(app: AppContext, settings: Settings, key: Secret) -> tuple[Finding, int | None]:
    """Whether the endpoint lists models, and how many."""
    from glmcli.api.resources.models import Models

    manner = Manner(TIMEOUT_SECONDS, max_retries=0, auth=settings.auth.value)
    try:
        listed = Models(app.client_for(app.target, key, manner=manner)).list()
    except GlmError as error:
        return Finding.of_error(error), None
    return Finding(Outcome.OK), len(listed)


def _of_compatible(finding: Finding, *, is_proven: bool) -> Verdict:
    if finding.outcome is Outcome.OK:
        return Verdict.WORKS if is_proven else Verdict.ACCEPTED
    if finding.kind == codes.AUTH:
        return Verdict.KEY_REFUSED
    silent = {Outcome.NETWORK: Verdict.UNREACHABLE, Outcome.PAGE: Verdict.NOT_THE_SERVICE}
    return silent.get(finding.outcome, Verdict.FAILED)


def _compatible_command(verdict: Verdict, settings: Settings) -> str:
    """What to type next about a custom endpoint or the sandbox."""
    selection = _selection(settings)
    if verdict in (Verdict.WORKS, Verdict.ACCEPTED):
        return f'glm chat {selection} "hello"'
    if verdict is Verdict.KEY_REFUSED:
        return f"glm profile login {settings.profile.value}" if settings.key_reference else "glm onboard"
    return f"glm doctor {selection} " + ("--probe" if verdict is Verdict.FAILED else "-v")


def _try_completion(app: AppContext, settings: Settings) -> Finding:
    from glmcli.api.resources.chat import ChatRequest
    from glmcli.turn import chat_resource

    model = settings.model.value
    if model is None:
        return Finding(Outcome.REFUSED, detail=text("doctor.no_model", app.language))
    request = ChatRequest(model=model, messages=[{"role": "user", "content": "ping"}], max_tokens=1)
    try:
        answer = chat_resource(app).create(request)
    except GlmError as error:
        return Finding.of_error(error, model=model)
    return finding_of(answer, model)


def _selection(settings: Settings) -> str:
    """The words that choose this endpoint again."""
    if settings.profile.value and settings.provider.source.startswith("profile "):
        return f"--profile {settings.profile.value}"
    if settings.base_url.value:
        return f"--base-url {settings.base_url.value}"
    return f"--provider {settings.provider.value.name}"


# -- mending ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mending:
    """Something that can be put right here: the command that a user would type, and the deed."""

    command: str
    apply: Callable[[], object]


def mendings(app: AppContext, report: Report) -> list[Mending]:
    """What `--fix` would do, in order."""
    found = [
        Mending(f"chmod {mode:o} {path}", lambda path=path, mode=mode: path.chmod(mode))  # type: ignore[misc]  # bound per file
        for path, mode in checkup.private_files(app)
        if checkup.is_open(path, mode)
    ]
    commands = [check.command for check in report.checks if check.level is not Level.OK]
    commands += [report.own.command] if report.own and report.exit_code is not ExitCode.OK else []
    for command in dict.fromkeys(commands):
        mending = _profile_change(app, command or "")
        if mending is not None:
            found.append(mending)
    return found


def _profile_change(app: AppContext, command: str) -> Mending | None:
    """The deed of `glm profile set NAME KEY=VALUE`; None for any other command."""
    words = command.split()
    if words[:3] != ["glm", "profile", "set"] or len(words) != 5:
        return None
    name, (key, _, value) = words[3], words[4].partition("=")

    def apply() -> object:
        from glmcli.config.profiles import set_values

        return set_values(app.paths, name, {key: value}, allow_http=True, notice=app.streams.note)

    return Mending(command, apply)


def renewed(app: AppContext) -> AppContext:
    """The same invocation, which reads all files again."""
    return AppContext(options=app.options, streams=app.streams, environ=app.environ, cwd=app.cwd)
