"""Letters as they are printed: what is written stands there, in the right script, and nothing in it is a command."""

import re
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.letters import addressed, pdf, render
from shared.letters.text import Part, clean, parts
from tests.unit.shared.pdf_text import pages as pages_of

DAY = date(2026, 11, 5)
TOLD: dict[str, Any] = {"language": "en", "reference": "26-1105-0001", "date": DAY, "bank_name": "Example Bank"}


def said(made: bytes) -> str:
    return "".join(pages_of(made))


def squeezed(text: str) -> str:
    return "".join(text.split())


def letter(body: str, **changes: Any) -> bytes:
    return render(changes.pop("subject", "Our decision"), body, **{**TOLD, "complainant": "Chan Example", **changes})


@pytest.mark.parametrize(
    ("language", "lang", "font", "words"),
    [
        ("en", "en-GB", "NotoSansCJKkr", ["5 November 2026", "Our reference", "Page 1 of 1", "Dear Chan Example,"]),
        ("zh-Hant", "zh-HK", "NotoSansCJKhk", ["2026年11月5日", "本行檔號", "第1頁，共1頁"]),
        ("zh-Hans", "zh-CN", "NotoSansCJKsc", ["2026年11月5日", "编号", "第1页，共1页"]),
    ],
)
def test_each_language_has_its_words_its_font_and_says_which_it_is(
    language: str, lang: str, font: str, words: list[str]
) -> None:
    made = letter("Dear {complainant},\n\nDone. 直骨角", language=language)
    assert made.startswith(b"%PDF-1.7")
    assert f"/Lang({lang})".encode() in made
    assert re.search(rb"\+" + font.encode() + rb"-Regular", made)
    text = said(made)
    for word in [*words, "Example Bank", "26-1105-0001", "Our decision", "直骨角"]:
        assert squeezed(word) in text


def test_it_is_tagged_titled_and_says_that_it_is_accessible() -> None:
    made = letter("One.\n\nTwo:\n• three\n• four")
    for mark in (b"/MarkInfo<</Marked true", b"/StructTreeRoot", b"<pdfuaid:part>1<", b"DisplayDocTitle true"):
        assert mark in made
    tags = re.findall(rb"/Type/StructElem/S/(\w+)", made)
    assert tags.count(b"H1") == 1
    assert tags.count(b"LI") == 2
    assert "Our decision".encode("utf-16-be").hex().upper().encode() in made or b"/Title(Our decision)" in made


MARKUP = [
    '#read("/etc/passwd")',
    '#import "@preview/cetz:0.3.4": *',
    '#sys.inputs #eval("1+1") #{ panic() }',
    "$ x^2 $ *bold* _emph_ `raw` = heading",
    "@ref <label> \\ ~ -- --- ... // comment /* x */",
    "\"quoted\" 'single' ] [ } { ) (",
    "{n} {total} {reference}",
]


@pytest.mark.parametrize("text", MARKUP)
def test_whatever_is_written_is_shown_letter_by_letter(text: str) -> None:
    everywhere = letter(f"Before.\n\n{text}\n\nAfter.", subject=text, complainant=text, bank_name=text)
    assert said(everywhere).count(squeezed(text)) >= 3
    assert "root:" not in said(everywhere)


def test_the_template_sees_no_more_of_the_disk_than_its_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    data = pdf._data("s", "b", "en", "r", DAY, "bank", None)
    for path in ("/etc/passwd", str(secret), "../pdf.py"):
        source = f'#read("{path}")'.encode()
        with pytest.raises(Exception, match=r"not found|escape"):
            pdf.typst.Compiler(
                input=source, root=pdf._FOLDER, font_paths=pdf.fonts(), sys_inputs={"letter": str(data)}
            ).compile(format="pdf")


def test_the_same_letter_is_the_same_to_the_byte() -> None:
    assert letter("Done.") == letter("Done.")
    assert letter("Done.") != letter("Done!")


def test_without_a_name_it_addresses_anybody() -> None:
    assert "DearCustomer," in said(letter("Dear {complainant},", complainant=None))
    assert "尊敬的客戶：" in said(letter("尊敬的{complainant}：", complainant=" ", language="zh-Hant"))
    assert addressed("尊敬的{complainant}：", None, "zh-Hans") == "尊敬的客户："
    assert addressed("Dear {complainant},", "A\nB", "en") == "Dear A B,", "a name is one line"


def test_an_address_stands_on_top_with_the_name() -> None:
    assert "ChanExample1ExampleRoadCentral" in said(letter("Done.", address="1 Example Road\r\n\nCentral"))


def test_a_long_letter_goes_on_and_keeps_its_end_together() -> None:
    body = "\n\n".join(["All of this is said at length. " * 12] * 14)
    pages = pages_of(letter(f"{body}\n\nYours sincerely,\n\nFor the bank\nCards"))
    assert len(pages) > 1
    assert pages[-1].count("Page") == 1
    assert f"Page{len(pages)}of{len(pages)}" in pages[-1]
    assert "Yourssincerely,Forthebank" in pages[-1]


def test_characters_that_no_font_holds_hold_up_no_letter() -> None:
    made = letter("Thank you 😀 \u0627\u0644")
    assert b"<pdfuaid:part>" not in made
    assert "Thankyou" in said(made)
    assert "ŁukaszŞΕλПр" in said(letter("Łukasz Ş Ελ Пр")), "those of Europe are no trouble"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["en", "zh-Hant", "zh-Hans"]))
def test_any_text_makes_a_letter(text: str, language: str) -> None:
    made = letter(text, subject=text, complainant=text, bank_name=text, address=text, language=language)
    assert made.startswith(b"%PDF-")


@pytest.mark.alone
def test_it_takes_far_less_than_a_second() -> None:
    render("Warm", "up", **TOLD, complainant=None)
    started = time.perf_counter()
    letter("\n\n".join(f"Paragraph {n} of a letter. 陳大文 " * 5 for n in range(30)))
    assert time.perf_counter() - started < 1


def test_a_body_is_paragraphs_and_lists() -> None:
    assert parts("One\nmore\n \nTwo:\n• a\n- b\nend\r\n\r\n\n\n*not a list") == (
        Part(("One", "more"), is_list=False),
        Part(("Two:",), is_list=False),
        Part(("a", "b"), is_list=True),
        Part(("end",), is_list=False),
        Part(("*not a list",), is_list=False),
    )
    assert parts(" \n\n ") == ()


def test_what_cannot_be_printed_is_left_out_and_what_is_too_long_may_break() -> None:
    assert clean("a\x00b\x07\u202ec\ud800d\te") == "abcd e"
    assert max(map(len, clean("x" * 500).split("\u200b"))) == 60
