"""Who pays for a call: the balance or the Coding Plan, decided by the base."""

from __future__ import annotations

from glmcli.sandbox.accounts import Account
from glmcli.sandbox.exchange import Base, Refusal
from glmcli.sandbox.refusals import RESETS_AFTER_SECONDS, reset_text

_PLAN_BASES = (Base.CODING, Base.MCP)
#: Troubles of a plan; the balance does not know them.
_PLAN_TROUBLES = frozenset(("1308", "1309", "1310", "1311", "1313", "1314", "1315", *map(str, range(1316, 1322))))


def charge(account: Account, base: Base | None, now: float) -> None:
    """Let a billed call pass. Raises Refusal with what stands in its way."""
    plan_pays = pays_by_plan(account, base)
    if not (account.plan if plan_pays else account.balance):
        raise Refusal("1113")
    trouble = account.trouble
    if trouble is None or (trouble in _PLAN_TROUBLES and not plan_pays):
        return
    raise troubled(trouble, now)


def pays_by_plan(account: Account, base: Base | None) -> bool:
    """Whether a call on this base draws on the plan of the account."""
    return base in _PLAN_BASES or (base is Base.ANTHROPIC and account.plan is not None)


def troubled(code: str, now: float, **facts: dict[str, str]) -> Refusal:
    """The refusal of a code, with a reset time where its text has one."""
    after = RESETS_AFTER_SECONDS.get(code)
    return Refusal(code, None if after is None else reset_text(now + after), headers=facts.get("headers"))
