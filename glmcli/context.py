"""Builds what a command needs, each part when it is first asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.config.model import GlobalOptions, Secret, Sourced
from glmcli.streams import Streams
from glmcli.values import Value

if TYPE_CHECKING:
    from glmcli.api.calls import Call
    from glmcli.api.client import Client
    from glmcli.api.endpoints import Provider, Target
    from glmcli.config.model import Config, DirectoryFile, Settings
    from glmcli.config.paths import Paths
    from glmcli.config.routers import Router
    from glmcli.diagnosis import Evidence
    from glmcli.history import History
    from glmcli.interrupts import Interrupts
    from glmcli.prompter import Prompter
    from glmcli.sandbox.app import Sandbox

_NO_KEY = Secret("", "nowhere")


class Manner(Value):
    """How a client behaves: its patience, and the form of the key (`api.auth`).

    `is_paced` says that its requests wait for their time by themselves (`pace`).
    """

    timeout_seconds: float
    max_retries: int
    auth: str = "bearer"
    wait_for_reset: bool = False
    is_paced: bool = False

    @classmethod
    def of(cls, settings: Settings, *, wait_for_reset: bool = False) -> Manner:
        """What the settings of this invocation say."""
        return cls(settings.timeout_seconds.value, settings.max_retries.value, settings.auth.value, wait_for_reset)


class AppContext:
    """One invocation of `glm`: its options, environment, streams and edges.

    Commands read attributes; nothing is loaded, read or connected before.
    """

    def __init__(
        self,
        *,
        options: GlobalOptions | None = None,
        streams: Streams | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.options = options or GlobalOptions()
        self._environ = dict(os.environ) if environ is None else dict(environ)
        self.streams = streams or Streams(environ=self._environ)
        self._cwd = cwd
        self._key: Secret | None = None
        self._clients: list[Client] = []
        #: The latest call, whose failure `remedy` explains.
        self.last_call: Call | None = None
        #: What `remedy` found out in this invocation, by code, service and model; it asks once.
        self.diagnosed: dict[tuple[str | None, ...], Evidence] = {}
        #: The provider that takes the place of the one in the settings (`switched`).
        self._stand_in: Provider | None = None
        #: Whether nobody needs to hear any more that a router's key is about to end.
        self.key_end_is_told = False
        self.now: Callable[[], float] = time.time
        self.sleep: Callable[[float], None] = time.sleep

    def close(self) -> None:
        """Close what was opened; nothing is opened for it."""
        for client in self._clients:
            client.close()
        if "history" in self.__dict__:
            self.history.close()

    @property
    def has_called(self) -> bool:
        """Whether the service was called with the settings and the key of this invocation."""
        return self.last_call is not None and self._key is not None and "settings" in self.__dict__

    def switched(self, provider: Provider) -> AppContext:
        """The same invocation from its start, with the same key and another provider of the same region."""
        again = AppContext(streams=self.streams, environ=self._environ, cwd=self._cwd)
        again._stand_in = provider
        again._key = self._key
        again.now, again.sleep = self.now, self.sleep
        return again

    # -- configuration ---------------------------------------------------------

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment, under the variables of `--env-file` when one is given.

        A variable that is really set wins over the file.
        """
        if self.options.env_file is None:
            return self._environ
        from glmcli.config.store import environment_with_file

        return environment_with_file(self._environ, self.options.env_file)

    def secrets(self) -> Mapping[str, str]:
        """What is known without looking anything up and must not be told: the environment and the key.

        Safe to call when `--env-file` is the very thing that failed.
        """
        known = self.__dict__.get("environ", self._environ)
        return {**known, "KEY": self._key.reveal()} if self._key is not None else known

    @cached_property
    def cwd(self) -> Path:
        """The working directory; `.` when it was deleted, which is where the system still sees us."""
        try:
            return self._cwd or Path.cwd()
        except FileNotFoundError:
            return Path()

    @cached_property
    def paths(self) -> Paths:
        """Where our files stand."""
        from glmcli.config.paths import find_paths

        return find_paths(self.environ)

    @cached_property
    def config(self) -> Config:
        """`config.toml`; an empty one when there is no file."""
        from glmcli.config.store import load_config

        return load_config(self.paths.config_file, notice=self.streams.note)

    @cached_property
    def directory_file(self) -> DirectoryFile | None:
        """The nearest `.glm.toml`, looked for upwards."""
        from glmcli.config.store import find_directory_file

        return find_directory_file(self.cwd)

    @cached_property
    def settings(self) -> Settings:
        """What wins, with the source of each value. Tells its warnings once."""
        from glmcli.config.resolve import resolve

        settings = resolve(self.options, self.environ, self.directory_file, self.config)
        for warning in settings.warnings:
            self.streams.note(f"glm: {warning}")
        if self._stand_in is None:
            return settings
        return settings.replace(provider=Sourced(self._stand_in, "the second try"))

    @cached_property
    def language(self) -> str:
        """`en` or `zh`, for advice, wizard and doctor."""
        from glmcli.language import choose_language

        return choose_language(self.environ)

    @cached_property
    def prompter(self) -> Prompter:
        """Asks the person at the terminal."""
        from glmcli.prompter import Prompter

        return Prompter(self.streams, no_input=self.options.no_input)

    @cached_property
    def interrupts(self) -> Interrupts:
        """Ctrl-C, for those who hold a conversation."""
        from glmcli.interrupts import Interrupts

        return Interrupts()

    # -- the service -------------------------------------------------------------

    def key(self, *, meanwhile: Callable[[], object] = lambda: None) -> Secret:
        """The API key, looked up once. `meanwhile` is done while a keyring looks. Raises MissingKey, ConfigError."""
        if self._key is None:
            from glmcli.config.credentials import find_key
            from glmcli.config.resolve import key_candidates

            candidates = key_candidates(self.settings, self.options, self.environ)
            self._key = find_key(candidates, self.settings, self.environ, self.paths, self.streams, meanwhile=meanwhile)
            self.streams.hide(self._key.reveal())
        return self._key

    @cached_property
    def target(self) -> Target:
        """Where calls go."""
        from glmcli.api.endpoints import Target

        settings = self.settings
        return Target(
            provider=settings.provider.value,
            origin=settings.origin.value,
            base_url=settings.base_url.value,
            protocol=settings.protocol.value,
            via=settings.via.value,
        )

    @cached_property
    def client(self) -> Client:
        """The HTTP client for `target`, with the key of this invocation."""
        return self.client_for(self.target)

    def client_for(self, target: Target, key: Secret | None = None, *, manner: Manner | None = None) -> Client:
        """A client for another target (and key), with the same time-outs and retries unless `manner` says otherwise."""
        from glmcli.api.client import Client, ClientOptions
        from glmcli.api.retry import RetryPolicy
        from glmcli.wire import WireLog

        manner = manner or Manner.of(self.settings, wait_for_reset=self.options.wait)
        sandboxed = target.provider.name == "sandbox"
        if sandboxed:
            key = self._sandbox_key
        if key is not None:
            self.streams.hide(key.reveal())
        watcher = WireLog(
            tell=self.streams.complain,
            note=self.streams.note,
            verbosity=self.options.verbose,
            before=lambda call: self._before(target, call, key, is_paced=manner.is_paced),
            hide=lambda: (key or self._key or _NO_KEY).reveal(),
        )
        client = Client(
            ClientOptions(
                target=target,
                authorize=self._authorizer(key, manner.auth),
                timeout_seconds=manner.timeout_seconds,
                retry=RetryPolicy(max_retries=manner.max_retries, wait_for_reset=manner.wait_for_reset),
                environ=self.environ,
                watcher=watcher,
                language=self.language,
                dry_run=self._dry_run_headers(target, manner.auth) if self.options.dry_run else None,
                application=self._sandbox if sandboxed else None,
                sleep=self.sleep,
            )
        )
        self._clients.append(client)
        return client

    def _before(self, target: Target, call: Call, key: Secret | None, *, is_paced: bool) -> None:
        self.last_call = call
        self._tell_billing(target, call)
        router = self.settings.router if "settings" in self.__dict__ else None
        if router is None or self.options.dry_run:
            return
        self._tell_key_end(router)
        if router.requests_per_minute is not None and not is_paced:
            self._count_request(router.requests_per_minute, key or self.key())

    def _count_request(self, per_minute: int, key: Secret) -> None:
        """Let the batches that share the key know of a request; a disk that is full does not stop it."""
        from glmcli.errors import ConfigError
        from glmcli.pace import Pace, folder_of_key

        with suppress(OSError, ConfigError):
            Pace(folder_of_key(self.paths.state_dir, key.reveal()), per_minute, now=self.now).count()

    def _tell_key_end(self, router: Router) -> None:
        """Say once that the key of a router ends within days, or did."""
        from glmcli.config.routers import CALL_DAYS

        left = None if self.key_end_is_told else router.days_left(self.now())
        self.key_end_is_told = True
        if left is None or left > CALL_DAYS or self.options.key_env or self.options.key_stdin:
            return
        profile = self.settings.profile.value
        ends = f"ends on {router.key_expires}" if left > 0 else f"ended on {router.key_expires}"
        self.streams.note(f"glm: the key of profile {profile} {ends}; a new one: glm profile login {profile}")

    def _tell_billing(self, target: Target, call: Call) -> None:
        """Say once per profile that a call of a plan's key is paid from the balance."""
        from glmcli.api.endpoints import Via
        from glmcli.errors import HistoryError

        if call.service not in target.bills_balance or target.via is Via.CODING or self.options.dry_run:
            return
        name = self.settings.profile.value or target.provider.name
        try:
            first = self.history.notes.is_first(f"told that {call.service.value} bills the balance: {name}")
        except HistoryError:
            first = True
        if first:
            self.streams.note(
                f"glm: the Coding Plan does not cover {call.service.value}; the account's balance pays for this call"
            )

    def _authorizer(self, key: Secret | None, auth: str) -> Callable[[Call], Mapping[str, str]]:
        def authorize(call: Call) -> Mapping[str, str]:
            from glmcli.api.auth import authorization
            from glmcli.api.engine import load_httpx

            found = key or self.key(meanwhile=load_httpx)
            return authorization(call.auth or auth, found.reveal(), now=self.now)

        return authorize

    def _dry_run_headers(self, target: Target, auth: str) -> Mapping[str, str]:
        """The authorization header with the key as a shell variable."""
        variable = self.options.key_env or target.provider.own_variable or "GLM_API_KEY"
        if auth == "x-api-key":
            return {"x-api-key": f"${variable}"}
        return {"Authorization": f"Bearer ${variable}"}

    @cached_property
    def _sandbox(self) -> Sandbox:
        from glmcli.sandbox.app import Sandbox

        return Sandbox(
            fault=self.environ.get("GLM_SANDBOX_FAULT"),
            pace_seconds=0.012 if self.streams.stdout_is_tty else 0,
            # In process no socket times out: the fault `stall` has to do it.
            stall_seconds=self.settings.timeout_seconds.value,
        )

    @cached_property
    def _sandbox_key(self) -> Secret:
        return Secret(self._sandbox.keys["sandbox"], "the sandbox")

    # -- what is kept --------------------------------------------------------------

    @cached_property
    def history(self) -> History:
        """The local database, opened when first used."""
        from glmcli.history import History

        return History(self.paths.history_file, notice=self.streams.note, now=lambda: self.now())
