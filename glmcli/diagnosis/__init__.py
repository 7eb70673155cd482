"""What a key can use, decided from evidence; pure, so that a table can test it.

Evidence is gathered by `probing`: per provider the outcome of the free
`GET /models` and of a tiny completion, per region what the quota endpoint says.
`diagnose` turns it into one row per provider - verdict, meaning, the command
that mends it - and `choose` into the provider to use, a question, or a reason
why there is none.

A verdict is a word of the JSON interface and does not change; what it means is
told by the catalogue, in English or Chinese.
"""

from __future__ import annotations

from glmcli.diagnosis.choice import Decision, Reason, choose, model_of, told
from glmcli.diagnosis.evidence import Evidence, Finding, Outcome, PlanFinding, PlanState, ProviderEvidence
from glmcli.diagnosis.rows import BILLING_PAGE, POLICY_PAGE, Row, Subject, as_text, diagnose, keys_page
from glmcli.diagnosis.verdicts import OPEN, PROVEN, SILENT, Verdict, judge, sibling_of

__all__ = [
    "BILLING_PAGE",
    "OPEN",
    "POLICY_PAGE",
    "PROVEN",
    "SILENT",
    "Decision",
    "Evidence",
    "Finding",
    "Outcome",
    "PlanFinding",
    "PlanState",
    "ProviderEvidence",
    "Reason",
    "Row",
    "Subject",
    "Verdict",
    "as_text",
    "choose",
    "diagnose",
    "judge",
    "keys_page",
    "model_of",
    "sibling_of",
    "told",
]
