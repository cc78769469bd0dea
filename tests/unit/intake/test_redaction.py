"""Personal data is taken out of text in three languages; amounts, dates and references stay as they are.

All numbers are made up. Identity and card numbers carry valid check digits, worked out by hand or by the rule.
"""

import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.redaction import Personal, luhn, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # e-mail
        ("write to chan.tai+bank@mail.example.com today", "write to [email] today"),
        ("請電郵chan@example.com謝謝", "請電郵[email]謝謝"),
        ("chan＠example．com", "[email]"),
        # Hong Kong
        ("ring 9123 4567", "ring [phone]"),
        ("電話91234567。", "電話[phone]。"),
        ("电话：9123-4567，谢谢", "电话：[phone]，谢谢"),
        ("電話９１２３４５６７", "電話[phone]"),
        ("+852 2345 6789", "[phone]"),
        ("身份證A123456(3)", "身份證[id]"),
        ("身份證 a123456（3）已影印", "身份證 [id]已影印"),
        ("my HKID is AB987654(3)", "my HKID is [id]"),
        # mainland
        ("手机13800138000", "手机[phone]"),
        ("身份证11010519491231002X", "身份证[id]"),
        ("身份证440524188001010014", "身份证[id]"),
        # Taiwan
        ("身分證字號A123456789", "身分證字號[id]"),
        # elsewhere
        ("SSN 219-09-9999", "SSN [id]"),
        ("NI number AB 12 34 56 C", "NI number [id]"),
        ("call (212) 555-0143 now", "call [phone] now"),
        ("call 010-8888 8888", "call [phone]"),
        ("+44 20 7946 0958", "[phone]"),
        # cards and accounts
        ("card 4111 1111 1111 1111", "card [card]"),
        ("卡號4111111111111111", "卡號[card]"),
        ("amex 378282246310005", "amex [card]"),
        ("account 012-345-678901", "account [account]"),
        ("戶口012345678901", "戶口[account]"),
        ("card 4111 1111 1111 1112 is no card", "card [account] is no card"),
        # together
        ("on 2026-11-23 91234567 rang", "on 2026-11-23 [phone] rang"),
        ("2026-11-23 14.05 9123 4567", "2026-11-23 14.05 [phone]"),
        ("(2026-11-23) 91234567", "(2026-11-23) [phone]"),
        ("91234567/98765432", "[phone]/[phone]"),
        ("91234567、98765432", "[phone]、[phone]"),
    ],
)
def test_what_tells_who_somebody_is_is_taken_out(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I was charged HKD 1,234,567.89 on 2026-11-23.",
        "港幣123456.78元",
        "人民幣 20000000 元",
        "匯款20000000元",
        "被扣HK$98765432",
        "USD 250000000 was frozen",
        "$1234567890",
        "£12345678.90",
        "a fee of 120.00, 15% of 800",
        "on 23-11-2026 at 14:05",
        "2026-11-23 14:05:59",
        "2026-11-23T14:05:59+08:00",
        "20261123",
        "2026年11月23日下午2時",
        "2026.11.23 and 2026/11/23",
        "reference 261123-7T51-DVFS9",
        "A123456(4) has the wrong check digit",
        "A123456788 too",
        "floor 12, counter 7, ticket A1234",
        "version 1.2.3.4, form 12345",
        "Boeing 747 and 24/7",
        "call 1823",
    ],
)
def test_ordinary_amounts_dates_and_references_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "personal", "expected"),
    [
        ("I, CHAN TAI MAN, complain", ["Chan Tai Man"], "I, [person], complain"),
        ("Mr Chan said that Mr. Man left the manager", ["Chan Tai Man"],
         "Mr [person] said that Mr. [person] left the manager"),
        ("我是陳大文，陳大文。", ["陳大文"], "我是[person]，[person]。"),
        ("call 91234567 or +852-9123-4567", ["Chan", "+852 9123 4567"], "call [phone] or [person]"),
        ("customer c-000001", ["C-000001"], "customer [person]"),
        ("chan@example.com of CHAN-0001", ["Chan", "chan@example.com", "CHAN-0001"], "[email] of [person]"),
        ("Ｃ－００１", ["Ｃ－００１"], "[person]"),
        ("Ｃ-001", ["Ｃ－００１"], "[person]"),
        ("9 1 2 3 4 5 6 7", [], "[phone]"),
    ],
)  # fmt: skip
def test_what_the_complainant_told_of_themselves_is_taken_out_however_it_looks(
    text: str, personal: list[str], expected: str
) -> None:
    assert redact(text, Personal(personal)) == expected


_between = st.text(st.sampled_from("，。我的是 電話號碼\n"), min_size=1, max_size=8)


@given(_between, st.from_regex(r"[2-9][0-9]{7}", fullmatch=True), _between)
def test_no_hong_kong_number_comes_through(before: str, number: str, after: str) -> None:
    assume(number[0] in "235679")
    like_a_day = number[:2] == "20" and "01" <= number[4:6] <= "12" and "01" <= number[6:8] <= "31"
    assume(not like_a_day)
    for shape in (number, f"{number[:4]} {number[4:]}", f"{number[:4]}-{number[4:]}", f"+852 {number}"):
        assert number[4:] not in redact(before + shape + after)


@given(_between, st.from_regex(r"[A-Z]{1,2}[0-9]{6}", fullmatch=True), _between)
def test_no_identity_card_of_hong_kong_comes_through(before: str, body: str, after: str) -> None:
    letters, digits = re.match(r"([A-Z]+)(\d+)", body).groups()  # type: ignore[union-attr]
    values = [*([36] if len(letters) == 1 else []), *(ord(c) - 55 for c in letters), *map(int, digits)]
    check = "0123456789A"[-sum(v * w for v, w in zip(values, (9, 8, 7, 6, 5, 4, 3, 2), strict=True)) % 11]
    for shape in (f"{body}({check})", f"{body}{check}", f"{body} ({check})", f"{body}（{check}）"):
        assert digits not in redact(before + shape + after)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=18), _between)
def test_no_card_number_comes_through(digits: list[int], around: str) -> None:
    body = "".join(map(str, digits))
    number = next(body + c for c in string.digits if luhn(body + c))
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    for shape in (number, grouped, grouped.replace(" ", "-")):
        assert body[-6:] not in redact(around + shape + around).replace(" ", "").replace("-", "")


@given(st.text(max_size=200), st.lists(st.text(min_size=2, max_size=20).filter(str.strip), max_size=3))
def test_any_text_is_redacted_without_failing_and_a_second_time_changes_nothing_more(
    text: str, personal: list[str]
) -> None:
    assume(not any(p.strip().casefold() in "[person] [email] [phone] [card] [account] [id]" for p in personal))
    once = redact(text, Personal(personal))
    assert redact(once, Personal(personal)) == once


@given(
    st.text(st.characters(exclude_categories=("Nd",)), max_size=100).filter(lambda t: "@" not in t and "＠" not in t)
)
def test_text_without_digits_or_at_signs_is_left_alone(text: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) for c in string.ascii_letters + "+-.()")
    narrowed = text.translate(str.maketrans(wide, string.ascii_letters + "+-.()"))
    assert redact(text) == narrowed
