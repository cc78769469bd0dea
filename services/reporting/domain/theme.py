"""New themes: terms that stand in more of the recent complaints than chance explains, put together where they tell of
the same thing. Pure.

A term is a word or two words in a row of a Latin script, or two to four Chinese characters in a row; in how many
complaints of each day it stands is all that need be kept. Recent days are compared with earlier ones by Fisher's exact
test, one-sided (the hypergeometric distribution: right for rare terms, where the chi-squared and the log-likelihood
ratio of Dunning, Accurate methods for the statistics of surprise and coincidence, Comput Linguist 19, 1993, are only
near), with the level divided by the number of terms that had a chance to be found (Tarone, A modified Bonferroni method
for discrete data, Biometrics 46, 1990: a term too rare ever to reach the level counts for nothing).
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

_PLACEHOLDER = re.compile(r"\[[A-Za-z_ ]{1,24}\]|\{\$?[\d.,]*\}|[Xx]{2,}(?:[/-][Xx\d]{2,})*|https?://\S+|&[a-z]+;")
"""What redaction leaves in the place of personal data: `[phone]` (shared/redaction.py), `XXXX`, `XX/XX/2024` and
`{$100.00}` (the narratives that the CFPB publishes); and what is no language."""
_RUN = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff]+|[^\\W\\d_\u3400-\u4dbf\u4e00-\u9fff]+(?:['’-][^\\W\\d_\u3400-\u9fff]+)*"
)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_GAP = re.compile(r"[ \t\u00a0]{1,3}")
_LONGEST_TEXT = 20_000
_LONGEST_WORD = 30
_LONGEST_HAN = 4

# Words that by themselves say nothing of a complaint; a bigram neither begins nor ends with one.
_STOP_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a about above after again against all also am an and any are aren't as at be because been before being below
        between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each
        even ever few for from further get got had hadn't has hasn't have haven't having he her here hers herself him
        himself his how i i'd i'll i'm i've if in into is isn't it it's its itself just let me more most my myself no
        nor not now of off on once only or other our ours ourselves out over own said same say says she should
        shouldn't so some still such than that that's the their theirs them themselves then there these they they're
        this those through to too under until up us very was wasn't we we're we've were weren't what when where which
        while who whom why will with won't would wouldn't yet you you're your yours yourself""",
    )
)
# Characters (folded to Simplified) with which no term begins or ends, and of which one with only two has none.
_STOP_HAN = frozenset(
    "的了是我你您他她它们这那此其之和与及或而且也都就还又很太更最在于对从到被把向为因由所以如若则但却虽才吗呢吧啊呀么"
    "什怎哪个些已将会能可要有没不无未请让给使令一二三四五六七八九十百千万年月日时分元每次去来说着过得地上下里中"
)


@dataclass(frozen=True, slots=True)
class Sought:
    """What makes a theme. `level`: how probable it may be that anything at all is found by chance. `support`: recent
    complaints in which a term must stand. `lift`: how many times as often as before it must stand at least. `alike`:
    the share of their complaints (intersection over union) from which two terms are one theme."""

    level: float = 0.01
    support: int = 5
    lift: float = 2.0
    alike: float = 0.5


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme that rises. `term`: the one that stands for it; `terms`: all that were put together, that one first.

    In `recent` of `recent_of` recent complaints the term stands, before in `base` of `base_of`. `lift`: how many times
    as often (a half is added to both counts, so that a new term has a finite one). `p`: how probable that is by chance,
    times the number of terms that had a chance.
    """

    term: str
    terms: tuple[str, ...]
    recent: int
    recent_of: int
    base: int
    base_of: int
    lift: float
    p: float


class WrongCount(ValueError):
    """A term is counted in more complaints than there are, or in fewer than none."""


def terms(text: str) -> frozenset[str]:
    """The terms of a redacted narrative: in lower case, Traditional Chinese folded to Simplified, so that both count as
    one; without placeholders, numbers and words that say nothing. Of very long texts the first 20,000 characters."""
    text = text[:_LONGEST_TEXT]
    if _HAN.search(text):
        text = text.translate(_fold())
    text = _PLACEHOLDER.sub(" | ", text).lower().replace("’", "'")
    found: set[str] = set()
    before, end = "", -1
    for match in _RUN.finditer(text):
        run = match[0]
        if _HAN.match(run):
            found.update(_of_han(run))
            before = ""
            continue
        telling = len(run) > 2 and run not in _STOP_WORDS and len(run) <= _LONGEST_WORD
        if telling:
            found.add(run)
            if before and _GAP.fullmatch(text, end, match.start()):
                found.add(f"{before} {run}")
        before, end = run if telling else "", match.end()
    return frozenset(found)


def rising(
    recent: Mapping[str, int],
    recent_of: int,
    base: Mapping[str, int],
    base_of: int,
    *,
    documents: Sequence[Collection[str]] = (),
    sought: Sought = Sought(),
) -> tuple[Theme, ...]:
    """Themes of `recent_of` recent complaints, the surest first. `recent` and `base` say of each term in how many
    complaints it stands, recently and in the `base_of` complaints before; a term without a count is in none.

    `documents`: the terms of recent complaints, all or a sample, by which terms that stand in the same ones are put
    together; without them only terms that overlap as written are. Raises WrongCount.
    """
    from scipy import stats

    for counts, of in ((recent, recent_of), (base, base_of)):
        if of < 0 or any(not 0 <= count <= of for count in counts.values()):
            raise WrongCount
    if not recent_of or not base_of:
        return ()
    every = recent_of + base_of
    # The least p that the margins allow: all complaints with the term are recent ones.
    total = {term: count + base.get(term, 0) for term, count in recent.items()}
    for term, count in base.items():
        total.setdefault(term, count)
    common = [count for count in total.values() if count >= sought.support]
    sizes = sorted(set(common))
    least = stats.hypergeom.sf([min(size, recent_of) - 1 for size in sizes], every, sizes, [recent_of] * len(sizes))
    possible = dict(zip(sizes, map(float, least), strict=True))
    tests = _tests(sorted(possible[size] for size in common), sought.level)
    rate = recent_of / base_of
    tried = [
        term
        for term, count in recent.items()
        if count >= sought.support and count + 0.5 >= sought.lift * rate * (base.get(term, 0) + 0.5)
    ]
    if not tried or not tests:
        return ()
    p = stats.hypergeom.sf(
        [recent[term] - 1 for term in tried], every, [total[term] for term in tried], [recent_of] * len(tried)
    )
    ranked = sorted(zip(map(float, p), tried, strict=True), key=lambda pair: (pair[0], -len(pair[1]), pair[1]))
    sure = {term: chance * tests for chance, term in ranked if chance * tests <= sought.level}
    groups = _grouped(list(sure), recent, documents, sought.alike)
    return tuple(_theme(group, sure, recent, recent_of, base, base_of) for group in groups)


def _tests(least: Sequence[float], level: float) -> int:
    """Tarone: the smallest k such that no more than k terms can reach `level` / k."""
    for k in range(1, len(least) + 1):
        if k == len(least) or least[k] * k > level:
            return k
    return 0


def _theme(
    group: Sequence[str], sure: Mapping[str, float], recent: Mapping[str, int], recent_of: int, base: Mapping[str, int],
    base_of: int,
) -> Theme:  # fmt: skip
    # Of terms that stand in nearly as many complaints the longest says most: 系统升级 rather than 系统.
    most = max(recent[term] for term in group)
    label = max((t for t in group if recent[t] >= 0.8 * most), key=lambda t: (len(t.split()), len(t), recent[t], t))
    lift = ((recent[label] + 0.5) / (recent_of + 1)) / ((base.get(label, 0) + 0.5) / (base_of + 1))
    rest = tuple(sorted((t for t in group if t != label), key=lambda t: (-recent[t], t)))
    best = min(sure[term] for term in group)
    return Theme(label, (label, *rest), recent[label], recent_of, base.get(label, 0), base_of, lift, best)


def _grouped(
    found: Sequence[str], recent: Mapping[str, int], documents: Sequence[Collection[str]], alike: float
) -> list[list[str]]:
    """Terms that tell of the same, the surest group first: each joins the first whose surest term it is like."""
    holders: dict[str, set[int]] = {term: set() for term in found}
    for number, document in enumerate(documents):
        for term in holders.keys() & set(document):
            holders[term].add(number)
    groups: list[list[str]] = []
    for term in found:
        for group in groups:
            if any(_same(term, other, recent, holders, alike) for other in group[:3]):
                group.append(term)
                break
        else:
            groups.append([term])
    return groups


def _same(one: str, other: str, recent: Mapping[str, int], holders: Mapping[str, set[int]], alike: float) -> bool:
    mine, theirs = holders[one], holders[other]
    if mine and theirs:
        return len(mine & theirs) >= alike * len(mine | theirs)
    few, many = sorted((recent[one], recent[other]))
    return few >= alike * many and _overlap(one, other)


def _overlap(one: str, other: str) -> bool:
    """Whether one is in the other, or the end of one is the beginning of the other but for a character or a word."""
    spaced = " " in one or " " in other or not _HAN.match(one)
    a, b = (one.split(), other.split()) if spaced else (list(one), list(other))
    short, long = sorted((a, b), key=len)
    if any(long[n : n + len(short)] == short for n in range(len(long) - len(short) + 1)):
        return True
    shared = max(1, math.ceil(len(short) / 2))
    return any(long[-n:] == short[:n] or short[-n:] == long[:n] for n in range(shared, len(short)))


def _of_han(run: str) -> set[str]:
    found = set()
    size = len(run)
    for start in range(size - 1):
        if run[start] in _STOP_HAN:
            continue
        for end in range(start + 2, min(start + _LONGEST_HAN, size) + 1):
            if run[end - 1] not in _STOP_HAN:
                found.add(run[start:end])
    return found


@cache
def _fold() -> dict[int, str]:
    """Ideograph -> the simplified one, character by character: it need not be right, only the same for both scripts."""
    from opencc import OpenCC

    ideographs = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    table: dict[int, str] = {}
    for form in ("tw2s", "hk2s", "t2s"):
        for one, plain in zip(ideographs, OpenCC(form).convert("\n".join(ideographs)).split("\n"), strict=True):
            if one != plain and len(plain) == 1:
                table[ord(one)] = plain
    return table
