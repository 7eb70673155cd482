"""The words of the service for its business codes.

HTTP statuses and codes are those of `glmcli.codes`; the texts are the English
ones of docs.z.ai/api-reference/api-code. `{}` is the place of a subject.
"""

from __future__ import annotations

_TEXTS = {
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
}

#: What stands in a text when the fault is played without a subject.
_SUBJECTS = {"1211": "", "1212": "SSE", "1215": "temperature, top_p", "1234": "sandbox-1234", "1311": "this model"}

#: Codes whose text holds a reset time, with the seconds until it comes.
RESETS_AFTER_SECONDS = {
    "1308": 5400,
    "1310": 3 * 86400,
    "1316": 5400,
    "1317": 3 * 86400,
    "1318": 5400,
    "1319": 3 * 86400,
    "1320": 5400,
    "1321": 3 * 86400,
}

#: HTTP statuses that are not 400: the page gives none for the old codes.
_STATUSES = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1005"), 401),
    **dict.fromkeys(("1110", "1111", "1112", "1121"), 401),
    **dict.fromkeys(("500", "1100", "1120", "1200", "1230", "1234"), 500),
    "1220": 403,
    "1113": 429,
    **dict.fromkeys((str(code) for code in range(1302, 1322)), 429),
}

CODES = tuple(_TEXTS)


def status_of(code: str) -> int:
    """The HTTP status that carries a business code."""
    return _STATUSES.get(code, 400)


def server_text(code: str, subject: str | None = None) -> str:
    """The message of the service for a code, about that field, model or time."""
    return _TEXTS[code].replace("{}", _SUBJECTS.get(code, "model") if subject is None else subject)


def reset_text(epoch_seconds: float) -> str:
    """A moment as the messages write it: UTC+8, without a zone."""
    from time import gmtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S", gmtime(epoch_seconds + 8 * 3600))
