"""The one line under an answer: model, tokens, time, money."""

from __future__ import annotations

from glmcli.api.catalog import cost_usd
from glmcli.api.endpoints import Plan, Region, Target
from glmcli.events import Answer


def usage_line(answer: Answer, *, seconds: float, target: Target) -> str:
    """For example `glm-5.3 · 812 in (640 cached) · 95 out · 3.2 s · $0.0016`; empty when nothing is known."""
    parts = [answer.model or ""]
    usage = answer.usage
    if usage is not None:
        if usage.prompt_tokens is not None:
            cached = f" ({usage.cached_tokens} cached)" if usage.cached_tokens else ""
            parts.append(f"{usage.prompt_tokens} in{cached}")
        if usage.completion_tokens is not None:
            thought = f" ({usage.reasoning_tokens} thinking)" if usage.reasoning_tokens else ""
            parts.append(f"{usage.completion_tokens} out{thought}")
    parts.append(f"{seconds:.1f} s")
    parts.append(_paid(answer, target))
    shown = [part for part in parts if part]
    return " · ".join(shown) if len(shown) > 1 else ""


def _paid(answer: Answer, target: Target) -> str:
    """What pays: the plan, the public price in USD, or nothing that we know."""
    provider = target.provider
    if provider.name == "sandbox":
        return "sandbox"
    if target.base_url is not None or answer.model is None or answer.usage is None:
        return ""
    if provider.plan is Plan.CODING:
        return "Coding Plan"
    if provider.region is Region.CN:  # the public table is in USD
        return ""
    usage = answer.usage
    cost = cost_usd(
        answer.model,
        prompt=usage.prompt_tokens or 0,
        cached=usage.cached_tokens or 0,
        completion=usage.completion_tokens or 0,
    )
    if cost is None:
        return ""
    return "free" if cost == 0 else f"${cost:.4f}"
