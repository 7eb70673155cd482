"""What the service can refuse with, as one table: the words of every error.

It drives messages, retries, exit codes, `glm explain`, the documents and the
sandbox. Sources: docs.z.ai/api-reference/api-code in its editions of 2026
(`old` marks what the current one no longer lists), docs.bigmodel.cn for
1701-1703; the words of gateways are those of the OpenAI and Anthropic APIs.
"""

from __future__ import annotations

from typing import NamedTuple

from glmcli.errors import ExitCode
from glmcli.language import CHINESE

AUTH = "auth"
BALANCE = "balance"
BAD_REQUEST = "bad_request"
PERMISSION = "permission"
MODEL = "model"
CONTENT = "content"
RATE = "rate"
PLAN_WINDOW = "plan_window"
PLAN_ACCOUNT = "plan_account"
SERVER = "server"


class Words(NamedTuple):
    """What an error means and what to do about it, in one language."""

    meaning: str
    advice: str


class CodeEntry(NamedTuple):
    """One row of the table.

    `http_status` is None where the documents name none. `retryable` says that
    the same request may succeed in a moment; `retry_limit` bounds how often
    that is worth trying, whatever the settings allow.
    """

    code: str
    http_status: int | None
    kind: str
    retryable: bool
    exit_code: ExitCode
    en: Words
    zh: Words
    old: bool = False
    retry_limit: int | None = None

    def words(self, language: str) -> Words:
        """Meaning and advice in `en` or `zh`."""
        return self.zh if language == CHINESE else self.en


#: Kind -> whether a repetition may help, exit code. A row may say otherwise.
_KINDS: dict[str, tuple[bool, ExitCode]] = {
    AUTH: (False, ExitCode.AUTH),
    BALANCE: (False, ExitCode.BALANCE),
    BAD_REQUEST: (False, ExitCode.FAILED),
    PERMISSION: (False, ExitCode.FAILED),
    MODEL: (False, ExitCode.FAILED),
    CONTENT: (False, ExitCode.CONTENT),
    RATE: (True, ExitCode.LIMIT),
    PLAN_WINDOW: (False, ExitCode.LIMIT),
    PLAN_ACCOUNT: (False, ExitCode.BALANCE),
    SERVER: (True, ExitCode.FAILED),
}


def _row(
    code: str,
    http_status: int | None,
    kind: str,
    en: tuple[str, str],
    zh: tuple[str, str],
    *,
    retryable: bool | None = None,
    exit_code: ExitCode | None = None,
    old: bool = False,
    retry_limit: int | None = None,
) -> CodeEntry:
    usually_retryable, usual_exit_code = _KINDS[kind]
    return CodeEntry(
        code,
        http_status,
        kind,
        usually_retryable if retryable is None else retryable,
        usual_exit_code if exit_code is None else exit_code,
        Words(*en),
        Words(*zh),
        old,
        retry_limit,
    )


# A row reads as one piece: code, HTTP status, kind, English, Chinese.
# fmt: off
_NEW_KEY = ("replace the key: glm onboard", "请更换 API Key：glm onboard")
_LATER = ("try again in a moment; if it lasts, run glm doctor", "请稍后重试；若持续出现，请运行 glm doctor")
_SUPPORT = (
    "contact the customer service of the platform where the account was made",
    "请联系注册账号所在平台的客服",
)
_WINDOW = (
    "see the windows with glm usage, or let glm wait for the reset: add --wait",
    "用 glm usage 查看各时段用量，或加上 --wait 等到额度重置",
)
_NO_EXTRA = (
    "see the windows with glm usage; add --wait to wait for the reset, or add balance for extra usage",
    "用 glm usage 查看用量；加上 --wait 等待重置，或充值以使用额外用量",
)
_SPEND = (
    "raise the monthly spend limit in the console, or add --wait to wait for the reset",
    "在控制台提高月度消费上限，或加上 --wait 等待重置",
)

# What several rows share, English and Chinese.
_NO_KEY = (
    ("the key was refused", "check which key is used: glm doctor"),
    ("API Key 被拒绝", "查看正在使用的 Key：glm doctor"),
)
_NOT_ALLOWED = (
    ("access was refused", "does this key have access? run glm doctor"),
    ("访问被拒绝", "该 Key 有权限吗？请运行 glm doctor"),
)
_NO_MONEY = (
    ("no balance or quota left", "add balance where the key was made"),
    ("余额或额度不足", "请在 Key 所属平台充值"),
)
_UNKNOWN_MODEL = (
    ("the service does not know this model", "choose another with -m; ask the service: glm models --remote"),
    ("模型不存在", "请用 -m 选择其他模型；向服务查询：glm models --remote"),
)
_BAD = (
    ("the service does not accept the request", "see what was sent: add --dry-run"),
    ("服务不接受该请求", "加上 --dry-run 查看将要发送的内容"),
)
_NOT_FOUND = (
    ("the service has nothing at this address", "check the base URL and the model: glm doctor"),
    ("该地址不存在", "请检查 base URL 和模型：glm doctor"),
)
_TOO_LARGE = (
    ("the request is too large", "send less, or smaller files"),
    ("请求体过大", "请减少内容或使用更小的文件"),
)
_TOO_LONG = (
    ("the prompt is too long for the model", "shorten it (count: glm tokenize), or choose a model with more context"),
    ("提示词超过模型长度上限", "请缩短内容（用 glm tokenize 计数），或选择上下文更长的模型"),
)
_UNSAFE = (
    ("the content was judged unsafe or sensitive", "rephrase the prompt, or leave out the part in question"),
    ("内容可能包含不安全或敏感信息", "请修改措辞，或删去相关内容"),
)
_TOO_MANY = (
    ("rate limit reached", "slow down, or allow more retries: --max-retries 5"),
    ("已达到速率限制", "请降低频率，或增加重试次数：--max-retries 5"),
)
_FAILED = (("internal error of the service", _LATER[0]), ("服务内部错误", _LATER[1]))
_OVERLOADED = (("the service is overloaded at the moment", _LATER[0]), ("服务暂时过载", _LATER[1]))
_TOO_SLOW = (("the service took too long", _LATER[0]), ("服务响应超时", _LATER[1]))
_GATEWAY = (("a server in between cannot reach the service", _LATER[0]), ("网关无法连接到服务", _LATER[1]))

_ROWS = (
    # -- HTTP statuses that the service's page lists beside its codes
    _row("434", 434, PERMISSION,
         ("this API is in closed beta", "ask the vendor for access to the beta"),
         ("该接口处于内测阶段，尚未开放", "请向官方申请内测资格"), old=True),
    _row("435", 435, BAD_REQUEST,
         ("the file is larger than 100 MB", "send a smaller file, or cut it into parts"),
         ("文件超过 100 MB", "请上传更小的文件，或拆分后再上传"), old=True),
    _row("500", 500, SERVER, *_FAILED),
    # -- the key
    _row("1000", 401, AUTH,
         ("the key was refused", "is it a key of this region and provider? find out: glm doctor"),
         ("身份验证失败", "请确认 Key 属于该地区和平台：glm doctor")),
    _row("1001", 401, AUTH,
         ("no key arrived with the request", "check which key is used: glm doctor; a proxy may drop the header"),
         ("请求头中没有收到 API Key", "查看正在使用的 Key：glm doctor；也可能是代理丢弃了请求头")),
    _row("1002", 401, AUTH, ("the key is not valid", _NEW_KEY[0]), ("API Key 无效", _NEW_KEY[1]), old=True),
    _row("1003", 401, AUTH,
         ("the token has expired", "check the clock of this machine, or make a new key: glm onboard"),
         ("令牌已过期", "请检查本机时间，或更换 API Key：glm onboard")),
    _row("1004", 401, AUTH,
         ("this key was refused", _NEW_KEY[0]), ("该 API Key 验证失败", _NEW_KEY[1]), old=True),
    _row("1005", 401, AUTH,
         ("the account needs two-factor authentication",
          "complete the second factor in the web console, then repeat the command"),
         ("账号需要完成双因素认证", "请先在网页控制台完成双因素认证，再重新执行命令")),
    # -- the account
    _row("1100", None, SERVER,
         ("the service could not read or write the account", _LATER[0]),
         ("账号读写异常", _LATER[1]), old=True, retry_limit=1),
    _row("1110", None, PERMISSION,
         ("the account is not active", "activate it in the web console"),
         ("账号未激活", "请在网页控制台激活账号"), old=True),
    _row("1111", None, PERMISSION,
         ("the account does not exist", "was the key made on the other platform (z.ai, bigmodel.cn)? run glm doctor"),
         ("账号不存在", "Key 是否来自另一平台（z.ai 或 bigmodel.cn）？请运行 glm doctor"), old=True),
    _row("1112", None, PERMISSION,
         ("the account is locked", _SUPPORT[0]), ("账号已被锁定", _SUPPORT[1]), old=True),
    _row("1113", 429, BALANCE,
         ("no balance and no resource package for this call",
          "a Coding Plan pays only on its own endpoint (--provider zai-coding or zhipu-coding), "
          "and only for models of the plan; find out what this key can use: glm doctor"),
         ("余额不足或没有可用资源包",
          "Coding Plan 套餐只能用于专属端点（--provider zai-coding 或 zhipu-coding）和套餐内的模型；"
          "查看该 Key 可用的端点：glm doctor")),
    _row("1120", None, SERVER,
         ("the account cannot be reached at the moment", _LATER[0]), ("暂时无法访问账号", _LATER[1]), old=True),
    _row("1121", None, PERMISSION,
         ("the account is locked for irregular activity", _SUPPORT[0]),
         ("账号因异常行为被锁定", _SUPPORT[1]), old=True),
    # -- the request
    _row("1200", 500, SERVER, ("the call failed inside the service", _LATER[0]), ("接口调用出错", _LATER[1])),
    _row("1210", 400, BAD_REQUEST,
         ("a parameter of the request is wrong", "see what was sent: add --dry-run"),
         ("请求参数有误", "加上 --dry-run 查看将要发送的内容")),
    _row("1211", 400, MODEL,
         ("the service does not know this model", "choose another with -m; known models: glm models"),
         ("模型不存在", "请用 -m 选择其他模型；查看可用模型：glm models")),
    _row("1212", 400, BAD_REQUEST,
         ("the model cannot be called in this way", "choose another model with -m; see glm models"),
         ("该模型不支持这种调用方式", "请用 -m 选择其他模型；参见 glm models")),
    _row("1213", 400, BAD_REQUEST,
         ("a required parameter did not arrive", "see what was sent: add --dry-run"),
         ("缺少必需的参数", "加上 --dry-run 查看将要发送的内容")),
    _row("1214", 400, BAD_REQUEST,
         ("a parameter has a value that is not allowed",
          "change the value of the parameter; see what was sent: add --dry-run"),
         ("参数取值不合法", "请修改该参数；加上 --dry-run 查看将要发送的内容")),
    _row("1215", 400, BAD_REQUEST,
         ("two parameters cannot be used together", "leave one of them out"),
         ("两个参数不能同时设置", "请去掉其中一个")),
    _row("1220", 403, PERMISSION,
         ("the account may not use this API", "ask for access in the web console, or use another key: glm doctor"),
         ("账号没有该接口的访问权限", "请在控制台申请权限，或换用其他 Key：glm doctor")),
    _row("1221", 400, BAD_REQUEST,
         ("this API was switched off", "use its successor; see glm --help"),
         ("该接口已下线", "请使用替代接口；参见 glm --help")),
    _row("1222", 400, BAD_REQUEST,
         ("this API does not exist", "check the path and the base URL: glm doctor"),
         ("该接口不存在", "请检查路径和 base URL：glm doctor")),
    _row("1230", 500, SERVER,
         ("the service failed while working on the call", _LATER[0]),
         ("接口处理过程出错", _LATER[1])),
    _row("1231", None, BAD_REQUEST,
         ("this request id is already in use", "send the request again with a new request_id, or none"),
         ("request_id 已被占用", "请换用新的 request_id 或不填，再次发送"), old=True),
    _row("1234", 500, SERVER, ("network error inside the service", _LATER[0]), ("服务内部网络错误", _LATER[1])),
    _row("1261", 400, BAD_REQUEST, *_TOO_LONG),
    # -- content
    _row("1300", None, CONTENT,
         ("the call was blocked by a policy", "change the content of the request"),
         ("调用被策略拦截", "请修改请求内容"), old=True),
    _row("1301", 400, CONTENT, *_UNSAFE),
    # -- rate
    _row("1302", 429, RATE,
         ("rate limit reached: too many requests at once", "send fewer at once, or retry more: --max-retries 5"),
         ("并发请求过多，已达到速率限制", "请降低并发，或增加重试次数：--max-retries 5")),
    _row("1303", None, RATE,
         ("rate limit reached: requests come too often", "slow down, or allow more retries: --max-retries 5"),
         ("调用频率过高", "请降低频率，或增加重试次数：--max-retries 5"), old=True),
    _row("1304", None, RATE,
         ("the daily number of calls of this API is used up", "continue tomorrow, or use another model"),
         ("该接口今日调用次数已用完", "请明天再试，或换用其他模型"), old=True, retryable=False),
    _row("1305", 429, RATE,
         ("the service is overloaded at the moment", "try later or another model, or allow more: --max-retries 5"),
         ("服务暂时过载", "请稍后再试或换用其他模型，也可增加重试次数：--max-retries 5")),
    # -- the Coding Plan
    _row("1308", 429, PLAN_WINDOW,
         ("the usage limit of the plan is reached", _WINDOW[0]), ("已达到套餐用量上限", _WINDOW[1])),
    _row("1309", 429, PLAN_ACCOUNT,
         ("the Coding Plan has expired", "renew it, or use the balance: --provider zai or zhipu"),
         ("Coding Plan 套餐已过期", "请续订套餐，或改用按量付费：--provider zai 或 zhipu")),
    _row("1310", 429, PLAN_WINDOW,
         ("the weekly or monthly limit of the plan is used up", _WINDOW[0]),
         ("套餐的每周或每月额度已用完", _WINDOW[1])),
    _row("1311", 429, MODEL,
         ("the plan does not include this model", "choose a model of the plan with -m; see glm models"),
         ("当前套餐不包含该模型", "请用 -m 选择套餐内的模型；参见 glm models"), exit_code=ExitCode.BALANCE),
    _row("1312", None, RATE,
         ("the model is busy", "try later, or another model with -m"),
         ("模型繁忙", "请稍后再试，或用 -m 换用其他模型"), old=True),
    _row("1313", 429, PLAN_ACCOUNT,
         ("the account is restricted under the fair use policy", "ask the vendor to lift it, in the web console"),
         ("账号因公平使用政策受限", "请在网页控制台申请解除限制")),
    _row("1314", 429, PLAN_ACCOUNT,
         ("the enterprise package has expired", "ask the administrator of the team to renew it"),
         ("企业套餐已过期", "请联系团队管理员续订")),
    _row("1315", 429, PERMISSION,
         ("this key is only for the enterprise coding package", "use another key, or this one on a coding provider"),
         ("该 Key 仅限企业 Coding 套餐使用", "请换用其他 Key，或在 coding 端点使用该 Key"), exit_code=ExitCode.BALANCE),
    _row("1316", 429, PLAN_WINDOW,
         ("the 5-hour limit is reached, and there is no balance for extra usage", _NO_EXTRA[0]),
         ("已达到 5 小时用量上限，且没有余额可用于额外用量", _NO_EXTRA[1])),
    _row("1317", 429, PLAN_WINDOW,
         ("the 7-day limit is reached, and there is no balance for extra usage", _NO_EXTRA[0]),
         ("已达到 7 天用量上限，且没有余额可用于额外用量", _NO_EXTRA[1])),
    _row("1318", 429, PLAN_WINDOW,
         ("the 5-hour limit and the monthly spend limit are reached", _SPEND[0]),
         ("已达到 5 小时用量上限和月度消费上限", _SPEND[1])),
    _row("1319", 429, PLAN_WINDOW,
         ("the 7-day limit and the monthly spend limit are reached", _SPEND[0]),
         ("已达到 7 天用量上限和月度消费上限", _SPEND[1])),
    _row("1320", 429, PLAN_WINDOW,
         ("the 5-hour limit and a spend limit are reached", _SPEND[0]),
         ("已达到 5 小时用量上限和消费上限", _SPEND[1])),
    _row("1321", 429, PLAN_WINDOW,
         ("the 7-day limit and a spend limit are reached", _SPEND[0]),
         ("已达到 7 天用量上限和消费上限", _SPEND[1])),
    # -- web search (bigmodel.cn)
    _row("1701", None, RATE,
         ("too many searches at the same time", "send fewer at once, or try again in a moment"),
         ("搜索并发过高", "请降低并发，或稍后重试")),
    _row("1702", None, SERVER,
         ("no search engine is available", "try another one: glm search --engine search_pro"),
         ("没有可用的搜索引擎", "请换用其他引擎：glm search --engine search_pro"), retryable=False),
    _row("1703", None, SERVER,
         ("the search engine gave nothing usable", "rephrase the query, or try another --engine"),
         ("搜索引擎未返回有效数据", "请修改搜索词，或换用其他 --engine"), retryable=False),
)

#: The words that compatible gateways send in `code` or `type`.
_GATEWAY_ROWS = (
    _row("invalid_api_key", 401, AUTH, *_NO_KEY),
    _row("authentication_error", 401, AUTH, *_NO_KEY),
    _row("permission_error", 403, PERMISSION, *_NOT_ALLOWED),
    _row("insufficient_quota", 429, BALANCE, *_NO_MONEY),
    _row("billing_error", 402, BALANCE, *_NO_MONEY),
    _row("model_not_found", 404, MODEL, *_UNKNOWN_MODEL),
    _row("invalid_request_error", 400, BAD_REQUEST, *_BAD),
    _row("not_found_error", 404, BAD_REQUEST, *_NOT_FOUND),
    _row("request_too_large", 413, BAD_REQUEST, *_TOO_LARGE),
    _row("context_length_exceeded", 400, BAD_REQUEST, *_TOO_LONG),
    _row("content_policy_violation", 400, CONTENT, *_UNSAFE),
    _row("content_filter", 400, CONTENT, *_UNSAFE),
    _row("rate_limit_exceeded", 429, RATE, *_TOO_MANY),
    _row("rate_limit_error", 429, RATE, *_TOO_MANY),
    _row("internal_server_error", 500, SERVER, *_FAILED),
    _row("server_error", 500, SERVER, *_FAILED),
    _row("api_error", 500, SERVER, *_FAILED),
    _row("timeout_error", 504, SERVER, *_TOO_SLOW),
    _row("overloaded_error", 529, SERVER, *_OVERLOADED),
)

_STATUS_ROWS = (
    _row("400", 400, BAD_REQUEST, *_BAD),
    _row("401", 401, AUTH, *_NO_KEY),
    _row("402", 402, BALANCE, *_NO_MONEY),
    _row("403", 403, PERMISSION, *_NOT_ALLOWED),
    _row("404", 404, BAD_REQUEST, *_NOT_FOUND),
    _row("405", 405, BAD_REQUEST, *_NOT_FOUND),
    _row("408", 408, SERVER, *_TOO_SLOW),
    _row("413", 413, BAD_REQUEST, *_TOO_LARGE),
    _row("422", 422, BAD_REQUEST, *_BAD),
    _row("429", 429, RATE, *_TOO_MANY),
    _row("502", 502, SERVER, *_GATEWAY),
    _row("503", 503, SERVER, *_OVERLOADED),
    _row("504", 504, SERVER, *_TOO_SLOW),
    _row("529", 529, SERVER, *_OVERLOADED),
)

# fmt: on

#: The codes of the service itself, in order.
CODES: dict[str, CodeEntry] = {row.code: row for row in _ROWS}
#: The words of compatible gateways.
GATEWAY_CODES: dict[str, CodeEntry] = {row.code: row for row in _GATEWAY_ROWS}
#: What an HTTP status says when no code comes with it.
STATUSES: dict[str, CodeEntry] = {
    **{row.code: row for row in _STATUS_ROWS},
    **{code: CODES[code] for code in ("434", "435", "500")},
}

#: For a failure that nothing else describes.
UNKNOWN = _row(
    "",
    None,
    SERVER,
    ("the service reports a failure", "if it lasts, run glm doctor"),
    ("服务返回了错误", "若持续出现，请运行 glm doctor"),
    retryable=False,
)

#: For 429 with a code that the table lacks: it may be a rate, a balance or a plan.
UNKNOWN_LIMIT = _row(
    "",
    429,
    RATE,
    ("the service refuses the call because of a limit", "find out what this key can use: glm doctor"),
    ("服务因某项限制拒绝了请求", "查看该 Key 可用的端点：glm doctor"),
    retryable=False,
)


def find(code: str) -> CodeEntry | None:
    """The row of a business code, a gateway's word or an HTTP status; None when unknown."""
    return CODES.get(code) or GATEWAY_CODES.get(code) or STATUSES.get(code)


def of_status(http_status: int) -> CodeEntry:
    """The row for an HTTP status alone; a relative for one that the table does not list."""
    row = STATUSES.get(str(http_status))
    if row is None and 500 <= http_status < 600:
        row = CODES["500"]
    elif row is None and 400 <= http_status < 500:
        row = STATUSES["400"]
    return UNKNOWN if row is None else row


def mentioned_in(text: str) -> list[CodeEntry]:
    """The rows of the codes that a text mentions, in its order: a body, a log line, an error of ours.

    Places where a code surely is one come first; bare numbers count only
    where there is no such place, and HTTP statuses only after business codes.
    """
    import re

    sure = r"""\[(\d{3,4})\]|\bcode\b["\']? ?[:=]? ?["\']?(\w+)|[(（](\d{3,4})[)）]"""
    words = [match[match.lastindex or 0] for match in re.finditer(sure, text, re.IGNORECASE)]
    numbers = re.findall(r"(?<![\w.:-])\d{3,4}(?![\w:-]|\.\d)", text)
    for table, candidates in (
        (CODES, [word for word in words if word not in STATUSES]),
        (GATEWAY_CODES, words),
        (GATEWAY_CODES, re.findall(r"(?<![a-z_])[a-z]+(?:_[a-z]+)+", text.lower())),
        (CODES, [number for number in numbers if number not in STATUSES]),
        (STATUSES, [*words, *numbers]),
    ):
        found = [table[word] for word in dict.fromkeys(candidates) if word in table]
        if found:
            return found
    return []


def near(code: str) -> list[str]:
    """Known codes that look like a mistyped one, best first."""
    from difflib import get_close_matches

    code = code.lower()
    known = [*CODES, *GATEWAY_CODES, *STATUSES]
    similar = get_close_matches(code, known, n=len(known), cutoff=0.7)
    return sorted(dict.fromkeys(similar), key=lambda other: _likeness(code, other), reverse=True)[:5]


def _likeness(one: str, other: str) -> tuple[int, int]:
    """How many characters agree before the first that differs, and in all."""
    same = [a == b for a, b in zip(one, other, strict=False)]
    return [*same, False].index(False), sum(same)
