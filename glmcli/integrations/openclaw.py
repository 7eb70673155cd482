"""OpenClaw: its own `openclaw onboard` does the work (docs.openclaw.ai/providers/zai).

Its configuration is checked strictly and its layout is not documented for
writing by others, so we print the command with today's names of its choices.
"""

from __future__ import annotations

from glmcli.integrations.setup import Place, Setup, Tool, ToolPlan, refuse_custom

_CHOICES = {
    "zai": "zai-global",
    "zai-coding": "zai-coding-global",
    "zhipu": "zai-cn",
    "zhipu-coding": "zai-coding-cn",
}


def _plan(setup: Setup, place: Place) -> ToolPlan:
    refuse_custom(setup, "OpenClaw", "openclaw")
    choice = _CHOICES[setup.provider.name]
    command = f'openclaw onboard --non-interactive --auth-choice {choice} --zai-api-key "$ZAI_API_KEY"'
    return ToolPlan(
        command=command,
        notes=(
            "OpenClaw writes its own configuration; set the variable and run the command:",
            'eval "$(glm env --for zai)"',
            f'then choose the model: openclaw config set agents.defaults.model.primary "zai/{setup.model}"',
            *(("the Coding Plan supports OpenClaw on best effort only",) if setup.is_plan else ()),
        ),
    )


OPENCLAW = Tool(
    name="openclaw",
    title="OpenClaw",
    plan=_plan,
    how="command",
    executables=("openclaw", "moltbot", "clawdbot"),
    aliases=("moltbot", "clawdbot"),
    traces=lambda place: (place.home / ".openclaw",),
    support="best effort",
    docs="https://docs.openclaw.ai/providers/zai",
)
