"""What somebody wrote themselves, set apart from what they quote and from their signature.

Marks of the common mail programs in English, traditional and simplified Chinese. In doubt a line counts as written by
the sender: better read twice than lost.
"""

import re
from dataclasses import dataclass

_WROTE = re.compile(r"(?:wrote|a écrit|schrieb|escribió|寫道|写道|撰寫|撰写|寫|写|来信|來信)\s*[:：]\Z", re.IGNORECASE)
_OPENS = re.compile(r"(?:On|Le|Am|El)\s|[在於于]\s?\d{4}|\d{4}\s?年", re.IGNORECASE)
_TIME = re.compile(r"\d{1,2}[:：]\d{2}")
_CUT = re.compile(
    r"-{2,}\s?(?:Original (?:Message|Appointment)|Forwarded message|原始[郵邮]件|原始信件|原[郵邮]件|轉寄訊息"
    r"|[轉转][寄發发]的?[郵邮]件|[郵邮]件原件)\s?-{2,}"
    r"|Begin forwarded message\s?[:：]|[開开]始[轉转][寄發发][郵邮]件\s?[:：]"
    r"|(?:以下是轉寄的郵件|下面是被转发的邮件)\s?[:：]?",
    re.IGNORECASE,
)
_FROM = re.compile(r"\*?(?:From|寄件者|寄件人|发件人|發件人|發信人|发信人)\s?\*?\s?[:：]\s?\*?\s?\S", re.IGNORECASE)
_SUBJECT = re.compile(r"\*?(?:Subject|主旨|主題|主题|標題|标题)\s?\*?\s?[:：]", re.IGNORECASE)
_RULE = re.compile(r"[_\-=]{8,}\Z")
_SENT_FROM = re.compile(
    r"^\s*(?:Sent\sfrom\s(?:my|Mail|Outlook|Yahoo|Samsung).{0,60}|Get\sOutlook\sfor\s.{0,40}"
    r"|(?:從|从|由|寄自|发自|發自|來自|来自)\s*(?:我的|我嘅)?.{0,40}(?:iPhone|iPad|Android|手機|手机|Outlook|传送|傳送|发送|發送).{0,30}"
    r"|(?:寄自|发自|發自)我的.{0,30})\s*$",
    re.IGNORECASE,
)
_GAP = re.compile(r"\n\s*\n\s*\n")
_LONGEST_MARK = 400  # characters
_LINES = 20_000  # in which marks are looked for


@dataclass(frozen=True, slots=True)
class Parts:
    """A text in three: `own` words, what is `quoted`, the `signature`. Every line is in exactly one of them."""

    own: str
    quoted: str = ""
    signature: str = ""


def set_apart(text: str) -> Parts:
    """Where nothing of one's own is left (a forward, a text below `-- `), the whole is taken as one's own."""
    lines = text.split("\n")
    own: list[str] = []
    quoted: list[str] = []
    i = 0
    while i < len(lines):
        if _is_prefixed(lines[i]):
            quoted.append(lines[i])
            i += 1
        elif i < _LINES and (size := _mark(lines, i)):
            quoted += lines[i : i + size]
            i += size
            if not _continues_prefixed(lines, i):  # all that follows is quoted, unless `>` tells line by line
                quoted += lines[i:]
                break
        else:
            own.append(lines[i])
            i += 1
    kept, signature = _signed(own)
    if not any(line.strip() for line in kept):
        return Parts(_joined(lines))
    return Parts(_joined(kept), _joined(quoted), _joined(signature))


def _joined(lines: list[str]) -> str:
    return _GAP.sub("\n\n", "\n".join(lines)).strip()


def _mark(lines: list[str], i: int) -> int:
    """How many lines from `i` on are a mark that a quotation begins; 0 where none is."""
    line = lines[i].strip()
    if not line or len(line) > _LONGEST_MARK:
        return 0
    if _CUT.fullmatch(line) or _tells_who_wrote(line):
        return 1
    following = lines[i + 1].strip() if i + 1 < len(lines) else ""
    # folded by the sender's program: "On Mon, 23 Nov 2026 at 10:00, Somebody\n<somebody@example.com> wrote:"
    folded = following and len(following) <= _LONGEST_MARK and not _WROTE.search(line)
    if folded and (_OPENS.match(line) or "@" in line) and _tells_who_wrote(f"{line} {following}"):
        return 2
    start = i + 1 if _RULE.match(line) and following else i
    # a block of headers, as Outlook writes them: "From:" and, a few lines on, "Subject:"
    if _FROM.match(lines[start].strip()) and any(_SUBJECT.match(n.strip()) for n in lines[start + 1 : start + 7]):
        return start - i + 1
    return 0


def _tells_who_wrote(line: str) -> bool:
    """Whether `line` is one of a mail program's, as against "in my letter of 1 November I wrote:"."""
    found = _WROTE.search(line)
    if not found:
        return False
    head = line[: found.start()]
    return "@" in head or bool(_OPENS.match(head) and _TIME.search(head))


def _is_prefixed(line: str) -> bool:
    return line.lstrip().startswith((">", "＞"))


def _continues_prefixed(lines: list[str], i: int) -> bool:
    """Whether the next line that says anything is quoted by `>`."""
    return _is_prefixed(next((line for line in lines[i : i + 10] if line.strip()), ""))


def _signed(own: list[str]) -> tuple[list[str], list[str]]:
    for i, line in enumerate(own):
        if line in ("-- ", "--") and i > 0:  # RFC 3676, section 4.3
            return own[:i], own[i:]
    last = next((i for i in range(len(own) - 1, -1, -1) if own[i].strip()), -1)
    if last > 0 and len(own[last]) <= _LONGEST_MARK and _SENT_FROM.match(own[last]):
        return own[:last], own[last:]
    return own, []
