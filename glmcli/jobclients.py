"""Who keeps which kind of job, and how it is asked with the right key at the right place.

Another kind of job joins by a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glmcli.api.calls import Caller
from glmcli.api.endpoints import PROVIDERS, Service, Target, Via, normalise_base_url
from glmcli.api.resources.agents import EFFECTS, TASK_KIND, retrieve_result
from glmcli.api.resources.async_results import AsyncResults, JobReply
from glmcli.context import AppContext
from glmcli.errors import ConfigError
from glmcli.history.model import Task

if TYPE_CHECKING:
    from glmcli.api.client import Client


@dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of a kind are asked for: the service that keeps them, and one question."""

    service: Service
    ask: Callable[[Caller, Task], JobReply]


def _ask_media(caller: Caller, task: Task) -> JobReply:
    return AsyncResults(caller).retrieve(task.remote_id or "")


def _ask_agent(caller: Caller, task: Task) -> JobReply:
    return retrieve_result(caller, task.remote_id or "", agent_id=str(task.request.get("agent_id") or EFFECTS))


KINDS: dict[str, Kind] = {
    "image": Kind(Service.MEDIA, _ask_media),
    "video": Kind(Service.MEDIA, _ask_media),
    TASK_KIND: Kind(Service.AGENTS, _ask_agent),
}


class JobClients:
    """Clients for the origin and profile that each task was submitted with."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._contexts: dict[tuple[str | None, ...], AppContext] = {}
        self._clients: dict[tuple[str | None, ...], Client] = {}

    def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts.values():
            if context is not self._app:
                context.close()

    def of(self, task: Task) -> Client:
        """The client for a task. Raises ConfigError when its profile now means another provider."""
        name = (task.provider, task.profile, task.base_url)
        if name not in self._clients:
            context = self.context_of(task)
            self._clients[name] = context.client_for(_target(context, task))
        return self._clients[name]

    def context_of(self, task: Task) -> AppContext:
        """The settings that a task was submitted with, unless the command line says otherwise."""
        name = (task.provider, task.profile, task.base_url)
        if name not in self._contexts:
            self._contexts[name] = self._new_context(task)
        return self._contexts[name]

    def _new_context(self, task: Task) -> AppContext:
        given = self._app.options
        if given.profile or given.provider or given.base_url:
            return self._app
        options = given.changed(profile=task.profile)
        if not task.profile:
            is_custom = task.provider == "custom"
            options = given.changed(provider=task.provider, base_url=task.base_url if is_custom else None)
        app = self._app
        context = AppContext(options=options, streams=app.streams, environ=app.environ, cwd=app.cwd)
        context.now, context.sleep = app.now, app.sleep
        return context


def _target(context: AppContext, task: Task) -> Target:
    """Where a task lives, for the key of a context. Raises ConfigError when the key belongs elsewhere."""
    target = context.target
    if task.provider is not None and target.provider.name != task.provider:
        chosen = f"profile {task.profile}" if task.profile else "the command line"
        raise ConfigError(
            f"task {task.id} was submitted to {task.provider}, and {chosen} now means {target.provider.name}",
            hint=f"give a profile of {task.provider}: glm tasks wait {task.id} --provider {task.provider}",
        )
    if task.base_url is None or task.kind not in KINDS:
        return target
    service = KINDS[task.kind].service
    if task.provider == "custom":
        base = normalise_base_url(task.base_url, allow_http=context.options.allow_http)
        return Target(target.provider, target.origin, base, target.protocol, target.via)
    from urllib.parse import urlsplit

    parts = urlsplit(task.base_url)
    origin = normalise_base_url(f"{parts.scheme}://{parts.netloc}", allow_http=context.options.allow_http)
    for via in (None, Via.GENERAL, Via.CODING):
        candidate = Target(PROVIDERS[target.provider.name], origin, via=via)
        if candidate.base(service) == task.base_url:
            return candidate
    return Target(target.provider, origin, via=target.via)
