"""Random strings that are hard on a tokenizer. Shared by the tools that compare with Hugging Face."""

import random

SURROGATES = range(0xD800, 0xE000)
LAST_CODE_POINT = 0x10FFFF

# First and last code point of what is mixed.
RANGES = {
    "ascii": (0x20, 0x7E),
    "letters": (0x61, 0x7A),
    "digits": (0x30, 0x39),
    "latin": (0xA0, 0x24F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x4FF),
    "hebrew": (0x590, 0x5FF),
    "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F),
    "thai": (0xE00, 0xE7F),
    "hangul": (0xAC00, 0xD7A3),
    "kana": (0x3030, 0x3110),
    "ideographs": (0x4DF0, 0x9FB0),
    "full width": (0xFF00, 0xFFEF),
    "marks": (0x300, 0x36F),
    "punctuation": (0x2000, 0x206F),
    "symbols": (0x2190, 0x27BF),
    "other numbers": (0x2150, 0x218B),
    "math letters": (0x1D400, 0x1D7FF),
    "emoji": (0x1F300, 0x1FAFF),
    "emoji tags": (0xE0001, 0xE007F),
    "controls": (0x00, 0x1F),
    "more controls": (0x7F, 0x9F),
    "private": (0xE000, 0xE0FF),
    "anything": (0x00, LAST_CODE_POINT),
}
SPACES = [" ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\v", "\f", "\x1c", "\x85", "\xa0",
          "\u1680", "\u180e", "\u2003", "\u200b", "\u2028", "\u2029", "\u202f", "\u3000", "\ufeff"]
SNIPPETS = ["don't", "I'LL", "x_1", "~~~", " ~", "...", " ...\n", "!important", "#include", "\\n",
            "e\u0301", "\u0301", "\u200d", "\ufe0f", "1,234.56", "٣٤٥٦", "½", "Ⅷ", "〇", "一二三",
            "ー", "・", "゛", "カタカナ", "ひらがな", "한국어", "日本語です。", "，", "１２３４", "ﬁ",
            "👩‍👩‍👧", "🇩🇪", "https://a.b/c?d=e", "def f(x):\n    return x\n", "<", ">", "｜", "▁"]


def character(random_source, name):
    first, last = RANGES[name]
    while True:
        code_point = random_source.randint(first, last)
        if code_point not in SURROGATES:
            return chr(code_point)


def look_alike(random_source, added):
    """An added token, whole or damaged."""
    text = random_source.choice(added)
    cut = random_source.randrange(len(text))
    change = random_source.randrange(5)
    if change == 0:
        return text[:cut]
    if change == 1:
        return text[cut:]
    if change == 2:
        return text[:cut] + " " + text[cut:]
    return text


def part(random_source, added):
    kind = random_source.randrange(12)
    if kind < 2:
        return random_source.choice(SPACES)
    if kind == 2:
        return random_source.choice(SPACES) * random_source.randint(1, 4)
    if kind == 3:
        return random_source.choice(SNIPPETS)
    if kind == 4 and added:
        return look_alike(random_source, added)
    if kind == 5:
        return character(random_source, "digits") * random_source.randint(1, 7)
    if kind < 8:
        length = random_source.randint(1, 9)
        return "".join(character(random_source, "letters") for _ in range(length))
    name = random_source.choice(list(RANGES))
    return "".join(character(random_source, name) for _ in range(random_source.randint(1, 4)))


def samples(count, seed, added, parts_max):
    """`count` strings; the same for the same arguments."""
    random_source = random.Random(seed)
    for _ in range(count):
        parts = random_source.randint(1, parts_max)
        yield "".join(part(random_source, added) for _ in range(parts))
