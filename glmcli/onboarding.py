"""What `glm onboard` does besides asking: finds the key, verifies it, keeps it, and tells.

Nothing is kept before it is verified, unless the user says so. The key is
written before the profile that refers to it, so that a process that is killed
in between leaves no profile without a key.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Region, Service
from glmcli.catalogue import text
from glmcli.config.model import GlobalOptions, KeyCandidate, Profile, Secret, Settings
from glmcli.diagnosis import (
    POLICY_PAGE,
    Decision,
    Evidence,
    Reason,
    Row,
    Subject,
    Verdict,
    choose,
    diagnose,
    judge,
    model_of,
)
from glmcli.errors import (
    ConfigError,
    ExitCode,
    GlmError,
    KeyRefused,
    MissingKey,
    NetworkError,
    ServiceError,
    UsageError,
)
from glmcli.probing import Prober, target_of

if TYPE_CHECKING:
    from glmcli.context import AppContext

AUTO = "auto"
DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; None is left to the wizard, or to defaults.

    `choice` is a provider or `auto`. `flags` maps a provider to the key that
    its flag gave.
    """

    choice: str | None = None
    region: str | None = None
    flags: Mapping[str, Secret] | None = None
    key_command: str | None = None
    store: str | None = None
    model: str | None = None
    skip_verify: bool = False
    probe: bool = False
    set_default: bool = False

    @property
    def regions(self) -> tuple[Region, ...]:
        """The companies whose hosts may get the key; two only with the user's word."""
        if self.region == "any":
            return (Region.INTL, Region.CN)
        return (Region(self.region or "intl"),)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and the reference under which it is found again (`env:NAME`, `command:...`, `file`, `keyring`).

    None stands for a key that must be stored first.
    """

    secret: Secret
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A provider that the key may use. `how` is what proves it: `answer`, `plan`, `key`, `skipped` or `none`.

    `base_url` and `protocol` are those of a compatible service; `meaning` tells
    the proof where there is no row.
    """

    provider: str
    how: str
    row: Row | None = None
    model: str | None = None
    base_url: str | None = None
    protocol: str | None = None
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is needed to keep a profile: from flags, or from questions."""

    wish: Wish
    verified: Verified
    key: FoundKey


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands in the files now, and what of it is new."""

    profile: Profile
    place: str
    changes: tuple[str, ...]
    is_default: bool


# -- where to look -----------------------------------------------------------------


def profile_name(app: AppContext) -> str:
    """The profile to set up: named, else the one in use, else `default`."""
    named = app.options.profile or app.environ.get("GLM_PROFILE", "").strip()
    profiles = app.config.profiles
    only = next(iter(profiles)) if len(profiles) == 1 else None
    return named or app.config.default_profile or only or DEFAULT_PROFILE


def providers_of(regions: Iterable[Region], plan: Plan | None = None) -> tuple[str, ...]:
    """The providers of these regions, the plan's before the metered one."""
    found = [PROVIDERS[name] for name in VENDOR_PROVIDERS]
    wanted = [each for each in found if each.region in tuple(regions) and plan in (None, each.plan)]
    return tuple(each.name for each in sorted(wanted, key=lambda each: each.plan is Plan.PAYG))


# -- the key -----------------------------------------------------------------------


def key_of_flags(app: AppContext, wish: Wish, providers: Sequence[str]) -> FoundKey | None:
    """The key that the command line gives or names; None when it says nothing of one.

    Raises UsageError for two of them, MissingKey for one that is empty.
    """
    options, flags = app.options, wish.flags or {}
    given = [name for name, is_given in _given(app, wish).items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", hint="give one of them")
    if flags:
        ((provider, secret),) = flags.items()
        _check_flag(provider, secret, providers)
        return FoundKey(secret)
    if options.key_stdin:
        return FoundKey(_read(app, KeyCandidate("stdin", "-", "flag --key-stdin")))
    if options.key_env:
        source = f"variable {options.key_env} (flag --key-env)"
        secret = _read(app, KeyCandidate("env", options.key_env, source))
        return FoundKey(secret, f"env:{options.key_env}" if wish.store == "env" else None)
    if wish.key_command:
        reference = f"command:{wish.key_command}"
        secret = _read(app, KeyCandidate("stored", reference, "flag --key-command"))
        return FoundKey(secret, reference if wish.store in (None, "command") else None)
    return None


def _given(app: AppContext, wish: Wish) -> dict[str, bool]:
    flags = {f"--{provider}-api-key": True for provider in wish.flags or {}}
    return {
        **flags,
        "--key-stdin": app.options.key_stdin,
        "--key-env": bool(app.options.key_env),
        "--key-command": bool(wish.key_command),
    }


def _check_flag(provider: str, secret: Secret, providers: Sequence[str]) -> None:
    """A key flag of the other company would send its key to the wrong host."""
    if not secret.reveal():
        raise MissingKey(f"the key of --{provider}-api-key is empty", hint="is the variable set in this shell?")
    regions = {PROVIDERS[name].region for name in providers}
    if PROVIDERS[provider].region not in regions:
        wanted = f"--{providers[0]}-api-key"
        raise UsageError(f"--{provider}-api-key does not go with {providers[0]}", hint=f"use {wanted} for its key")


def key_lying_around(app: AppContext, profile: Profile | None, providers: Sequence[str]) -> FoundKey | None:
    """The key that is set already: in a provider's variables, or stored for this very profile.

    The order is that of every command: own variable, stored key, fallback
    variables. Raises ConfigError when variables hold different keys, or a store fails.
    """
    own = [PROVIDERS[name].own_variable for name in providers]
    fallbacks = [variable for name in providers for variable in PROVIDERS[name].fallback_variables]
    found = key_of_variables(app, own)
    if found is None and profile is not None and profile.key and profile.provider in providers:
        found = stored_key(app, profile)
    return found or key_of_variables(app, fallbacks)


def key_of_variables(app: AppContext, names: Iterable[str | None]) -> FoundKey | None:
    """The key that these variables hold, to be referred to. Raises ConfigError when they hold different ones."""
    values = {name: app.environ[name].strip() for name in names if name and app.environ.get(name, "").strip()}
    if len(set(values.values())) > 1:
        raise ConfigError(f"several keys are set ({', '.join(values)})", hint="name one of them with --key-env NAME")
    for name in values:
        return FoundKey(_read(app, KeyCandidate("env", name, f"variable {name}")), f"env:{name}")
    return None


def stored_key(app: AppContext, profile: Profile) -> FoundKey | None:
    """The key to which a profile refers; None when there is none any more."""
    from glmcli.config.credentials import find_key

    candidate = KeyCandidate("stored", profile.key or "", f"profile {profile.name}")
    try:
        secret = find_key([candidate], _settings(app, profile.name), app.environ, app.paths, app.streams)
    except MissingKey:
        return None
    return FoundKey(secret, profile.key)


def _read(app: AppContext, candidate: KeyCandidate) -> Secret:
    """The key of one place, cleaned. Raises MissingKey, UsageError, ConfigError."""
    from glmcli.config.credentials import find_key

    # Of the settings only messages are made here, and those of a flag or variable name neither profile nor provider.
    return find_key([candidate], _settings(app, None), app.environ, app.paths, app.streams)


def _settings(app: AppContext, profile: str | None) -> Settings:
    """The settings of one profile, whatever flags and variables say of others."""
    from glmcli.config.resolve import resolve

    provider = None if profile else VENDOR_PROVIDERS[0]
    return resolve(GlobalOptions(profile=profile, provider=provider, allow_http=True), {}, None, app.config)


# -- verification ------------------------------------------------------------------

#: What proves that a provider may be kept.
HOW = {
    Verdict.WORKS: "answer",
    Verdict.PLAN_ACTIVE: "plan",
    Verdict.WINDOW_USED_UP: "plan",
    Verdict.BUSY: "key",
    Verdict.ACCEPTED: "key",
}
_EXIT_CODES = {
    Verdict.KEY_REFUSED: ExitCode.AUTH,
    Verdict.OTHER_REGION: ExitCode.AUTH,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.RESTRICTED: ExitCode.FAILED,
}
_EXIT_CODES_OF_REASONS = {
    Reason.BOTH_WORK: ExitCode.CONFIG,
    Reason.PLAN_UNCERTAIN: ExitCode.CONFIG,
    Reason.NOTHING_TRIED: ExitCode.CONFIG,
    Reason.BUSY: ExitCode.LIMIT,
    Reason.NO_MONEY: ExitCode.BALANCE,
    Reason.KEY_REFUSED: ExitCode.AUTH,
    Reason.RESTRICTED: ExitCode.BALANCE,
}


def decide(evidence: Evidence, providers: Sequence[str], region: Region) -> Decision:
    """The provider to verify: the only one, the best of the same plan, or the choice between plan and balance."""
    if len({PROVIDERS[name].plan for name in providers}) > 1:
        return choose(evidence, region)
    order = [*HOW, Verdict.MODEL_NOT_INCLUDED]
    ranks = {verdict: rank for rank, verdict in enumerate(order)}
    best = min(providers, key=lambda name: ranks.get(judge(name, evidence), len(order)))
    return Decision(best, model=model_of(best, evidence))


def verify(provider: str, evidence: Evidence, language: str) -> Verified:
    """That a key may use a provider. Raises what is told otherwise: in words, with the way out."""
    (row,) = diagnose(evidence, language=language, subject=Subject(onboarding=True), providers=[provider])
    how = HOW.get(row.verdict)
    if how is None:
        raise refusal(row, language)
    return Verified(provider, how, row, model_of(provider, evidence))


def refusal(row: Row, language: str) -> GlmError:
    """The error that a row is when its provider cannot be kept."""
    hint = row.command
    if row.verdict is Verdict.ACCEPTED_BESIDE_PLAN:
        hint += f"\n--probe  ({text('onboard.probe', language)})"
    message = f"{row.provider}: {row.meaning[:1].lower()}{row.meaning[1:].rstrip('.。')}"
    if row.verdict in (Verdict.UNREACHABLE, Verdict.NOT_THE_SERVICE):
        return NetworkError(message, hint=hint)
    exit_code = _EXIT_CODES.get(row.verdict, ExitCode.BALANCE)
    kind = KeyRefused if exit_code is ExitCode.AUTH else ServiceError
    return kind(message, hint=hint, kind=row.verdict.value, exit_code=exit_code)


def undecided(decision: Decision, wish: Wish, language: str) -> GlmError:
    """The error for a choice that only the user can make, or that nothing is left to choose from."""
    reason = decision.reason or Reason.UNREACHABLE
    message = text(f"reason.{reason}", language)
    if reason is Reason.UNREACHABLE:
        return NetworkError(message, hint="glm doctor -v")
    hints = [f"--auth-choice {name}-api-key  ({PROVIDERS[name].title})" for name in decision.candidates]
    if reason is Reason.NOTHING_TRIED:
        hints.append(f"--probe  ({text('onboard.probe', language)})")
    if reason is Reason.KEY_REFUSED and wish.region != "any":
        hints.append(f"--region any  ({text('onboard.any', language)})")
    exit_code = _EXIT_CODES_OF_REASONS[reason]
    return ServiceError(message, hint="\n".join(hints) or None, kind=reason.value, exit_code=exit_code)


def by_flags(app: AppContext, wish: Wish, name: str) -> Answers:
    """Find and verify a key without anybody to ask.

    Raises UsageError for what the flags leave open, and what `verify` and `undecided` make.
    """
    providers = _providers_by_flags(wish)
    before = app.config.profiles.get(name)
    key = key_of_flags(app, wish, providers) or key_lying_around(app, before, providers)
    if key is None:
        raise MissingKey(
            f"no key for {' or '.join(providers)}",
            hint=f'printf %s "$KEY" | glm onboard --non-interactive --auth-choice {wish.choice} --key-stdin',
        )
    if wish.skip_verify:
        return Answers(wish, Verified(providers[0], "skipped", meaning=text("onboard.skipped", app.language)), key)
    return Answers(wish, _verified_by_flags(app, wish, key, providers, before.auth if before else "bearer"), key)


def _providers_by_flags(wish: Wish) -> tuple[str, ...]:
    if wish.choice is None:
        raise UsageError(
            "there is nobody to ask whose key it is",
            hint="say it with --auth-choice zai-api-key, zai-coding-api-key, zhipu-api-key, "
            "zhipu-coding-api-key or auto",
        )
    if wish.choice != AUTO:
        return (wish.choice,)
    if wish.skip_verify:
        raise UsageError("--auth-choice auto asks the service, and --skip-verify forbids it", hint="name the provider")
    return providers_of(wish.regions)


def _verified_by_flags(app: AppContext, wish: Wish, key: FoundKey, providers: Sequence[str], auth: str) -> Verified:
    prober = Prober(app, key.secret, auth=auth)
    evidence = prober.ask_free(providers)
    if wish.probe:
        evidence = prober.ask_completions(evidence, providers, models=[wish.model] if wish.model else None)
    decision = decide(evidence, providers, wish.regions[0])
    if decision.provider is None:
        _show_rows(app, evidence, providers)
        raise undecided(decision, wish, app.language)
    return verify(decision.provider, evidence, app.language)


def _show_rows(app: AppContext, evidence: Evidence, providers: Sequence[str]) -> None:
    from glmcli.diagnosis import as_text

    if not app.options.json:
        rows = diagnose(evidence, language=app.language, subject=Subject(onboarding=True), providers=providers)
        app.streams.note(as_text(rows, app.language))


# -- keeping -----------------------------------------------------------------------


def keep(app: AppContext, name: str, answers: Answers) -> Kept:
    """Write key and profile; what is so already is not written again. Raises ConfigError.

    Without `--store` a keyring that does not work is replaced by the private
    file, with a notice.
    """
    from glmcli.config.profiles import delete_key, save_profile

    wish, before = answers.wish, app.config.profiles.get(name)
    with _unpaired(app, before, answers.verified.provider):
        reference, backend, is_new_key = _keep_key(app, name, wish, answers.key, before)
    profile = _profile(name, wish, answers.verified, before, reference, backend)
    changes = save_profile(
        app.paths,
        profile,
        make_default=wish.set_default,
        allow_http=app.options.allow_http,
        notice=app.streams.note,
    )
    if is_new_key:
        changes.append(text("onboard.key_changed", app.language, profile=name))
    if before is not None and before.key in ("keyring", "file") and before.key != reference:
        try:
            delete_key(before, app.paths)
        except ConfigError as error:
            app.streams.note(text("onboard.old_key_stays", app.language, reason=error.message))
    return Kept(profile, place_of_key(app, profile), tuple(changes), _is_default(app, name))


@contextmanager
def _unpaired(app: AppContext, before: Profile | None, provider: str) -> Iterator[None]:
    """Store a key of the other company while no profile would send it to the old one, even if we are killed."""
    from glmcli.config.profiles import set_values

    own = PROVIDERS.get(before.provider) if before is not None else None
    if before is None or before.key not in ("keyring", "file") or own is None:
        yield
        return
    if own.region is PROVIDERS[provider].region and "custom" not in (own.name, provider):
        yield
        return
    set_values(app.paths, before.name, {"key": None}, allow_http=True)
    try:
        yield
    except BaseException:
        set_values(app.paths, before.name, {"key": before.key}, allow_http=True)
        raise


def _profile(
    name: str, wish: Wish, verified: Verified, before: Profile | None, reference: str, backend: str | None
) -> Profile:
    """The profile as it shall stand; a change of provider takes the old one's model and address away."""
    if before is None or before.provider != verified.provider:
        auth = before.auth if before else "bearer"
        before = Profile(name, verified.provider, auth=auth)
    return before._replace(
        model=wish.model or verified.model or before.model,
        key=reference,
        keyring_backend=backend,
        base_url=verified.base_url,
        protocol=verified.protocol or (before.protocol if verified.base_url is None else None),
        chat={},
    )


def _keep_key(
    app: AppContext, name: str, wish: Wish, key: FoundKey, before: Profile | None
) -> tuple[str, str | None, bool]:
    """The reference to the key, the keyring's backend, and whether a stored key was replaced."""
    from glmcli.config.profiles import reference_to, store_key

    if wish.store in ("env", "command"):
        variable = app.options.key_env or (key.reference or "").partition("env:")[2]
        return reference_to(wish.store, variable=variable, command=wish.key_command), None, False
    reference = key.reference or ""
    if wish.store is None and reference.startswith(("env:", "command:")):
        return reference, None, False
    usual = before.key if before is not None and before.key in ("keyring", "file") else "keyring"
    kind = wish.store or usual
    old = _stored_text(app, before) if before is not None and before.key == kind else None
    if before is not None and old == key.secret.reveal():
        return kind, before.keyring_backend, False
    try:
        kept = store_key(kind, name, key.secret, app.paths)
    except ConfigError as error:
        if wish.store is not None or kind != "keyring":
            raise
        app.streams.note(
            text("onboard.no_keyring", app.language, reason=_first_sentence(error), path=app.paths.credentials_file)
        )
        kept = store_key("file", name, key.secret, app.paths)
    return *kept, old is not None


def _first_sentence(error: GlmError) -> str:
    return error.message.partition(". ")[0]


def _stored_text(app: AppContext, profile: Profile) -> str | None:
    from glmcli.config.profiles import read_key

    try:
        return read_key(profile, app.paths)
    except ConfigError:
        return None  # a store that fails now is told when it is written to


def place_of_key(app: AppContext, profile: Profile) -> str:
    """Where the key of a profile is, in a few words."""
    from glmcli.config.credentials import open_store

    reference = profile.key or ""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return f"variable {rest}"
    if kind == "command":
        return f"command {shlex.split(rest)[0]}"
    return open_store(reference, app.paths, keyring_backend=profile.keyring_backend).describe()


def _is_default(app: AppContext, name: str) -> bool:
    from glmcli.config.store import load_config

    config = load_config(app.paths.config_file)
    return config.default_profile == name or list(config.profiles) == [name]


# -- telling -----------------------------------------------------------------------


def document(app: AppContext, verified: Verified, kept: Kept) -> dict[str, object]:
    """The answer of `glm onboard --json`."""
    profile = kept.profile
    return {
        "schema_version": 1,
        "profile": profile.name,
        "is_default": kept.is_default,
        "provider": profile.provider,
        "model": _model(profile),
        "base_urls": base_urls(app, profile),
        "key": {"reference": (profile.key or "").partition(":")[0], "place": kept.place},
        "verified": verified.how,
        "verdict": verified.row.verdict.value if verified.row else None,
        "meaning": verified.row.meaning if verified.row else verified.meaning,
        "changes": list(kept.changes),
        "policy": POLICY_PAGE if PROVIDERS[profile.provider].plan is Plan.CODING else None,
        "command": equivalent_command(profile),
    }


def _model(profile: Profile) -> str | None:
    return profile.model or PROVIDERS[profile.provider].default_model


def base_urls(app: AppContext, profile: Profile) -> dict[str, str | None]:
    """The addresses that a profile's calls will use."""
    if profile.base_url is not None:
        return {"chat": profile.base_url}
    from glmcli.api.clientenv import client_bases

    target = target_of(app, profile.provider)
    bases = client_bases(target)
    return {
        "chat": bases.openai,
        "anthropic": bases.anthropic,
        "responses": bases.responses,
        "media": target.base(Service.MEDIA),
        "agents": target.base(Service.AGENTS),
        "mcp": target.base(Service.MCP),
    }


def report(app: AppContext, verified: Verified, kept: Kept) -> list[str]:
    """The answer of `glm onboard` for people."""
    profile, language = kept.profile, app.language
    rows = [
        ("provider", f"{profile.provider} ({PROVIDERS[profile.provider].title})"),
        ("model", _model(profile) or "-"),
        ("chat", base_urls(app, profile)["chat"] or "-"),
        ("key", kept.place),
        ("verified", verified.row.meaning if verified.row else verified.meaning or ""),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [text("onboard.ready", language, profile=profile.name)]
    lines += [f"  {name.ljust(width)}  {value}" for name, value in rows]
    lines += [f"  {change}" for change in kept.changes] or [f"  {text('onboard.unchanged', language)}"]
    return lines


def equivalent_command(profile: Profile) -> str:
    """The command that makes the same profile without anybody to ask; the key as a variable."""
    words = ["glm", "onboard", "--non-interactive"]
    if profile.base_url:
        words += ["--base-url", profile.base_url]
        words += ["--protocol", profile.protocol] if profile.protocol else []
    else:
        words += ["--auth-choice", f"{profile.provider}-api-key"]
    kind, _, rest = (profile.key or "").partition(":")
    if kind == "env":
        words += ["--store", "env", "--key-env", rest]
    elif kind == "command":
        words += ["--store", "command", "--key-command", rest]
    else:
        words += ["--key-stdin", "--store", kind]
    if profile.model:
        words += ["--model", profile.model]
    if profile.name != DEFAULT_PROFILE:
        words += ["--profile", profile.name]
    command = shlex.join(words)
    if kind in ("env", "command"):
        return command
    return f'printf %s "${PROVIDERS[profile.provider].own_variable}" | {command}'


def tell_unproven(app: AppContext, verified: Verified) -> None:
    """Say that nobody has paid yet, where only the key is proven."""
    if verified.row is not None and verified.row.verdict is Verdict.ACCEPTED:
        app.streams.note(text("onboard.unproven", app.language, provider=verified.provider))


def tell_shadows(app: AppContext, profile: Profile, key: FoundKey) -> None:
    """Say which variables of this shell will win over what was just set up."""
    names = [name for name in ("GLM_PROVIDER", "GLM_BASE_URL", "GLM_MODEL") if app.environ.get(name, "").strip()]
    own = PROVIDERS[profile.provider].own_variable or ""
    exported = app.environ.get(own, "").strip()
    if exported and exported != key.secret.reveal():
        names.append(own)
    if names:
        app.streams.note(text("onboard.shadows", app.language, names=", ".join(names)))


def tell_policy(app: AppContext, profile: Profile, before: Profile | None) -> None:
    """Say once per profile that the vendor limits plan keys to listed tools."""
    own = PROVIDERS[profile.provider]
    if own.plan is Plan.CODING and (before is None or before.provider != profile.provider):
        metered = providers_of([own.region], Plan.PAYG)[0]
        app.streams.note(text("onboard.policy", app.language, page=POLICY_PAGE, metered=metered))
