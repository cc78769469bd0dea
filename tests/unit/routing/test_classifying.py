"""What kind of complaint it is: three languages, both scripts, and always an explanation."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.classifier import Facts, folding, load
from services.routing.classifier.characters import FOLD, FOLD_FILE
from services.routing.classifier.language import detect, normalise

RULEBOOK = load()
RULES = RULEBOOK.with_model(None)
CATEGORIES = ("information_security", "fees", "product", "channel", "service_quality", "other")

# Written for these tests, not taken from the rules: everyday wordings that the keywords must catch.
EXAMPLES = MappingProxyType(
    {
        "service_quality": {
            "zh-Hant": "櫃員服務態度惡劣，問多兩句就不耐煩，排隊排了成個鐘。",
            "zh-Hans": "柜员服务态度恶劣，多问两句就不耐烦，排队排了一个多小时。",
            "en": "The clerk was rude to me and I had queued for an hour before anybody spoke to me.",
        },
        "product": {
            "zh-Hant": "經理誤導我買這隻基金，沒有說明風險，現在贖回要蝕錢。",
            "zh-Hans": "客户经理误导我买这只基金，隐瞒风险，现在赎回要亏损。",
            "en": "I was misled about this fund: it was unsuitable for me and nobody explained the small print.",
        },
        "channel": {
            "zh-Hant": "手機銀行成日死機，登入不到，說系統故障。",
            "zh-Hans": "手机银行老是闪退，登不上，提示系统故障。",
            "en": "Your mobile app crashes every morning and I cannot log in; the website was down as well.",
        },
        "fees": {
            "zh-Hant": "你們不合理收費，年費說好豁免，結果照扣。",
            "zh-Hans": "你们乱收费，年费说好减免，结果照扣不误。",
            "en": "You charged me an annual fee that you had promised to waive, and a late fee on top.",
        },
        "information_security": {
            "zh-Hant": "我的信用卡被盜用，有一筆交易未經授權，懷疑個人資料外洩。",
            "zh-Hans": "我的信用卡被盗刷，有一笔未经授权的消费，怀疑个人信息泄露。",
            "en": "There is an unauthorised payment on my card and I fear that my personal data was leaked.",
        },
        "other": {
            "zh-Hant": "收數公司日日打電話追數，其實早已還清。",
            "zh-Hans": "催收公司天天打电话催债，其实早就还清了。",
            "en": "A debt collector rings every day about something that I have long paid off.",
        },
    }
)


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
@pytest.mark.parametrize("category", CATEGORIES)
def test_each_type_is_known_in_each_language_with_its_reasons(category: str, language: str) -> None:
    found = RULEBOOK.classify(EXAMPLES[category][language])

    assert found.category == category
    assert found.language == language
    assert found.confidence > 0.5
    deciding = [s for s in found.spoke if s.rule.category == category]
    assert deciding
    text = normalise(EXAMPLES[category][language])
    for one in deciding:
        assert all(normalise(word.rstrip("*")) in text for word in one.words)


@pytest.mark.parametrize(
    ("hant", "hans"),
    [
        ("職員態度惡劣", "职员态度恶劣"),
        ("無故被扣手續費", "无故被扣手续费"),
        ("戶口被盜用，騙徒轉走存款", "户口被盗用，骗徒转走存款"),
        ("系統癱瘓，無法登入", "系统瘫痪，无法登入"),
        ("理財產品虧損，經理誤導銷售", "理财产品亏损，经理误导销售"),
        ("輪椅進不去，斜道阻塞", "轮椅进不去，斜道阻塞"),
        ("我要找律師起訴，並向監管機構反映", "我要找律师起诉，并向监管机构反映"),
        ("長者，患重病，靠退休金", "长者，患重病，靠退休金"),
    ],
)
def test_both_scripts_of_one_wording_are_judged_alike(hant: str, hans: str) -> None:
    one, other = RULEBOOK.classify(hant), RULEBOOK.classify(hans)

    assert one.rule_ids == other.rule_ids != ()
    assert (one.category, one.severity, one.confidence) == (other.category, other.severity, other.confidence)
    assert (one.language, other.language) == ("zh-Hant", "zh-Hans")


def test_the_table_that_joins_the_scripts_is_what_opencc_makes() -> None:
    """Where a new OpenCC differs: write the file anew, and train the starter model on it."""
    assert folding.fold() == FOLD
    assert folding.written(FOLD) == FOLD_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "severity", "rule"),
    [
        ("My account was hacked and money is being transferred right now.", "critical", "sv-fraud-in-progress"),
        ("剛剛發現戶口被盜用，請立即凍結", "critical", "sv-fraud-in-progress"),
        ("刚刚发现账户被盗刷，请立即冻结", "critical", "sv-fraud-in-progress"),
        ("Because of you I want to end my life.", "critical", "sv-self-harm"),
        ("再這樣我就跳樓", "critical", "sv-self-harm"),
        ("客户经理伪造签名挪用我的存款", "critical", "sv-misconduct"),
        ("The manager forged my signature.", "critical", "sv-misconduct"),
        ("I will write to the ombudsman.", "high", "sv-regulator"),
        ("不处理我就打12378找金融监管总局", "high", "sv-regulator"),
        ("我會將事件交給記者和傳媒", "high", "sv-media"),
        ("我的律师会起诉你们", "high", "sv-legal"),
        ("My mother is elderly and has dementia.", "high", "sv-vulnerable"),
        ("Why is the interest on my savings account paid so late in the month?", "normal", None),
        ("只想反映一個小意見", "low", "sv-mild"),
    ],
)
def test_how_grave_it_is(text: str, severity: str, rule: str | None) -> None:
    found = RULEBOOK.classify(text)

    assert found.severity == severity
    assert rule is None or rule in found.rule_ids


def test_urgency_alone_is_no_fraud() -> None:
    assert "sv-fraud-in-progress" not in RULEBOOK.classify("Please block my card right now, I lost patience.").rule_ids


def test_a_complaint_sent_on_by_the_regulator_is_grave_whatever_it_says() -> None:
    found = RULEBOOK.classify("The branch closed early.", Facts(channel="regulator"))

    assert found.severity == "high"
    assert ("channel=regulator",) in [s.words for s in found.spoke]


@pytest.mark.parametrize("text", ["", "   ", "?!", "4711", "Xyzzy plugh.", "嗯嗯", "\u200b", "🙂" * 500])
def test_where_no_rule_speaks_it_is_other_without_confidence(text: str) -> None:
    found = RULEBOOK.classify(text)

    assert (found.category, found.severity, found.confidence, found.spoke) == ("other", "normal", 0.0, ())


@pytest.mark.parametrize(
    "innocent",
    [
        "The feedback was feeble.",  # fee
        "A scampering courtyard cat attached itself to Sue's Hatmaker.",  # scam, atm, court
        "年輕生活的建築",  # 輕生
        "人行道很乾淨",  # 人行, the central bank
        "我有一張航空聯名信用卡",  # 聯名
        "最低保障額",  # 低保
    ],
)
def test_a_keyword_within_another_word_is_not_heard(innocent: str) -> None:
    rules = RULEBOOK.classify(innocent).rule_ids
    assert not {"fe-charged", "is-fraud", "ch-machine", "sv-self-harm", "sv-many", "sv-vulnerable"} & set(rules)
    assert "sv-regulator" not in rules


@pytest.mark.parametrize(
    "text",
    [
        "ＡＴＭ　out of order",  # full width
        "The A.T.M.? No: the ATM, out-of-order again.",
        "the atm\nis out\nof order",
        "THE ATM WAS OUT OF ORDER",
    ],
)
def test_width_case_and_line_breaks_do_not_hide_a_keyword(text: str) -> None:
    assert "ch-machine" in RULEBOOK.classify(text).rule_ids


def test_a_wrapped_chinese_line_reads_like_a_typed_one() -> None:
    assert "sq-attitude" in RULEBOOK.classify("職員態\n度 惡劣").rule_ids


def test_more_weight_for_the_winner_means_more_confidence_and_a_rival_means_less() -> None:
    lone = RULES.classify("late fee")
    sure = RULES.classify("hidden fees and a late fee")
    torn = RULES.classify("late fee; the clerk was rude")

    assert torn.confidence < lone.confidence < sure.confidence < 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我的轉數快轉賬到了哪裏", "zh-Hant"),
        ("我的转账到哪里了", "zh-Hans"),
        ("Where is my transfer?", "en"),
        ("我用 iPhone 的 app 做 transfer 失敗", "zh-Hant"),
        ("The app shows 轉賬 and 结余 and nothing else that I can read", "en"),
        ("大小多少", "zh-Hant"),  # nothing tells: the desk's first language
        ("12345 !!", None),
    ],
)
def test_language_and_script_are_told_apart(text: str, language: str | None) -> None:
    assert detect(text) == language


def test_a_language_that_was_sent_is_believed() -> None:
    assert RULEBOOK.classify("我的转账到哪里了", Facts(language="zh-Hant")).language == "zh-Hant"


@pytest.mark.parametrize(
    ("sent", "text", "product"),
    [
        ("credit_card", "my mortgage", "credit_card"),
        ("Credit Card", "", "credit_card"),
        ("Checking or savings account", "", "deposit"),
        ("CREDIT-CARD", "", "credit_card"),
        ("something new", "my mortgage is wrong", "mortgage"),
        (None, "房贷利率太高，按揭合同", "mortgage"),
        (None, "no product named", None),
    ],
)
def test_the_product_is_the_one_sent_if_known_else_the_one_named(sent: str | None, text: str, product: str) -> None:
    assert RULEBOOK.classify(text, Facts(product=sent)).product == product


def test_the_product_comes_with_its_reason() -> None:
    assert RULEBOOK.classify("my mortgage", Facts(product="credit_card")).product_reason == "sent with the complaint"
    assert RULES.classify("my mortgage is wrong").product_reason == "words: mortgage*"
    by_model = RULEBOOK.classify("The late fee on my credit card statement is wrong.")
    assert (by_model.product, str(by_model.product_reason)[:9]) == ("credit_card", "model: 0.")
    assert RULEBOOK.classify("Xyzzy plugh").product_reason is None


@given(st.text(max_size=400), st.none() | st.text(max_size=20), st.none() | st.text(max_size=10))
def test_any_text_gets_a_type_a_severity_and_one_department(
    text: str, product: str | None, channel: str | None
) -> None:
    facts = Facts(product=product, channel=channel)
    found = RULEBOOK.classify(text, facts)
    routing = RULEBOOK.route(found, facts)

    assert found.category in CATEGORIES
    assert found.severity in ("low", "normal", "high", "critical")
    assert 0 <= found.confidence < 1
    assert routing.department in RULEBOOK.departments
    assert routing == RULEBOOK.route(RULEBOOK.classify(text, facts), facts)


fragments = st.lists(
    st.sampled_from([w for r in RULEBOOK.registers.rules.rule for words in r.keywords.values() for w in words]),
    max_size=6,
)


@given(fragments)
def test_words_of_the_rules_make_only_their_own_rules_speak(words: list[str]) -> None:
    text = "。".join(w.rstrip("*") for w in words)
    for one in RULEBOOK.classify(text).spoke:
        authored = {normalise(w) for ws in one.rule.keywords.values() for w in ws}
        assert {normalise(w) for w in one.words} <= authored
        plain = normalise(text).replace("-", " ")
        assert all(normalise(w.rstrip("*")).replace("-", " ") in plain for w in one.words)
