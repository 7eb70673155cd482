"""The coding tools that `glm connect` knows."""

from __future__ import annotations

from glmcli.errors import UsageError
from glmcli.integrations.by_hand import BY_HAND
from glmcli.integrations.claude_code import CLAUDE_CODE
from glmcli.integrations.codex import CODEX
from glmcli.integrations.crush import CRUSH
from glmcli.integrations.droid import DROID
from glmcli.integrations.openclaw import OPENCLAW
from glmcli.integrations.opencode import OPENCODE
from glmcli.integrations.pi import PI
from glmcli.integrations.setup import Tool

TOOLS: dict[str, Tool] = {
    tool.name: tool for tool in (CLAUDE_CODE, CODEX, OPENCODE, CRUSH, DROID, PI, OPENCLAW, *BY_HAND)
}


def find_tool(name: str) -> Tool:
    """The tool of that name or alias. Raises UsageError with the nearest name or all of them."""
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    for tool in TOOLS.values():
        if wanted == tool.name or wanted in tool.aliases:
            return tool
    from difflib import get_close_matches

    near = get_close_matches(wanted, TOOLS, n=1, cutoff=0.6)
    raise UsageError(
        f"unknown tool {name!r}",
        hint=f"did you mean: glm connect {near[0]}" if near else f"known are {', '.join(TOOLS)}",
    )
