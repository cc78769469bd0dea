"""Words by which the same matter is known in another language: what people complain to banks about, in English and in
Chinese of either script. Chinese is written in Simplified characters here and looked for in folded text.
"""

import re

_PAIRS = """
帳账 賬账 費费 錢钱 銀银 機机 櫃柜 臺台 檯台 轉转 匯汇 滙汇 貸贷 還还 樓楼 約约 違违 罰罚 證证 險险 單单 結结
餘余 額额 數数 據据 點点 電电 話话 線线 網网 碼码 號号 錄录 鎖锁 凍冻 戶户 開开 關关 銷销 換换 購购 買买 賣卖
優优 務务 員员 態态 惡恶 對对 說说 講讲 請请 謝谢 認认 識识 應应 該该 沒没 無无 過过 遲迟 誤误 錯错 報报 補补
償偿 賠赔 減减 負负 責责 財财 產产 資资 貨货 幣币 圓圆 萬万 億亿 兩两 雙双 複复 復复 覆复 個个 們们 這这 裡里
裏里 時时 間间 從从 來来 後后 當当 為为 與与 於于 會会 發发 現现 見见 聽听 問问 題题 處处 辦办 業业 經经 紀纪
總总 級级 種种 類类 條条 項项 內内 門门 進进 遠远 運运 選选 達达 遞递 郵邮 書书 寫写 讀读 簽签 蓋盖 驗验 確确
審审 權权 盜盗 騙骗 詐诈 騷骚 擾扰 廣广 訊讯 簡简 隱隐 洩泄 壞坏 鈔钞 紙纸 張张 卻却 讓让 給给 親亲 愛爱 歲岁
歸归 並并 較较 輕轻 軟软 體体 頭头 價价 儲储 續续 動动 勞劳 稅税 積积 獎奖 賞赏 禮礼 贈赠 遊游 國国 際际 區区
縣县 東东 灣湾 龍龙 島岛 廈厦 層层 場场 佔占 倉仓 傳传 債债 傷伤 倆俩 則则 剛刚 創创 劃划 團团 圖图 執执 墊垫
壓压 奪夺 媽妈 學学 實实 寶宝 將将 專专 尋寻 導导 屬属 幾几 庫库 彈弹 徑径 徵征 憑凭 懷怀 戲戏 擇择 擔担 擊击
擠挤 擬拟 攔拦 敗败 斷断 暫暂 檢检 決决 況况 溝沟 測测 滿满 漲涨 潛潜 濟济 災灾 煩烦 熱热 營营 爭争 狀状 獲获
環环 異异 監监 盡尽 礙碍 稱称 穩稳 窮穷 純纯 納纳 紅红 細细 終终 組组 絕绝 統统 維维 綜综 緊紧 編编 緩缓 縮缩
織织 繳缴 繼继 聯联 聲声 職职 舊旧 艙舱 華华 著着 術术 衛卫 裝装 規规 視视 觀观 觸触 訂订 計计 討讨 訓训 記记
訪访 設设 許许 訴诉 評评 試试 詢询 詳详 誠诚 誰谁 課课 調调 談谈 論论 諾诺 謊谎 議议 護护 變变 貝贝 貪贪 貴贵
貿贸 質质 贖赎 趕赶 跡迹 車车 軌轨 輪轮 輸输 辭辞 連连 週周 適适 邊边 鄭郑 醫医 釋释 針针 鈕钮 鋪铺 鎮镇 鐘钟
鐵铁 長长 閉闭 閱阅 陳陈 陽阳 隊队 階阶 離离 難难 雖虽 雜杂 靜静 響响 頁页 順顺 預预 領领 頻频 顧顾 風风 飛飞
飯饭 館馆 馬马 駐驻 騎骑 驚惊 髮发 鬧闹 鬆松 黃黄 齊齐 齡龄 讚赞 啟启 佈布 係系 兌兑 彙汇 損损 構构 殘残 滯滞
筆笔 糧粮 綫线 虧亏 蝕蚀 証证 釐厘 録录 閃闪 駡骂 傭佣
"""
FOLD = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
"""Traditional characters (and variants) to Simplified: no converter, only the same on both sides of a comparison."""

_LEXICON = """
card: credit card, debit card, visa, mastercard, plastic | 信用卡, 提款卡, 扣账卡, 借记卡, 银行卡, 储蓄卡, 签账卡
atm: atm, cash machine, cashpoint, cash dispenser | 柜员机, 提款机, 取款机, 自动柜, 自助机
swallow: swallow, kept my card, retain, ate my card | 吞卡, 吞了, 吃卡, 吃了, 卡被吞, 没退卡, 没有吐, 没吐
shortcash: short of cash, short by, less cash, dispensed less, missing notes | 少给, 少吐, 少出, 少了
withdraw: withdraw, took out cash, cash out | 提款, 取款, 取钱, 提现, 攞钱
transfer: transfer, remit, remittance, wire, swift, payee, beneficiary
  | 转账, 汇款, 电汇, 过数, 收款人, 转数快, 汇出, 汇给
notarrive: never arrived, not arrived, not received, has not reached, never reached, still missing, did not get,
  not credited
  | 未收到, 没收到, 没到账, 未到账, 收不到, 没有到, 还没到, 未入账, 没入账, 没有收到
delay: delay, late, slow, weeks, overdue by the bank, days later | 延误, 拖延, 迟, 很久, 好耐, 一直拖, 慢
twice: twice, two times, double, duplicate, second time
  | 两次, 重复, 双重, 扣多一次, 多扣一次, 扣了两, 再扣, 又扣, 两笔
charge: charged, charge, debited, deducted, billed | 扣款, 收费, 扣了, 被扣, 收取, 扣账, 收了, 扣走
fee: fee, fees, annual fee, handling charge, commission, service charge
  | 手续费, 年费, 服务费, 费用, 月费, 佣金, 管理费
waive: waive, waiver, free of charge, no fee | 豁免, 减免, 免费, 免年费, 免收, 不收
promise: promise, agreed, assured, told me that, was told | 承诺, 答应, 保证, 说好, 应承
interest: interest rate, interest, apr | 利率, 利息, 息率, 加息, 计息, 厘息
mortgage: mortgage, home loan, property loan | 按揭, 房贷, 楼按, 供楼, 住房贷款, 房屋贷款
loan: loan, borrow, instalment, installment | 贷款, 借款, 分期, 私人贷, 借钱
prepay: early repayment, prepay, repay early, pay off early, settle early, redemption
  | 提早还款, 提前还款, 提前还清, 提早清还, 一次还清, 赎回
penalty: penalty, late charge, fine | 罚款, 罚息, 违约金, 滞纳金, 罚
insurance: insurance, policy, premium, insurer | 保险, 保单, 保费, 储蓄险, 投保
fund: fund, investment, portfolio, unit trust, bond, wealth product | 基金, 投资, 理财产品, 债券, 理财, 结构性
missell: mis-sold, missold, misled, mislead, did not explain, never explained, talked into, pushed,
  without telling
  | 误导, 销售误, 没有解释, 没解释, 忽悠, 硬销, 推销, 没有说明, 没说明, 没讲
risk: risk, guaranteed, capital, principal, lost money, loss | 风险, 保本, 本金, 亏, 蚀, 损失
login: log in, login, sign in, password, otp, one-time | 登录, 登入, 密码, 验证码, 登陆, 一次性
app: app, mobile bank, online bank, internet bank, website
  | 手机银行, 网上银行, 应用程序, 网银, 程式, 软件, 手机程, 流动理财
crash: crash, error message, system error, not working, down, outage, blank screen, freezes
  | 故障, 死机, 系统, 闪退, 崩溃, 白屏, 出错, 用不了, 用唔到, 打不开, 无法使用
locked: locked, blocked, suspended, frozen, freeze, disabled | 冻结, 锁, 暂停, 停用, 封, 不能用
account: bank account, my account, savings account, current account | 账户, 户口, 账号, 存款户
staff: staff, teller, clerk, employee, manager, officer, cashier | 职员, 员工, 柜员, 经理, 店员, 柜台, 工作人员
rude: rude, impolite, shouted, attitude, disrespect, laughed at, insult, arrogant
  | 态度, 无礼, 不礼貌, 恶劣, 骂, 呼喝, 傲慢, 没礼貌, 嘲笑, 凶
queue: queue, waited, waiting, wait, in line, counters open | 排队, 等候, 等了, 轮候, 窗口, 等咗
hotline: hotline, call centre, call center, on hold, phone line, customer service line
  | 热线, 客服, 打不通, 接线, 打电话, 来电
spamcall: cold call, sales call, marketing call, telemarket, keep calling, unwanted call
  | 推广电话, 骚扰, 促销电话, 推销电话, 营销电话, 不停打
unauthorised: unauthorised, unauthorized, not mine, did not make, fraud, stolen, scam, never made,
  unknown transaction
  | 未经授权, 盗刷, 盗用, 诈骗, 不是我, 并非本人, 非本人, 骗, 不明交易
merchant: merchant, shop, store, online purchase, purchase, bought | 商户, 商家, 店, 网购, 购物, 消费, 购买
refund: refund, money back, reimburse, reverse | 退款, 退还, 退回, 退钱, 返还
cheque: cheque, check bounced, bounced | 支票, 退票, 弹票
statement: statement, e-statement, monthly bill | 月结单, 结单, 账单, 对账单
address: address, old address, posted to, moved house | 地址, 旧地址, 搬, 寄到, 寄去
privacy: personal data, privacy, leaked, someone else's, another customer
  | 隐私, 个人资料, 个人信息, 泄露, 泄漏, 其他客户, 别人的
deposit: time deposit, fixed deposit, term deposit, maturity, matured, rollover | 定期, 到期, 续存, 存期
exchange: exchange rate, foreign currency, conversion, forex | 汇率, 外币, 兑换, 汇价, 换汇, 结汇
reward: reward points, points, cashback, welcome gift, miles, gift | 积分, 回赠, 奖赏, 返现, 里数, 迎新, 礼品, 赠品
closing: close my account, close the account, closing, closed my | 销户, 取消户口, 关闭账户, 结束户口, 注销, 取消账户
document: document, form, paperwork, signature, signed, proof | 文件, 表格, 签名, 签署, 材料, 证明, 签字
salary: salary, wages, payroll | 工资, 薪, 粮, 人工
refuse: refused, refuse, rejected, declined, turned away, turned down | 拒绝, 不受理, 拒批, 不批, 拒收, 不肯, 被拒
credit_report: credit report, credit score, credit record, credit rating, credit bureau
  | 征信, 信贷报告, 信用记录, 信贷评级, 信贷记录
disabled_access: wheelchair, ramp, deaf, blind, elderly, disabled | 轮椅, 长者, 老人, 残疾, 视障, 听障, 无障碍
safebox: safe deposit box, safety box, locker | 保险箱, 保管箱
"""


def _terms() -> tuple[tuple[str, str], ...]:
    concept_of: dict[str, str] = {}
    for entry in re.split(r"\n(?! )", _LEXICON.strip()):  # an indented line goes on with the entry
        name, words = entry.split(": ", 1)
        for term in re.split(r"\s*[,|]\s*", words):
            concept_of.setdefault(f" {term}" if term.isascii() else term, name)
    return tuple(concept_of.items())


_TERMS = _terms()
_BETWEEN_WORDS = re.compile(r"[^a-z0-9'\u2e80-\uffff-]+")


def concepts(folded: str) -> frozenset[str]:
    """What `folded` (see FOLD; casefolded, narrow) speaks of: names of concepts. An English term is found where a word
    begins with it."""
    text = " " + _BETWEEN_WORDS.sub(" ", folded)
    return frozenset(name for term, name in _TERMS if term in text)
