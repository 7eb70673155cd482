"""The questions of `glm onboard` at a terminal: where, who pays, which key, which model.

Four at most where nothing goes wrong, and none for what the command line says
already. A key that is refused can be corrected at once. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, Plan, Region
from glmcli.catalogue import text
from glmcli.config.model import Profile, Secret
from glmcli.diagnosis import Decision, Evidence, Row, Subject, Verdict, diagnose, judge, keys_page
from glmcli.errors import ConfigError
from glmcli.onboarding.answers import AUTO, Answers, FoundKey, Verified, Wish, providers_of
from glmcli.onboarding.keys import key_of_flags, stored_key
from glmcli.onboarding.verification import HOW, check_skip, decide, refusal, verify
from glmcli.probing import Prober

if TYPE_CHECKING:
    from glmcli.context import AppContext

#: Who was asked so often is not asked for the model, which has a default.
_MOST_QUESTIONS = 4
_OTHER_MODEL = "other"
_AGAIN, _ELSEWHERE = "again", "elsewhere"


class Wizard:
    """One run of the questions for one profile."""

    def __init__(self, app: AppContext, wish: Wish, name: str) -> None:
        self._app = app
        self._wish = wish
        self._name = name
        self._before: Profile | None = app.config.profiles.get(name)
        self._may_probe = wish.probe
        self._asked: set[str] = set()
        self._is_first_key = True
        self._last_host = ""

    def run(self) -> Answers:
        """Ask until a key is verified. Raises KeyboardInterrupt, and NetworkError when nobody answers."""
        check_skip(self._wish)
        # Between two questions, too: whoever pastes early must not see the key.
        with self._app.prompter.silent():
            return self._run()

    def _run(self) -> Answers:
        self._greet()
        providers = self._providers()
        while True:
            key = self._key(providers)
            verified = self._verified(providers, key)
            if verified is not None:
                break
            providers = self._after_refusal(providers)
        model = self._model(verified)
        return Answers(replace(self._wish, model=model), verified, key)

    # -- parts of every question ---------------------------------------------------

    def _say(self, key: str, **values: object) -> str:
        return text(key, self._app.language, **values)

    def _choose(self, question: str, options: Sequence[tuple[str, str]], default: str | None, flag: str) -> str:
        """The answer to a question of the catalogue."""
        self._asked.add(question)
        return self._app.prompter.choose(self._say(question), options, default=default, flag=flag)

    def _greet(self) -> None:
        note, before = self._app.streams.note, self._before
        if before is None:
            note(self._say("wizard.new", profile=self._name, path=self._app.paths.config_file))
        else:
            store = (before.key or "-").partition(":")[0]
            model = before.model or "-"
            note(self._say("wizard.existing", profile=self._name, provider=before.provider, model=model, store=store))
        note(self._say("wizard.stop"))

    # -- where, and who pays -------------------------------------------------------

    def _providers(self) -> tuple[str, ...]:
        """The endpoints that come into question; only their hosts will get the key."""
        if self._wish.choice not in (None, AUTO):
            return (str(self._wish.choice),)
        if self._wish.region is None:
            self._wish = replace(self._wish, region=self._region())
        if self._wish.choice == AUTO:
            return providers_of(self._wish.regions)
        return providers_of(self._wish.regions, self._plan())

    def _region(self) -> str:
        names = self._decidable("intl", "cn", "any")
        options = [(name, self._say(f"wizard.region.{name}")) for name in names]
        own = PROVIDERS.get(self._before.provider) if self._before else None
        return self._choose("wizard.region", options, own.region if own else None, "--region")

    def _plan(self) -> Plan | None:
        """The plan, or None: find out. The words of the options are the consent to a tiny request."""
        names = self._decidable("coding", "payg", "find")
        options = [(name, self._say(f"wizard.plan.{name}")) for name in names]
        own = PROVIDERS.get(self._before.provider) if self._before else None
        chosen = self._choose("wizard.plan", options, own.plan if own else None, "--auth-choice")
        self._may_probe = self._may_probe or chosen != Plan.CODING
        return None if chosen == "find" else Plan(chosen)

    def _decidable(self, *names: str) -> tuple[str, ...]:
        """The answers that can be given: the last one, to find out, needs a service that is asked."""
        return names[:-1] if self._wish.skip_verify else names

    # -- the key -------------------------------------------------------------------

    def _key(self, providers: Sequence[str]) -> FoundKey:
        # What the command line gives is tried once; a correction is typed.
        given = key_of_flags(self._app, self._wish, providers) if self._is_first_key else None
        self._is_first_key = False
        if given is not None:
            return given
        self._asked.add("wizard.key")
        at_hand = self._key_at_hand(providers)
        for region in dict.fromkeys(PROVIDERS[name].region for name in providers):
            self._app.streams.note(self._say("wizard.keys", page=keys_page(region)))
        question = self._say("wizard.key")
        if at_hand is not None:
            question += self._say("wizard.key_at_hand", source=at_hand.secret.source)
        while True:
            found = self._typed(question, at_hand)
            if found is not None:
                return found

    def _typed(self, question: str, at_hand: FoundKey | None) -> FoundKey | None:
        """The key that was typed or pasted, whatever white space came along; None to ask again."""
        from glmcli.config.keytext import clean_key, doubt_about

        tell = self._app.streams.complain
        typed = self._app.prompter.secret(question, note=self._say("wizard.hidden"), flag="--key-stdin")
        pasted = "".join(typed.split())
        if not pasted:
            if at_hand is None:
                tell(self._say("wizard.nothing"))
            return at_hand
        try:
            key = clean_key(pasted, self._say("wizard.typed"), lambda text: None)
        except ConfigError as error:
            tell(f"{error.message}; {error.hint}")
            return None
        doubt = doubt_about(key)
        if doubt:
            tell(doubt)
        return FoundKey(Secret(key, self._say("wizard.typed")))

    def _key_at_hand(self, providers: Sequence[str]) -> FoundKey | None:
        """The key that Enter takes: the stored one, else one that another program or variable holds."""
        if self._before is not None and self._before.key and self._before.provider in providers:
            try:
                stored = stored_key(self._app, self._before)
            except ConfigError as error:
                self._app.streams.note(error.message)
                stored = None
            if stored is not None:
                return stored
        return next(self._importable(providers), None)

    def _importable(self, providers: Sequence[str]) -> Iterator[FoundKey]:
        from glmcli.config.paths import user_home
        from glmcli.integrations.detect import importable_settings

        environ = self._app.environ
        for found in importable_settings(environ, user_home(environ)):
            if set(found.providers) & set(providers):
                variable = found.source.removeprefix("variable ")
                is_variable = variable != found.source
                yield FoundKey(found.secret, f"env:{variable}" if is_variable else None)

    # -- verification --------------------------------------------------------------

    def _verified(self, providers: Sequence[str], key: FoundKey) -> Verified | None:
        """The provider that the key may use; None when another key is needed."""
        if self._wish.skip_verify:
            return Verified(providers[0], "skipped", meaning=self._say("onboard.skipped"))
        evidence = self._evidence(providers, key)
        decision = decide(evidence, providers, self._wish.regions[0])
        if decision.candidates:
            return verify(self._who_pays(decision), evidence, self._app.language)
        if decision.provider is None:
            self._show(self._rows(evidence, providers))
            return None
        (row,) = self._rows(evidence, [decision.provider])
        if row.verdict in HOW:
            return verify(row.provider, evidence, self._app.language)
        if row.verdict in (Verdict.UNREACHABLE, Verdict.NOT_THE_SERVICE):
            raise refusal(row, self._app.language)
        self._show([row])
        return self._moved(row, key)

    def _evidence(self, providers: Sequence[str], key: FoundKey) -> Evidence:
        auth = self._before.auth if self._before else "bearer"
        prober = Prober(self._app, key.secret, auth=auth, tell=self._tell_host)
        evidence = prober.ask_free(providers)
        if self._is_open(evidence, providers) and self._consents():
            evidence = prober.ask_completions(evidence, providers, models=self._models_to_try())
        return evidence

    def _models_to_try(self) -> list[str] | None:
        return [self._wish.model] if self._wish.model else None

    def _is_open(self, evidence: Evidence, providers: Sequence[str]) -> bool:
        """Whether a tiny request would tell more than free calls did."""
        verdicts = {judge(name, evidence) for name in providers}
        return bool(verdicts & {Verdict.ACCEPTED, Verdict.ACCEPTED_BESIDE_PLAN, Verdict.FAILED})

    def _consents(self) -> bool:
        if not self._may_probe:
            self._may_probe = self._app.prompter.confirm(self._say("wizard.probe"), default=True, flag="--probe")
        return self._may_probe

    def _tell_host(self, origin: str) -> None:
        if origin != self._last_host:
            self._last_host = origin
            self._app.streams.note(self._say("wizard.asking", host=origin.partition("://")[2]))

    def _who_pays(self, decision: Decision) -> str:
        self._app.streams.note(self._say(f"reason.{decision.reason}"))
        plans = {name: PROVIDERS[name].plan for name in decision.candidates}
        options = [(name, self._say(f"wizard.pays.{plan}", provider=name)) for name, plan in plans.items()]
        return self._choose("wizard.pays", options, decision.candidates[0], "--auth-choice")

    def _moved(self, row: Row, key: FoundKey) -> Verified | None:
        """The other endpoint of the region, verified, when the key turns out to be for that one and the user agrees."""
        if row.verdict not in _FOR_THE_OTHER:
            return None
        own = PROVIDERS[row.provider]
        plan = Plan.PAYG if own.plan is Plan.CODING else Plan.CODING
        sibling = providers_of([own.region], plan)[0]
        question = self._say(f"wizard.move.{plan}", provider=sibling)
        # What is metered is not the default answer.
        if not self._app.prompter.confirm(question, default=plan is Plan.CODING, flag="--auth-choice"):
            return None
        self._may_probe = self._may_probe or plan is Plan.PAYG
        return self._verified((sibling,), key)

    def _after_refusal(self, providers: Sequence[str]) -> tuple[str, ...]:
        """The endpoints for the next attempt; the other company's only when the user says so."""
        regions = {PROVIDERS[name].region for name in providers}
        if len(regions) > 1 or self._wish.choice not in (None, AUTO):
            return tuple(providers)
        other = next(region for region in Region if region not in regions)
        elsewhere = self._say("wizard.elsewhere", site=self._say(f"site.{other}"))
        options = [(_AGAIN, self._say("wizard.again")), (_ELSEWHERE, elsewhere)]
        if self._choose("wizard.what_now", options, _AGAIN, "--region any") == _AGAIN:
            return tuple(providers)
        self._wish = replace(self._wish, region=other)
        plans = {PROVIDERS[name].plan for name in providers}
        return providers_of([other], plans.pop() if len(plans) == 1 else None)

    def _rows(self, evidence: Evidence, providers: Sequence[str]) -> list[Row]:
        subject = Subject(onboarding=True)
        return diagnose(evidence, language=self._app.language, subject=subject, providers=providers)

    def _show(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._app.streams.complain(f"{row.provider}: {row.title}. {row.meaning}")

    # -- the model -----------------------------------------------------------------

    def _model(self, verified: Verified) -> str | None:
        """The model to use; not asked when the command line says it, or four questions were asked."""
        before = self._before.model if self._before and self._before.provider == verified.provider else None
        usual = self._wish.model or verified.model or before
        if self._wish.model or len(self._asked - {"wizard.what_now"}) >= _MOST_QUESTIONS:
            return usual
        options = list(self._model_options(verified.provider, usual))
        chosen = self._choose("wizard.model", options, usual, "--model")
        if chosen != _OTHER_MODEL:
            return chosen
        return self._app.prompter.text(self._say("wizard.model_name"), flag="--model") or usual

    def _model_options(self, provider: str, usual: str | None) -> Iterator[tuple[str, str]]:
        from glmcli.api.catalog import MODELS

        names = ["glm-5.3", "glm-5.3-flash"]
        if PROVIDERS[provider].plan is Plan.PAYG:
            names += ["glm-4.7", "glm-4.7-flash"]
        if usual and usual not in names:
            names.insert(0, usual)
        for name in names:
            model = MODELS.get(name)
            is_free = model is not None and model.price is not None and model.price.output == 0
            yield name, f"{name}  {self._say('wizard.free')}" if is_free else name
        yield _OTHER_MODEL, self._say("wizard.model.other")


#: Verdicts that point to the other plan of the region.
_FOR_THE_OTHER = frozenset(
    {
        Verdict.PLAN_KEY_ON_GENERAL,
        Verdict.ACCEPTED_BESIDE_PLAN,
        Verdict.PAYG_KEY_ON_CODING,
        Verdict.NO_PLAN,
        Verdict.PLAN_EXPIRED,
    }
)
