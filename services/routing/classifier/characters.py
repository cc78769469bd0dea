"""Characters that Traditional and Simplified Chinese write differently.

They serve two ends: to tell the script of a text, and to bring both scripts to one form before keywords are looked for
and features are counted. For that second end a conversion need not be right in every word, only the same on both sides,
so it goes character by character and also joins variants (帳賬账帐, 裏裡里, 覆復复). `FOLD` is OpenCC's table of all
ideographs, with the variants of everyday and banking language in `_PAIRS` on top.
"""

from itertools import chain

from opencc import OpenCC

_PAIRS = """
愛爱 礙碍 骯肮 罷罢 擺摆 敗败 頒颁 辦办 幫帮 綁绑 鎊镑 謗谤 飽饱 寶宝 報报 輩辈 貝贝 備备 憊惫 繃绷 筆笔 畢毕 斃毙
幣币 閉闭 邊边 編编 貶贬 變变 辯辩 辮辫 標标 別别 瀕濒 濱滨 賓宾 擯摈 餅饼 撥拨 駁驳 補补 財财 參参 殘残 慚惭 慘惨
燦灿 蒼苍 艙舱 倉仓 滄沧 廁厕 側侧 冊册 測测 層层 詫诧 攙搀 摻掺 饞馋 讒谗 纏缠 鏟铲 產产 闡阐 顫颤 場场 嘗尝 長长
償偿 腸肠 廠厂 暢畅 鈔钞 車车 徹彻 塵尘 陳陈 襯衬 撐撑 稱称 懲惩 誠诚 騁骋 癡痴 遲迟 馳驰 恥耻 齒齿 熾炽 蟲虫 寵宠
疇畴 躊踌 籌筹 醜丑 雛雏 礎础 儲储 觸触 處处 傳传 闖闯 創创 錘锤 純纯 綽绰 辭辞 詞词 賜赐 聰聪 蔥葱 從从 叢丛 湊凑
竄窜 錯错 達达 帶带 貸贷 擔担 單单 膽胆 誕诞 彈弹 當当 擋挡 黨党 蕩荡 檔档 搗捣 島岛 導导 盜盗 燈灯 鄧邓 敵敌 滌涤
遞递 締缔 顛颠 點点 墊垫 電电 澱淀 釣钓 調调 疊叠 釘钉 頂顶 錠锭 訂订 丟丢 東东 動动 棟栋 凍冻 獨独 讀读 賭赌 斷断
兌兑 隊队 對对 噸吨 頓顿 鈍钝 奪夺 墮堕 額额 訛讹 惡恶 餓饿 兒儿 爾尔 餌饵 貳贰 發发 罰罚 閥阀 煩烦 範范 販贩 飯饭
訪访 紡纺 飛飞 誹诽 廢废 費费 紛纷 墳坟 奮奋 憤愤 糞粪 豐丰 楓枫 鋒锋 風风 瘋疯 馮冯 縫缝 諷讽 鳳凤 膚肤 輻辐 撫抚
輔辅 賦赋 負负 婦妇 縛缚 該该 蓋盖 幹干 趕赶 岡冈 剛刚 鋼钢 綱纲 崗岗 擱搁 閣阁 個个 給给 龔龚 宮宫 鞏巩 貢贡 鉤钩
溝沟 構构 購购 夠够 顧顾 颳刮 關关 觀观 館馆 慣惯 貫贯 廣广 規规 龜龟 閨闺 軌轨 詭诡 櫃柜 貴贵 劊刽 滾滚 鍋锅 國国
過过 駭骇 韓韩 漢汉 號号 閡阂 賀贺 橫横 轟轰 鴻鸿 紅红 壺壶 護护 滬沪 戶户 嘩哗 華华 畫画 劃划 話话 懷怀 壞坏 歡欢
環环 還还 緩缓 換换 喚唤 黃黄 謊谎 揮挥 輝辉 毀毁 賄贿 穢秽 會会 燴烩 匯汇 諱讳 誨诲 繪绘 葷荤 渾浑 獲获 貨货 禍祸
擊击 機机 積积 饑饥 跡迹 譏讥 雞鸡 績绩 緝缉 極极 輯辑 級级 擠挤 劑剂 濟济 計计 記记 際际 繼继 紀纪 夾夹 賈贾 價价
駕驾 殲歼 監监 堅坚 間间 艱艰 檢检 鹼碱 揀拣 撿捡 簡简 儉俭 減减 薦荐 檻槛 鑒鉴 踐践 賤贱 見见 鍵键 艦舰 劍剑 餞饯
漸渐 濺溅 澗涧 漿浆 蔣蒋 槳桨 獎奖 講讲 醬酱 膠胶 澆浇 驕骄 嬌娇 攪搅 鉸铰 矯矫 僥侥 腳脚 餃饺 繳缴 絞绞 轎轿 較较
階阶 節节 驚惊 經经 頸颈 靜静 鏡镜 徑径 競竞 淨净 糾纠 舊旧 駒驹 舉举 據据 懼惧 劇剧 絹绢 傑杰 潔洁 結结 誡诫 屆届
緊紧 錦锦 僅仅 謹谨 進进 晉晋 燼烬 盡尽 勁劲 荊荆 覺觉 決决 訣诀 絕绝 軍军 駿骏 開开 凱凯 顆颗 殼壳 課课 墾垦 懇恳
摳抠 庫库 褲裤 誇夸 塊块 儈侩 寬宽 礦矿 曠旷 況况 虧亏 窺窥 饋馈 潰溃 擴扩 闊阔 臘腊 萊莱 來来 賴赖 藍蓝 欄栏 攔拦
籃篮 闌阑 蘭兰 瀾澜 攬揽 覽览 懶懒 纜缆 爛烂 濫滥 撈捞 勞劳 澇涝 樂乐 壘垒 類类 淚泪 離离 裡里 禮礼 麗丽 厲厉 勵励
礫砾 歷历 瀝沥 隸隶 倆俩 聯联 蓮莲 連连 鐮镰 憐怜 漣涟 簾帘 斂敛 臉脸 鏈链 戀恋 煉炼 練练 糧粮 涼凉 兩两 輛辆 諒谅
療疗 遼辽 鐐镣 獵猎 臨临 鄰邻 賃赁 齡龄 鈴铃 靈灵 嶺岭 領领 餾馏 劉刘 龍龙 聾聋 嚨咙 籠笼 壟垄 攏拢 樓楼 婁娄 摟搂
盧卢 廬庐 爐炉 擄掳 滷卤 虜虏 魯鲁 賂赂 祿禄 錄录 陸陆 呂吕 侶侣 屢屡 縷缕 慮虑 濾滤 綠绿 亂乱 掄抡 輪轮 倫伦 侖仑
淪沦 綸纶 論论 羅罗 邏逻 鑼锣 絡络 媽妈 瑪玛 碼码 螞蚂 馬马 罵骂 嗎吗 買买 麥麦 賣卖 邁迈 脈脉 瞞瞒 饅馒 蠻蛮 滿满
謾谩 貓猫 錨锚 貿贸 麼么 黴霉 沒没 門门 悶闷 們们 夢梦 謎谜 彌弥 覓觅 綿绵 廟庙 滅灭 憫悯 閩闽 鳴鸣 銘铭 謬谬 謀谋
畝亩 納纳 難难 撓挠 腦脑 惱恼 鬧闹 餒馁 內内 擬拟 膩腻 攆撵 釀酿 鳥鸟 聶聂 齧啮 檸柠 獰狞 寧宁 擰拧 濘泞 鈕钮 紐纽
濃浓 農农 諾诺 歐欧 毆殴 嘔呕 漚沤 盤盘 龐庞 賠赔 噴喷 鵬鹏 騙骗 飄飘 頻频 貧贫 蘋苹 憑凭 評评 潑泼 頗颇 撲扑 鋪铺
譜谱 臍脐 齊齐 騎骑 豈岂 啟启 氣气 棄弃 訖讫 牽牵 鉛铅 遷迁 簽签 謙谦 錢钱 潛潜 淺浅 譴谴 塹堑 槍枪 嗆呛 牆墙 強强
搶抢 橋桥 喬乔 僑侨 翹翘 竅窍 竊窃 欽钦 親亲 寢寝 輕轻 傾倾 頃顷 請请 慶庆 窮穷 趨趋 區区 軀躯 驅驱 權权 勸劝 卻却
確确 讓让 饒饶 擾扰 繞绕 熱热 韌韧 認认 紉纫 榮荣 軟软 銳锐 閏闰 潤润 灑洒 薩萨 賽赛 傘伞 喪丧 騷骚 掃扫 澀涩 殺杀
篩筛 曬晒 閃闪 陝陕 贍赡 繕缮 傷伤 賞赏 燒烧 紹绍 賒赊 攝摄 懾慑 設设 紳绅 審审 嬸婶 腎肾 滲渗 聲声 繩绳 勝胜 聖圣
師师 獅狮 濕湿 詩诗 屍尸 時时 蝕蚀 實实 識识 駛驶 勢势 適适 釋释 飾饰 視视 試试 壽寿 獸兽 樞枢 輸输 書书 贖赎 屬属
數数 樹树 豎竖 帥帅 雙双 誰谁 稅税 順顺 說说 碩硕 爍烁 絲丝 飼饲 聳耸 慫怂 頌颂 訟讼 誦诵 擻擞 蘇苏 訴诉 肅肃 雖虽
隨随 綏绥 歲岁 孫孙 損损 筍笋 縮缩 瑣琐 鎖锁 撻挞 態态 攤摊 貪贪 癱瘫 灘滩 譚谭 談谈 嘆叹 歎叹 湯汤 燙烫 濤涛 縧绦
討讨 騰腾 謄誊 題题 體体 條条 貼贴 鐵铁 廳厅 聽听 銅铜 統统 頭头 禿秃 圖图 塗涂 團团 頹颓 蛻蜕 脫脱 橢椭 窪洼 襪袜
彎弯 灣湾 頑顽 萬万 網网 韋韦 違违 圍围 為为 爲为 維维 偉伟 偽伪 緯纬 謂谓 衛卫 溫温 聞闻 紋纹 穩稳 問问 蝸蜗 渦涡
窩窝 臥卧 嗚呜 烏乌 誣诬 無无 吳吴 塢坞 霧雾 務务 誤误 犧牺 襲袭 習习 戲戏 細细 轄辖 俠侠 狹狭 廈厦 嚇吓 鮮鲜 纖纤
賢贤 銜衔 閒闲 閑闲 顯显 險险 現现 獻献 縣县 餡馅 羨羡 憲宪 線线 綫线 廂厢 鑲镶 鄉乡 詳详 響响 項项 蕭萧 囂嚣 銷销
曉晓 嘯啸 協协 挾挟 攜携 脅胁 諧谐 寫写 瀉泻 謝谢 釁衅 興兴 洶汹 鏽锈 繡绣 虛虚 噓嘘 須须 許许 敘叙 緒绪 續续 軒轩
懸悬 選选 學学 勳勋 詢询 尋寻 馴驯 訓训 訊讯 遜逊 壓压 啞哑 亞亚 訝讶 閹阉 煙烟 鹽盐 嚴严 顏颜 閻阎 豔艳 艷艳 厭厌
硯砚 彥彦 驗验 楊杨 揚扬 陽阳 癢痒 養养 樣样 瑤瑶 搖摇 堯尧 遙遥 謠谣 藥药 爺爷 頁页 業业 葉叶 醫医 遺遗 儀仪 藝艺
億亿 憶忆 義义 詣诣 議议 誼谊 譯译 異异 繹绎 蔭荫 陰阴 銀银 飲饮 隱隐 櫻樱 嬰婴 鷹鹰 應应 纓缨 瑩莹 營营 熒荧 贏赢
穎颖 喲哟 擁拥 傭佣 踴踊 詠咏 湧涌 優优 憂忧 郵邮 猶犹 誘诱 輿舆 魚鱼 漁渔 娛娱 與与 語语 籲吁 獄狱 譽誉 預预 馭驭
淵渊 轅辕 園园 員员 圓圆 緣缘 遠远 願愿 約约 躍跃 鑰钥 嶽岳 粵粤 悅悦 閱阅 勻匀 隕陨 運运 蘊蕴 醞酝 暈晕 韻韵 雜杂
災灾 載载 攢攒 暫暂 贊赞 讚赞 臟脏 髒脏 鑿凿 棗枣 責责 擇择 則则 澤泽 賊贼 贈赠 軋轧 閘闸 柵栅 詐诈 齋斋 債债 盞盏
斬斩 輾辗 棧栈 戰战 綻绽 張张 漲涨 帳账 賬账 脹胀 趙赵 轍辙 這这 貞贞 針针 偵侦 診诊 鎮镇 陣阵 掙挣 睜睁 猙狰 爭争
幀帧 鄭郑 證证 証证 織织 職职 執执 紙纸 摯挚 擲掷 幟帜 質质 滯滞 鐘钟 鍾钟 終终 種种 腫肿 眾众 軸轴 皺皱 晝昼 驟骤
豬猪 諸诸 燭烛 矚瞩 囑嘱 貯贮 鑄铸 築筑 駐驻 專专 磚砖 轉转 賺赚 樁桩 莊庄 裝装 妝妆 壯壮 狀状 錐锥 贅赘 墜坠 綴缀
濁浊 茲兹 資资 漬渍 蹤踪 綜综 總总 縱纵 鄒邹 詛诅 組组 鑽钻 縐绉 廚厨 龕龛 佈布 併并 並并 僱雇 儘尽 剎刹 劵券 卹恤
嚐尝 嚮向 囉啰 夥伙 妳你 峯峰 崙仑 嵐岚 幾几 復复 複复 悽凄 慟恸 搥捶 搾榨 摑掴 擷撷 枴拐 柺拐 檯台 櫥橱 氾泛 汙污
洩泄 淒凄 滙汇 瀋沈 甦苏 痺痹 癮瘾 皚皑 盃杯 睏困 禦御 稟禀 穫获 竈灶 糰团 紮扎 綑捆 綵彩 緻致 繫系 係系 羈羁 蒞莅
蔘参 薑姜 術术 衝冲 衹只 製制 覈核 誌志 諮咨 譁哗 賑赈 賸剩 蹟迹 躪躏 輓挽 迴回 逕径 週周 遊游 釐厘 鉅巨 銹锈 錶表
鍊链 閙闹 陞升 隻只 雲云 靚靓 鞦秋 飢饥 駡骂 鬆松 鬍胡 鬚须 鬥斗 鬱郁 麵面 麽么 黏粘 齣出 裏里 徵征 捨舍 採采 準准
瞭了 穀谷 籤签 臺台 舖铺 葯药 藉借 託托 註注 贓赃 鈎钩 録录 鑑鉴 餘余 髮发 鹹咸 著着 覆复 於于 後后 乾干 祇只 佔占
傢家 噁恶 慾欲 昇升 甯宁 粧妆 紥扎 脣唇 蒐搜 迺乃 帐账 姊姐 纔才 摺折 闆板 樸朴 兇凶 餵喂 癥症 纍累 闢辟 剋克 捲卷
颱台 彙汇 刪删 歸归 掛挂 將将 剝剥 拋抛 恆恒 祕秘 奧奥 樑梁 諜谍 諭谕 諦谛 曆历 尷尴 嬤嬷 瘓痪 癒愈 釦扣 喫吃 桿杆
慄栗 閂闩 絆绊 詆诋 貽贻 吶呐 黷黩 僕仆 鑾銮 匱匮 懺忏 贗赝 噹当 瀏浏 廝厮 嘮唠 槓杠 銬铐 諉诿 誅诛 瘡疮 駝驼 壇坛
鴉鸦 賁贲 綺绮 謁谒 詮诠 彆别 盪荡 燬毁 牴抵 姦奸 汎泛 勛勋 沖冲 彿佛 菸烟 簫箫 貲赀 銓铨 絨绒 鎂镁 驛驿 霽霁 鶴鹤
籬篱 蝦虾 鵝鹅 揹背 像象 俱具 座坐
"""

SIMPLIFIED = {pair[0]: pair[1] for pair in _PAIRS.split()}
"""Traditional (or variant) character -> the Simplified one, of what is met every day."""

_IDEOGRAPHS = [chr(code) for code in chain(range(0x3400, 0x4DC0), range(0x4E00, 0xA000))]
_STEPS = ("hk2s", "tw2s", "t2s")
_SIMPLER = ("s2t", "s2hk", "s2tw")


def _fold() -> dict[str, str]:
    """Ideograph -> the one that stands for all its variants. Whatever OpenCC makes of a character in either direction
    joins the two, so that a text and its conversion fold to the same."""
    parent: dict[str, str] = {}

    def root(c: str) -> str:
        while (up := parent.get(c, c)) != c:
            c = up
        return c

    pairs = list(SIMPLIFIED.items())
    for name in (*_STEPS, *_SIMPLER):
        lines = OpenCC(name).convert("\n".join(_IDEOGRAPHS)).split("\n")
        new = [(a, b) for a, b in zip(_IDEOGRAPHS, lines, strict=True) if a != b and len(b) == 1]
        pairs += new if name in _STEPS else [(b, a) for a, b in new]
    for variant, plain in pairs:
        one, other = root(variant), root(plain)
        if one != other:
            parent[one] = other
    common = {root(plain): plain for plain in SIMPLIFIED.values()}
    return {c: stands for c in {*parent, *common} if (stands := common.get(root(c), root(c))) != c}


FOLD = _fold()
"""Ideograph -> its representative; what is missing stands for itself."""


def _in(character: str, charset: str) -> bool:
    try:
        code = character.encode(charset)
    except UnicodeEncodeError:
        return False
    return charset != "big5" or code[0] <= 0xC6  # above: Big5's second level, rare characters


# A half that the other script also uses (乾 in 乾坤, 后 in 皇后) is no evidence: the two scripts' own charsets tell.
TRADITIONAL_ONLY = frozenset(c for c in SIMPLIFIED if not _in(c, "gb2312"))
SIMPLIFIED_ONLY = frozenset(c for c in SIMPLIFIED.values() if not _in(c, "big5"))
