"""中文文本；键和占位符与 `en` 相同。"""

from __future__ import annotations

TEXTS: dict[str, str] = {
    # -- regions
    "site.intl": "Z.AI（api.z.ai）",
    "site.cn": "智谱 BigModel（open.bigmodel.cn）",
    # -- verdicts, as they head a row
    "verdict.works": "可用",
    "verdict.plan_active": "套餐有效",
    "verdict.window_used_up": "可用，但额度暂时用完",
    "verdict.model_not_included": "可用，但需换模型",
    "verdict.busy": "Key 有效，服务繁忙",
    "verdict.accepted": "Key 有效",
    "verdict.accepted_beside_plan": "Key 有效",
    "verdict.plan_key_on_general": "不适用于此 Key",
    "verdict.no_balance": "余额不足",
    "verdict.payg_key_on_coding": "不适用于此 Key",
    "verdict.no_plan": "没有套餐",
    "verdict.plan_expired": "套餐已过期",
    "verdict.enterprise_only": "不适用于此 Key",
    "verdict.restricted": "账号受限",
    "verdict.other_region": "地区不符",
    "verdict.key_refused": "Key 被拒绝",
    "verdict.unreachable": "无法连接",
    "verdict.not_the_service": "不是服务本身的响应",
    "verdict.failed": "没有明确答复",
    "verdict.not_asked": "未查询",
    # -- what a verdict means
    "meaning.works": "向 {model} 发送的请求得到了回答。",
    "meaning.plan_active": "账号有 Coding Plan 套餐（{level}），此端点由套餐付费。",
    "meaning.window_used_up": "Key 没有问题：此端点由套餐付费，只是额度暂时用完{reset}。",
    "meaning.model_not_included": "Key 没有问题，但此端点不能使用 {model}{code}。",
    "meaning.busy": "Key 没有问题；服务过于繁忙，暂时无法判断由谁付费{code}。",
    "meaning.accepted": "Key 没有问题；此端点能否付费，只有发送一次请求才能知道。",
    "meaning.accepted_beside_plan": "Key 没有问题，但此端点从余额扣费，不使用账号的套餐（{level}）；"
    "请使用 {sibling}。是否有余额，只有发送一次请求才能知道。",
    "meaning.plan_key_on_general": "此 Key 属于 Coding Plan 套餐，套餐只能用于 {sibling}；"
    "此端点从余额扣费，而账号没有余额{code}。",
    "meaning.no_balance": "Key 没有问题，但账号余额不足{code}。充值：{billing_page}",
    "meaning.payg_key_on_coding": "此 Key 按量付费；此端点仅用于 Coding Plan 套餐{code}。请使用 {sibling}。",
    "meaning.no_plan": "Key 没有问题，但账号没有 Coding Plan 套餐{code}。套餐介绍：{plan_page}",
    "meaning.plan_expired": "账号的 Coding Plan 套餐已过期{code}。续订：{plan_page}",
    "meaning.enterprise_only": "此 Key 仅限企业 Coding 套餐使用{code}。"
    "请在其团队的 coding 端点使用，或换用其他 Key：{keys_page}",
    "meaning.restricted": "账号受限，更改设置无法解决：{detail}。",
    "meaning.other_region": "{site}不认识此 Key，它属于{other_site}：请使用 {elsewhere}。",
    "meaning.key_refused": "{site} 不接受此 Key{code}：可能输错、不完整、已删除，"
    "或是在 {other_site} 创建的。查看 Key：{keys_page}",
    "meaning.unreachable": "没有收到响应，因此无法判断 Key 是否有效：{detail}。",
    "meaning.not_the_service": "中间的代理或网关代替服务作了响应：{detail}。",
    "meaning.failed": "服务没有给出明确答复{code}；请稍后重试。",
    "meaning.not_asked": "没有向 {site} 发送任何请求。",
    # -- beside the rows
    "diagnosis.reset": "；{time} 重置",
    "diagnosis.code": "（{code}）",
    "diagnosis.command": "->",
    "decision.use": "使用 {provider}",
    "reason.both_work": "套餐和余额都可用，由哪一个付费只有您能决定",
    "reason.plan_uncertain": "余额可用；套餐能否付费无法判断",
    "reason.nothing_tried": "Key 没有问题，但免费查询无法判断由套餐还是余额付费",
    "reason.busy": "Key 没有问题，但服务过于繁忙，无法判断由谁付费",
    "reason.no_money": "Key 没有问题，但套餐和余额都无法付费",
    "reason.key_refused": "Key 被拒绝",
    "reason.restricted": "账号受限",
    "reason.unreachable": "服务没有响应",
}
