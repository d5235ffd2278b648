"""The page inside a support archive that says what it is, in both languages."""

from typing import Final

_LOG: Final = """
没有日志。网关把日志写到标准错误；由 systemd 启动时，请这样一并打包：
    journalctl -u wanglian --since -1d | wanglian support plant.yaml -o support.zip --log -
写在文件里时：--log 文件名

There is no log. The gateway writes to standard error; under systemd add it like this:
    journalctl -u wanglian --since -1d | wanglian support plant.yaml -o support.zip --log -
Where it goes to a file: --log FILE
"""
_TEXT: Final = """Wanglian 网联 · 诊断包 / support archive

这里有什么
    plant/plant.yaml    工厂配置文件。口令、令牌、用户名、地址里的用户名和口令、不认识的键的内容都是 ***，
                        ${{env:…}} 和 ${{file:…}} 只有名称，没有内容；注释已去掉。
    plant/check.txt     检查结果；不引用文件里的原文。
    plant/plan.txt      将要发出的请求。
    gateway/            运行中的网关自己的回答：状态、链路、最近的错误、计数。
    data/               文件大小、游标、纪元、缺口、丢弃、隔离区的原因；数据库各页是否完好。
    certificates.json   证书的主体、签发者、有效期；没有私钥。
    machine.json, packages.txt    版本、磁盘、内存。
没有测点的值，除非用了 --values（values.json）。平台拒收数据时的原话照录，其中可能提到数据。
设备名、测点名、主机名和 IP 地址都在里面，诊断离不开它们。寄出前可以自己看一遍，全是文本。

What is in here
    plant/plant.yaml    The plant file. Passwords, tokens, user names, names and passwords in addresses and
                        what stands under unknown keys are ***; ${{env:…}} and ${{file:…}} are names without
                        content; comments are gone.
    plant/check.txt     What the check says, without quoting the file.
    plant/plan.txt      The requests that will be sent.
    gateway/            What the running gateway says: health, links, last errors, counters.
    data/               File sizes, cursors, epochs, gaps, drops, reasons in the quarantine; whether the
                        databases' pages are sound.
    certificates.json   Subject, issuer and validity of certificates; no keys.
    machine.json, packages.txt    Versions, disk, memory.
No tag's value, unless --values was given (values.json). What a platform said when it refused rows is kept
word for word and may speak of data. Names of devices and tags, hosts and IP addresses are in it: nothing
could be found without them. Look it through before you send it; it is all text.

{files}
"""


def readme(names: list[str], *, has_log: bool) -> str:
    """Return the page for an archive that holds these."""
    return _TEXT.format(files="\n".join(names)) + ("" if has_log else _LOG)
