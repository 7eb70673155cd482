"""The words of the service for its business codes.

HTTP statuses are those of `glmcli.codes`; the texts are the English ones of
docs.z.ai/api-reference/api-code and of captured answers. `{}` is the place of a
subject: a field, a model, a reset time.
"""

from __future__ import annotations

_TEXTS = {
    "434": "API is in closed beta",
    "435": "File size must not exceed 100MB",
    "500": "Internal Error",
    "1000": "Authentication Failed",
    "1001": "Authentication parameter not received in Header, unable to authenticate",
    "1002": "Invalid Authentication Token, please confirm the correct transmission of the Authentication Token",
    "1003": "Authentication Token expired, please regenerate or obtain a new one",
    "1004": "Authentication failed with the provided Authentication Token",
    "1005": "Two-factor authentication is required for this account",
    "1100": "Account read/write error",
    "1110": "Your account is currently inactive, please check your account information",
    "1111": "Your account does not exist",
    "1112": "Your account has been locked, please contact customer service to unlock",
    "1113": "Insufficient balance or no resource package. Please recharge.",
    "1120": "Unable to access your account, please try again later",
    "1121": "Your account has been locked due to irregular activity",
    "1200": "API call error",
    "1210": "Invalid API parameter, please check the documentation.",
    "1211": "Unknown Model, please check the model code.",
    "1212": "Current model does not support `{}` calling method.",
    "1213": "The `{}` parameter was not received properly.",
    "1214": "The `{}` parameter is invalid, please check the documentation.",
    "1215": "The `{}` parameters cannot be set at the same time.",
    "1220": "You do not have permission to access `{}`.",
    "1221": "The API `{}` has been taken offline.",
    "1222": "The API `{}` does not exist.",
    "1230": "API call process error",
    "1231": "You already have a request with the request_id `{}`.",
    "1234": "Network error, error id: `{}`, please contact customer service.",
    "1261": "Prompt exceeds max length",
    "1300": "API call blocked by policy",
    "1301": "System detected potentially unsafe or sensitive content in input or generation. "
    "Please avoid prompts that may lead to sensitive content. Thank you for your cooperation.",
    "1302": "Rate limit reached for requests",
    "1303": "Rate limit reached for requests: the call frequency is too high",
    "1304": "You have reached the daily call limit of this API",
    "1305": "The service may be temporarily overloaded, please try again later",
    "1308": "Usage limit reached for 5 hour. Your limit will reset at {}",
    "1309": "Your GLM Coding Plan has expired. Please renew it to continue.",
    "1310": "Weekly/Monthly Limit Exhausted. Your limit will reset at {}",
    "1311": "Your current subscription plan does not yet include access to {}",
    "1312": "The model is currently busy, please try again later or use another model",
    "1313": "Your account's usage pattern does not comply with the Fair Usage Policy, "
    "and your request has been restricted. Please submit a request to lift it.",
    "1314": "Your enterprise package has expired",
    "1315": "This API key can only be used with the enterprise coding package",
    "1316": "5-hour limit reached and no balance for extra usage. Your limit will reset at {}",
    "1317": "7-day limit reached and no balance for extra usage. Your limit will reset at {}",
    "1318": "5-hour limit reached and the monthly spend limit is used up. Your limit will reset at {}",
    "1319": "7-day limit reached and the monthly spend limit is used up. Your limit will reset at {}",
    "1320": "5-hour limit reached and the monthly spend limit is used up. Your limit will reset at {}",
    "1321": "7-day limit reached and the monthly spend limit is used up. Your limit will reset at {}",
    "1701": "Too many concurrent searches, please try again later",
    "1702": "No search engine is available",
    "1703": "The search engine returned no valid data",
}

#: Codes whose text holds a reset time, with the seconds until it comes.
RESETS_AFTER_SECONDS = {
    **dict.fromkeys(("1308", "1316", "1318", "1320"), 5400),
    **dict.fromkeys(("1310", "1317", "1319", "1321"), 3 * 86400),
}

#: What stands in a text when the fault is played, or listed, without a subject.
_SUBJECTS = {
    "1212": "SSE",
    "1215": "temperature, top_p",
    **dict.fromkeys(("1220", "1221", "1222"), "chat/completions"),
    "1231": "sandbox-request",
    "1234": "sandbox-1234",
    "1311": "this model",
    **dict.fromkeys(RESETS_AFTER_SECONDS, "TIME"),
}

CODES = tuple(_TEXTS)

#: Where the documents name no HTTP status for a code, its kind suggests one.
_STATUS_OF_KIND = {"auth": 401, "permission": 403, "rate": 429, "server": 500}


def status_of(code: str) -> int:
    """The HTTP status that carries a business code, or a gateway's word."""
    from glmcli.codes import find  # the table of all languages: only when something is refused

    entry = find(code)
    if entry is None:
        return 400
    return entry.http_status or _STATUS_OF_KIND.get(entry.kind, 400)


def server_text(code: str, subject: str | None = None) -> str:
    """The message of the service for a code, about that field, model or time."""
    return _TEXTS[code].replace("{}", _SUBJECTS.get(code, "model") if subject is None else subject)


def reset_text(epoch_seconds: float) -> str:
    """A moment as the messages write it: UTC+8, without a zone."""
    from time import gmtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S", gmtime(epoch_seconds + 8 * 3600))
