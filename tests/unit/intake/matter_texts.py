"""How made-up persons tell of what went wrong: words for `generated_matters`, natively in three languages.

A telling is written as `core | more | more`: what is cut short keeps the core.
"""

# ruff: noqa: E501 (tellings read best in one line)

LANGUAGES = ("zh-Hant", "zh-Hans", "en")

# kind: (product, whether an amount belongs to it, {language: tellings})
KINDS: dict[str, tuple[str, bool, dict[str, tuple[str, ...]]]] = {
    "charged_twice": ("credit_card", True, {
        "en": (
            "My credit card was charged {amt} twice at {shop} | for a single purchase {on} | the second charge is still there",
            "{shop} took {amt} from my Visa two times {on} | I only bought one thing | please reverse the duplicate",
            "I see a duplicate transaction of {amt} on my card | the merchant {shop} says it is the bank's error | I want a refund",
        ),
        "zh-Hant": (
            "我張信用卡被{shop}重複扣款{amt} | {on}只簽了一次 | 第二筆至今未取消",
            "{on}在{shop}購物，同一筆{amt}扣了兩次 | 要求退回多扣的一筆",
            "信用卡月結單有兩筆{shop}的{amt} | 商戶說是銀行出錯 | 請盡快退款",
        ),
        "zh-Hans": (
            "我的信用卡在{shop}刷了一次，被扣了两笔{amt} | {on}的事 | 多扣的到现在没退",
            "{shop}一笔消费重复扣款{amt} | {on}只买了一件东西 | 请把多扣的退回来",
            "信用卡账单上{shop}的{amt}出现两次 | 商家说是你们系统的问题 | 要求退款",
        ),
    }),
    "atm_short": ("deposit", True, {
        "en": (
            "The ATM at {branch} dispensed less cash than I asked for, short by {amt} | {on} | my account was debited in full",
            "I withdrew money from the cash machine at {branch} and {amt} was missing | {on} | nobody at the counter would count the machine",
            "Cash machine did not pay out {amt} but deducted it | happened {on} at {branch}",
        ),
        "zh-Hant": (
            "{on}在{branch}的櫃員機提款，少吐了{amt} | 戶口卻照數扣足",
            "{branch}提款機少給{amt}現金 | {on} | 職員叫我等通知",
            "自動櫃員機沒有吐足鈔票，差{amt} | 地點是{branch}，{on}",
        ),
        "zh-Hans": (
            "{branch}的取款机少吐了{amt} | {on}取的 | 账户上却全扣了",
            "{on}在{branch}取钱，机器少给{amt} | 柜台说要等",
            "自动柜员机没吐够钱，少了{amt} | 在{branch}",
        ),
    }),
    "remit_late": ("remittance", True, {
        "en": (
            "My transfer of {amt} {on} has not reached the payee | it is more than a week now | the hotline only says wait",
            "I remitted {amt} abroad and the beneficiary never received it | sent {on} | where is my money",
            "A wire of {amt} is still missing | ordered at {branch} | tuition is due and the school is pressing",
        ),
        "zh-Hant": (
            "{on}匯出{amt}，收款人至今未收到 | 已過一星期 | 熱線只叫我等",
            "海外匯款{amt}一直沒有到賬 | 在{branch}辦理 | 錢到底在哪裡",
            "電匯{amt}失蹤了 | {on}匯的 | 學校不斷追學費",
        ),
        "zh-Hans": (
            "{on}汇出的{amt}，对方一直没收到 | 都一个多星期了 | 客服只会说等",
            "境外汇款{amt}没到账 | 在{branch}办的 | 钱去哪了",
            "电汇{amt}到现在未到账 | {on}汇的 | 学费等着用",
        ),
    }),
    "annual_fee": ("credit_card", True, {
        "en": (
            "I was billed an annual fee of {amt} although it was promised to be waived for life | {on} | please cancel it",
            "Your staff told me that the card has no fee, yet {amt} annual fee appeared | on the statement {on}",
            "Annual fee {amt} charged on my card | the hotline refused the waiver it had agreed to",
        ),
        "zh-Hant": (
            "信用卡說好永久免年費，{on}卻收了我{amt} | 請取消",
            "開卡時職員承諾豁免年費，結單上卻有年費{amt} | {on}",
            "被收年費{amt} | 之前熱線已答應減免 | 現在又不認",
        ),
        "zh-Hans": (
            "办卡时说终身免年费，{on}扣了我{amt}年费 | 请取消",
            "工作人员承诺免年费，账单上却收了{amt} | {on}",
            "信用卡被收年费{amt} | 客服之前答应减免 | 现在不认账",
        ),
    }),
    "mortgage_rate": ("mortgage", True, {
        "en": (
            "The interest rate on my mortgage is not what was agreed | my monthly payment rose by {amt} {on} | nobody wrote to me",
            "Home loan instalment went up {amt} without notice | the offer letter from {branch} says otherwise",
            "You raised my mortgage interest, costing me {amt} more | starting {on}",
        ),
        "zh-Hant": (
            "樓按利率與當初批核的不同 | {on}起每月多供{amt} | 沒有任何通知",
            "按揭供款突然加了{amt} | {branch}給我的批核信不是這樣寫",
            "無故調高我的按揭利息，要多付{amt} | {on}開始",
        ),
        "zh-Hans": (
            "房贷利率跟合同上写的不一样 | {on}起每月多还{amt} | 没有人通知我",
            "按揭月供突然多了{amt} | {branch}给的批复不是这样写的",
            "擅自上调我的房贷利息，多付了{amt} | 从{on}开始",
        ),
    }),
    "unauthorised": ("credit_card", True, {
        "en": (
            "There is a transaction of {amt} at {shop} that I did not make | {on} | the card never left my wallet",
            "Fraud on my card: {amt}, {shop} | I reported it {on} and was told to prove it",
            "Somebody used my card details at {shop} for {amt} | I never shared any OTP",
        ),
        "zh-Hant": (
            "信用卡有一筆{shop}的{amt}並非本人交易 | {on} | 卡一直在我手上",
            "我張卡被盜用，{shop}簽了{amt} | {on}報失，職員卻要我自己舉證",
            "有人在{shop}盜刷{amt} | 我從未提供一次性密碼",
        ),
        "zh-Hans": (
            "信用卡在{shop}被盗刷{amt} | {on} | 卡一直在我身上",
            "一笔{amt}的消费不是我做的，商户是{shop} | {on}挂失了，让我自己举证",
            "有人盗用我的卡在{shop}消费{amt} | 我没有给过任何人验证码",
        ),
    }),
    "prepay_penalty": ("loan", True, {
        "en": (
            "I paid off my personal loan early and was hit with a penalty of {amt} | {on} | the officer at {branch} said there would be none",
            "Early repayment charge {amt} was never mentioned when I signed the loan | I settled it {on}",
            "You fined me {amt} for repaying my loan early",
        ),
        "zh-Hant": (
            "提早還清私人貸款，竟被罰{amt} | {on} | {branch}職員當日說不用罰",
            "簽貸款時沒有說明提前還款要收{amt}手續費 | 我{on}清還",
            "貸款提早還款罰息{amt}不合理",
        ),
        "zh-Hans": (
            "提前还清贷款被收违约金{amt} | {on} | {branch}的经理说过不收",
            "签合同时没讲提前还款要罚{amt} | 我{on}还清的",
            "提前还贷罚了我{amt}，不合理",
        ),
    }),
    "fund_missold": ("fund", True, {
        "en": (
            "The relationship manager at {branch} sold me a fund as capital guaranteed and I lost {amt} | bought {on}",
            "I was misled into an investment whose risk nobody explained, loss so far {amt} | signed at {branch}",
            "Mis-sold unit trust, {amt} gone | I am retired and asked for a time deposit",
        ),
        "zh-Hant": (
            "{branch}的客戶經理說基金保本，結果蝕了{amt} | {on}買入",
            "職員沒有解釋風險就叫我買投資產品，虧損{amt} | 在{branch}簽的",
            "被誤導買基金，輸了{amt} | 我退休了，本來只想做定期",
        ),
        "zh-Hans": (
            "{branch}理财经理说基金保本，结果亏了{amt} | {on}买的",
            "没讲清楚风险就让我买理财产品，亏损{amt} | 在{branch}签的字",
            "被忽悠买了基金，亏{amt} | 我退休了，本来只想存定期",
        ),
    }),
    "rude_staff": ("service", False, {
        "en": (
            "The teller at {branch} was extremely rude to me | {on} | she laughed when I asked for help with the form",
            "I was shouted at by a member of staff in {branch} | {on} | in front of everyone",
            "Disrespectful attitude of the counter clerk at {branch} | I want an apology",
        ),
        "zh-Hant": (
            "{branch}櫃檯職員態度非常惡劣 | {on} | 我請她幫忙填表，她竟然嘲笑我",
            "{on}在{branch}被職員當眾呼喝 | 完全不尊重客戶",
            "{branch}的出納員無禮 | 要求道歉",
        ),
        "zh-Hans": (
            "{branch}柜台人员态度恶劣 | {on} | 我请她帮忙填表，她还嘲笑我",
            "{on}在{branch}被员工当众骂 | 太不尊重人",
            "{branch}柜员没礼貌 | 要求道歉",
        ),
    }),
    "queue": ("service", False, {
        "en": (
            "I waited almost two hours at {branch} | {on} | only one counter was open",
            "The queue in {branch} is unbearable | {on} I left without being served",
            "Endless waiting in line at {branch}, elderly people standing",
        ),
        "zh-Hant": (
            "{on}在{branch}排隊近兩小時 | 只開一個窗口",
            "{branch}輪候時間太長 | {on}等到要走",
            "{branch}排隊排到出街，長者都要企",
        ),
        "zh-Hans": (
            "{on}在{branch}排队将近两个小时 | 只开了一个窗口",
            "{branch}等候时间太长 | {on}等到走人",
            "{branch}排队排到门外，老人家都站着",
        ),
    }),
    "app_locked": ("digital", False, {
        "en": (
            "I cannot log in to mobile banking | {on} after the update | it says my password is locked",
            "The app crashes with an error message when I sign in | since {on}",
            "My online banking access is blocked and the OTP never comes | could not pay my bills",
        ),
        "zh-Hant": (
            "手機銀行登入不到 | {on}更新後 | 顯示密碼已鎖",
            "{on}開始手機程式一登入就閃退 | 出現錯誤訊息",
            "網上銀行被鎖，收不到驗證碼 | 無法繳費",
        ),
        "zh-Hans": (
            "手机银行登录不了 | {on}更新以后 | 提示密码被锁",
            "从{on}起手机程序一登录就闪退 | 提示系统出错",
            "网银被锁，收不到验证码 | 没法交费",
        ),
    }),
    "deposit_rolled": ("deposit", True, {
        "en": (
            "My time deposit was rolled over without my instruction, I lost {amt} interest | it matured {on}",
            "Fixed deposit renewed at a lower rate, {amt} less | I told {branch} to pay it out {on}",
            "Term deposit maturity instruction ignored | {amt} of interest gone",
        ),
        "zh-Hant": (
            "定期存款未經指示自動續存，少了{amt}利息 | {on}到期",
            "我叫{branch}到期不續，結果定期照續，蝕{amt}利息 | {on}",
            "定期到期指示被忽略 | 損失利息{amt}",
        ),
        "zh-Hans": (
            "定期存款没经我同意就自动续存，少了{amt}利息 | {on}到期",
            "跟{branch}说了到期不续，还是给续了，损失利息{amt} | {on}",
            "定期到期不按指示办理 | 少拿利息{amt}",
        ),
    }),
    "cheque": ("deposit", True, {
        "en": (
            "My cheque for {amt} was bounced although there was money in the account | {on} | I had to pay a fine to the landlord",
            "You returned a cheque of {amt} without reason | presented {on} at {branch}",
            "Bounced cheque, {amt}, signature said to differ | it is the same signature as ever",
        ),
        "zh-Hant": (
            "戶口有錢，{amt}的支票卻被退票 | {on} | 業主罰我錢",
            "無故退我{amt}支票 | {on}在{branch}存入",
            "支票{amt}彈票，說簽名不符 | 我的簽名從來沒有變",
        ),
        "zh-Hans": (
            "账户里有钱，{amt}的支票却被退票 | {on} | 房东罚了我钱",
            "无缘无故退我{amt}的支票 | {on}在{branch}存的",
            "支票{amt}被退，说签名不符 | 签名一直没变过",
        ),
    }),
    "frozen": ("deposit", False, {
        "en": (
            "My account was frozen without any explanation | {on} | salary is in it and I can't pay rent",
            "You suspended my account at {branch} and nobody says why | I gave all documents {on}",
            "Account blocked, the hotline transfers me round and round",
        ),
        "zh-Hant": (
            "戶口被凍結，沒有任何解釋 | {on} | 出糧都在裡面，交不到租",
            "{branch}暫停我的戶口，沒有人說原因 | {on}已交齊文件",
            "戶口被封，熱線把我轉來轉去",
        ),
        "zh-Hans": (
            "账户被冻结，没有任何解释 | {on} | 工资都在里面，付不了房租",
            "{branch}停用了我的账户，没人说原因 | {on}材料都交齐了",
            "账户被封，客服把我转来转去",
        ),
    }),
}  # fmt: skip

OPEN = {
    "en": (
        "",
        "",
        "Hello. ",
        "I wish to complain. ",
        "To whom it may concern: ",
        "Good morning, I am a customer of many years. ",
    ),
    "zh-Hant": ("", "", "你好，", "我要投訴。", "敬啟者：", "本人是貴行多年客戶。"),
    "zh-Hans": ("", "", "您好，", "我要投诉。", "尊敬的客服：", "本人是贵行多年客户。"),
}
CLOSE = {
    "en": (
        "",
        "",
        " Please reply soon.",
        " I am very disappointed.",
        " Otherwise I shall go to the regulator.",
        " Thank you.",
    ),
    "zh-Hant": ("", "", "請盡快回覆。", "非常失望。", "否則我會向金管局投訴。", "謝謝。"),
    "zh-Hans": ("", "", "请尽快回复。", "非常失望。", "否则我会向监管部门投诉。", "谢谢。"),
}
