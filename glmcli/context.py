"""Builds what a command needs, each part when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from glmcli.config.model import GlobalOptions
from glmcli.streams import Streams

if TYPE_CHECKING:
    from glmcli.api.client import Client
    from glmcli.api.endpoints import Target
    from glmcli.config.credentials import KeyRing
    from glmcli.config.model import Config, DirectoryFile, Settings
    from glmcli.config.paths import Paths


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
        self.environ = dict(os.environ) if environ is None else environ
        self.streams = streams or Streams(environ=self.environ)
        self._cwd = cwd
