"""The accounts of the sandbox: whose key opens what, and the situations people get into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """One key and what stands behind it.

    `trouble` is the business code that every billed call meets; `plan` is the
    level of a Coding Plan; `models` limits what the plan includes;
    `tools_used_up` says that the month's calls of the hosted tools are gone.
    """

    name: str
    key: str
    region: str
    balance: bool = False
    plan: str | None = None
    quota: str = "credit"
    trouble: str | None = None
    models: tuple[str, ...] | None = None
    everywhere: bool = False
    tools_used_up: bool = False

    @property
    def plan_models(self) -> tuple[str, ...]:
        """The models that the plan includes."""
        return self.models or PLAN_MODELS


#: The models of the Coding Plan (docs.z.ai/devpack/overview, autumn 2026).
PLAN_MODELS = ("glm-5.3", "glm-5.3-flash")

# name suffix, what differs from a plain account
_SITUATIONS: tuple[tuple[str, dict[str, object]], ...] = (
    ("", {"balance": True}),
    ("coding", {"plan": "pro"}),
    ("both", {"balance": True, "plan": "pro"}),
    ("empty", {}),
    ("legacy", {"plan": "max", "quota": "legacy"}),
    ("flash-only", {"plan": "lite", "models": ("glm-5.3-flash",)}),
    ("plan-expired", {"plan": "pro", "trouble": "1309"}),
    ("window-used-up", {"plan": "lite", "trouble": "1308"}),
    ("week-used-up", {"plan": "lite", "trouble": "1310"}),
    ("fair-use", {"plan": "pro", "trouble": "1313"}),
    ("enterprise", {"plan": "pro", "trouble": "1315"}),
    ("rate-limited", {"balance": True, "trouble": "1302"}),
    ("overloaded", {"balance": True, "trouble": "1305"}),
    ("locked", {"balance": True, "trouble": "1112"}),
    ("tools-used-up", {"plan": "lite", "tools_used_up": True}),
)
_REGIONS = {"zai": ("intl", "5a41"), "zhipu": ("cn", "5a48")}


def _accounts() -> dict[str, Account]:
    made = {}
    for provider, (region, prefix) in _REGIONS.items():
        for number, (suffix, facts) in enumerate(_SITUATIONS, 1):
            name = f"{provider}-{suffix}" if suffix else provider
            made[name] = Account(name, make_key(prefix, number, suffix or "payg"), region, **facts)  # type: ignore[arg-type]  # a row of the table above
    made["sandbox"] = Account("sandbox", make_key("5a42", 1, "all"), "intl", balance=True, plan="max", everywhere=True)
    made["router"] = Account("router", make_key("5a43", 1, "router"), "intl", everywhere=True)
    ended = make_key("5a43", 2, "ended")
    made["router-ended"] = Account("router-ended", ended, "intl", trouble="expired", everywhere=True)
    return made


def make_key(prefix: str, number: int, word: str) -> str:
    """A key of the vendor's form: 32 hex digits, a dot, 16 letters and digits."""
    secret = f"sandbox{word.replace('-', '')}".ljust(16, "0")[:16]
    return f"{prefix}{number:0{32 - len(prefix)}x}.{secret}"


ACCOUNTS: dict[str, Account] = _accounts()
