"""The English texts; `zh` holds the same keys and names."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    # -- regions
    "site.intl": "Z.AI (api.z.ai)",
    "site.cn": "BigModel (open.bigmodel.cn)",
    # -- verdicts, as they head a row
    "verdict.works": "works",
    "verdict.plan_active": "plan active",
    "verdict.window_used_up": "works, used up for now",
    "verdict.model_not_included": "works, with another model",
    "verdict.busy": "key accepted, service busy",
    "verdict.accepted": "key accepted",
    "verdict.accepted_beside_plan": "key accepted",
    "verdict.plan_key_on_general": "not for this key",
    "verdict.no_balance": "no balance",
    "verdict.payg_key_on_coding": "not for this key",
    "verdict.no_plan": "no plan",
    "verdict.plan_expired": "plan expired",
    "verdict.enterprise_only": "not for this key",
    "verdict.restricted": "account restricted",
    "verdict.other_region": "wrong region",
    "verdict.key_refused": "key refused",
    "verdict.unreachable": "out of reach",
    "verdict.not_the_service": "not the service",
    "verdict.failed": "no clear answer",
    "verdict.not_asked": "not asked",
    # -- what a verdict means
    "meaning.works": "A request to {model} was answered.",
    "meaning.plan_active": "The account has a Coding Plan ({level}), which pays here.",
    "meaning.window_used_up": "The key is fine: the plan pays here, and its limit is used up for now{reset}.",
    "meaning.model_not_included": "The key is fine, but {model} is not among the models it may use here{code}.",
    "meaning.busy": "The key is fine; the service is too busy at the moment to say whether it pays{code}.",
    "meaning.accepted": "The key is fine; whether it can pay here only a request can tell.",
    "meaning.accepted_beside_plan": "The key is fine, but calls here are charged to the balance, not to the plan "
    "({level}) that the account has; use {sibling}. Whether there is a balance only a request can tell.",
    "meaning.plan_key_on_general": "The key belongs to a Coding Plan, which pays only at {sibling}; "
    "calls here are charged to the balance, and there is none{code}.",
    "meaning.no_balance": "The key is fine, but the account has no balance to pay with{code}. Add some: {billing_page}",
    "meaning.payg_key_on_coding": "The key pays as you go; this endpoint is for Coding Plans{code}. Use {sibling}.",
    "meaning.no_plan": "The key is fine, but the account has no Coding Plan{code}. Plans: {plan_page}",
    "meaning.plan_expired": "The Coding Plan of the account has expired{code}. Renew it: {plan_page}",
    "meaning.enterprise_only": "The key is only for the enterprise coding package{code}. "
    "Use it at the coding endpoint of its team, or take another key: {keys_page}",
    "meaning.restricted": "The account is restricted, and no other setting will help: {detail}.",
    "meaning.other_region": "The key is not known to {site}, but to {other_site}: use {elsewhere}.",
    "meaning.key_refused": "{site} does not accept the key{code}: it is mistyped, cut off, deleted, "
    "or made at {other_site}. Keys: {keys_page}",
    "meaning.unreachable": "No answer came, so nothing is known about the key: {detail}.",
    "meaning.not_the_service": "Something in between answered instead of the service: {detail}.",
    "meaning.failed": "The service gave no clear answer{code}; try again in a moment.",
    "meaning.not_asked": "Nothing was sent to {site}.",
    # -- beside the rows
    "diagnosis.reset": "; it resets at {time}",
    "diagnosis.code": " ({code})",
    "diagnosis.command": "->",
    "decision.use": "use {provider}",
    "reason.both_work": "the plan and the balance both work, and only you can say which of them should pay",
    "reason.plan_uncertain": "the balance works; whether a plan would pay could not be found out",
    "reason.nothing_tried": "the key is fine, but free calls cannot tell whether the plan or the balance pays",
    "reason.busy": "the key is fine, but the service is too busy to say who pays",
    "reason.no_money": "the key is fine, but neither a plan nor a balance pays",
    "reason.key_refused": "the key was refused",
    "reason.restricted": "the account is restricted",
    "reason.unreachable": "no answer came from the service",
}
