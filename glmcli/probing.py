"""Gathers the evidence that `diagnosis` decides over.

Free calls first: `GET /models` per endpoint, the quota per region. Tiny
completions, which may cost a fraction of a cent, are another function, for
those who have consent. One request at a time, none of them repeated, each
bounded by five seconds: a diagnosis must not be a storm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from glmcli import codes
from glmcli.api.endpoints import PROVIDERS, Plan, Region, Target
from glmcli.config.model import Config, GlobalOptions, Secret
from glmcli.context import Manner
from glmcli.diagnosis import Evidence, Finding, Outcome, PlanFinding, PlanState, ProviderEvidence
from glmcli.errors import GlmError, KeyRefused, ServiceError

if TYPE_CHECKING:
    from glmcli.api.client import Client
    from glmcli.context import AppContext
    from glmcli.events import Answer

TIMEOUT_SECONDS = 5.0
#: One token is enough to see whether somebody pays.
MAX_TOKENS = 1
#: Tried in order, each only when the ones before it are not for this key.
CANDIDATE_MODELS = {
    Plan.CODING: ("glm-5.3", "glm-5.3-flash", "glm-4.7"),
    Plan.PAYG: ("glm-5.3", "glm-5.2", "glm-4.7"),
}

Tell = Callable[[str], None]


def _silent(text: str) -> None:
    return None


class Prober:
    """Asks the service about one key.

    `auth` is the form of the key (`api.auth`); `tell` hears, before each
    request, where it goes.
    """

    def __init__(
        self,
        app: AppContext,
        key: Secret,
        *,
        auth: str = "bearer",
        timeout_seconds: float = TIMEOUT_SECONDS,
        tell: Tell = _silent,
    ) -> None:
        self._app = app
        self._key = key
        self._manner = Manner(timeout_seconds, max_retries=0, auth=auth)
        self._tell = tell
        self._clients: dict[str, Client] = {}

    def ask_free(self, providers: Iterable[str]) -> Evidence:
        """What can be seen without paying. Only the hosts of these providers get the key."""
        seen: dict[str, ProviderEvidence] = {}
        plans: dict[Region, PlanFinding] = {}
        for region, names in _by_region(providers).items():
            seen.update(self._models_of(names))
            if any(seen[name].models.outcome is Outcome.OK for name in names):
                plans[region] = self.quota(names[0])
        return Evidence(seen, plans)

    def ask_completions(
        self, evidence: Evidence, providers: Iterable[str], *, models: Sequence[str] | None = None
    ) -> Evidence:
        """The evidence, completed by one tiny request per provider; for whoever has consent.

        Endpoints that refused the key or were out of reach are not asked again.
        `models` replaces the candidates.
        """
        seen = dict(evidence.providers)
        for name in providers:
            before = evidence.of(name)
            if _is_worth_asking(before.models):
                candidates = models or CANDIDATE_MODELS[PROVIDERS[name].plan]
                seen[name] = replace(before, completion=self._first_allowed(name, candidates))
        return Evidence(seen, evidence.plans)

    # -- single questions --------------------------------------------------------

    def models(self, provider: str) -> Finding:
        """Whether the key may list models there."""
        from glmcli.api.resources.models import Models

        client = self._client(provider)
        try:
            Models(client).list()
        except GlmError as error:
            return Finding.of_error(self._clean(error))
        return Finding(Outcome.OK)

    def _clean(self, error: GlmError) -> GlmError:
        """The error without the key, which some gateways quote: it is told in a table, not as a failure."""
        error.message = self._app.streams.without_secrets(error.message)
        return error

    def quota(self, provider: str) -> PlanFinding:
        """What the region of a provider says about a plan. A failure here is never fatal."""
        from glmcli.api.resources.quota import Monitor, has_no_plan

        client = self._client(provider)
        try:
            quota = Monitor(client, language=self._app.language).quota()
        except KeyRefused as error:
            return PlanFinding(PlanState.REFUSED, detail=self._clean(error).message)
        except GlmError as error:
            detail = self._clean(error).message
            if isinstance(error, ServiceError) and has_no_plan(error):
                return PlanFinding(PlanState.NONE, detail=detail)
            return PlanFinding(detail=detail, trouble=Finding.of_error(error) if _is_fault(error) else Finding())
        if not quota.level and not quota.windows:
            return PlanFinding(PlanState.UNKNOWN)
        full = quota.used_up
        return PlanFinding(
            PlanState.ACTIVE, quota.level, used_up=full is not None, reset_at=full.resets_at if full else None
        )

    def completion(self, provider: str, model: str) -> Finding:
        """Whether a tiny request is answered, and so who pays."""
        from glmcli.api.resources.chat import ChatCompletions, ChatRequest
        from glmcli.api.thinking import thinking_fields

        request = ChatRequest(
            model=model,
            messages=[{"role": "user", "content": "ping"}],
            max_tokens=MAX_TOKENS,
            thinking=thinking_fields(model, "off").fields,
        )
        client = self._client(provider)
        try:
            answer = ChatCompletions(client, language=self._app.language).create(request)
        except GlmError as error:
            return Finding.of_error(self._clean(error), model=model)
        return finding_of(answer, model)

    # -- parts -------------------------------------------------------------------

    def _models_of(self, names: Sequence[str]) -> dict[str, ProviderEvidence]:
        """The lists of one host; a host that is out of reach is not asked twice."""
        seen: dict[str, ProviderEvidence] = {}
        last: Finding | None = None
        for name in names:
            if last is None or last.outcome is not Outcome.NETWORK:
                last = self.models(name)
            seen[name] = ProviderEvidence(last)
        return seen

    def _first_allowed(self, provider: str, models: Sequence[str]) -> Finding:
        for model in models:
            finding = self.completion(provider, model)
            if finding.kind != codes.MODEL:
                return finding
        # The first is the one that the user would be told about.
        return replace(finding, model=models[0])

    def _client(self, provider: str) -> Client:
        target = target_of(self._app, provider)
        self._tell(target.origin)
        if provider not in self._clients:
            self._clients[provider] = self._app.client_for(target, self._key, manner=self._manner)
        return self._clients[provider]


def finding_of(answer: Answer, model: str) -> Finding:
    """What a whole answer shows: that the service answers, unless it is none."""
    if not (answer.finish_reason or answer.content or answer.reasoning):
        return Finding(Outcome.PAGE, detail="a reply that is no completion", model=model)
    return Finding(Outcome.OK, model=model)


def target_of(app: AppContext, provider: str) -> Target:
    """The endpoint of a provider of the vendor, whatever profile and settings are in force.

    Raises ConfigError for an origin in the environment that cannot be used.
    """
    from glmcli.config.resolve import resolve

    origins = {name: app.environ[name] for name in ("GLM_ORIGIN_INTL", "GLM_ORIGIN_CN") if name in app.environ}
    options = GlobalOptions(provider=provider, allow_http=app.options.allow_http)
    settings = resolve(options, origins, None, Config(app.paths.config_file))
    return Target(settings.provider.value, settings.origin.value)


def _by_region(providers: Iterable[str]) -> dict[Region, list[str]]:
    found: dict[Region, list[str]] = {}
    for name in providers:
        found.setdefault(PROVIDERS[name].region, []).append(name)
    return found


def _is_fault(error: GlmError) -> bool:
    """Whether a question failed on its way; an endpoint that is missing or closed to a key is none."""
    return not isinstance(error, ServiceError) or error.is_foreign or error.retryable


def _is_worth_asking(models: Finding) -> bool:
    return models.outcome is not Outcome.NETWORK and models.kind != codes.AUTH
