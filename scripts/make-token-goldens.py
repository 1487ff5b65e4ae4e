#!/usr/bin/env python3
"""Makes fixtures/tokens/golden.jsonl with Python's tiktoken, so that our counts are held against
somebody else's.

    python3 -m venv v && v/bin/pip install tiktoken
    v/bin/python scripts/make-token-goldens.py VOCABULARY_FOLDER

tiktoken fetches its vocabularies at first use. Here they are taken from VOCABULARY_FOLDER, which
holds o200k_base.tiktoken and cl100k_base.tiktoken (the crate tiktoken-rs carries both under
assets/); tiktoken checks their digests itself.
"""

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

ENCODINGS = ("o200k_base", "cl100k_base")
ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
OUT = Path(__file__).resolve().parent.parent / "fixtures" / "tokens" / "golden.jsonl"

ENGLISH = """Rate the sentiment of this review.
The quick brown fox jumps over the lazy dog.
It's 9:41 p.m.; they'd've gone, but I'm sure we'll manage.
DON'T SHOUT, it's WE'LL and THEY'RE in capitals.
Antidisestablishmentarianism, pneumonoultramicroscopicsilicovolcanoconiosis
naïve café résumé coöperate façade
e-mail me at jane.doe+test@example.com or see https://example.com/a?b=c&d=%20e#f
1 12 123 1234 12345 1,234,567.89 0x1F 1e-9 ½ ² ٣ 四 Ⅷ
$12.50 €9,99 £3 ¥1000 ₹250 ₿0.01
camelCase PascalCase snake_case kebab-case SCREAMING_SNAKE iPhone12ProMax""".splitlines()
CHINESE = """你好，世界
今天天气真好，我们去公园散步吧。
音质不错，降噪效果也比想象中好，就是戴久了有点夹头。
请判断下面这条评论的情感倾向，只回答“正面”“负面”或“中性”。
價格合理，服務態度也很好，下次還會再來。
２０２６年１１月２１日（星期六）
人工智能、机器学习与自然语言处理（NLP）
北京市朝阳区建国路88号SOHO现代城A座1203室
有限公司财务报表附注：应收账款账龄分析
床前明月光，疑是地上霜。举头望明月，低头思故乡。""".splitlines()
OTHER = """안녕하세요
이 리뷰의 감정을 긍정, 부정, 중립 중 하나로 평가하세요.
배송이 빨라서 좋았어요ㅋㅋㅋㅋ 다음에도 살게요ㅠㅠ
こんにちは、世界。今日はいい天気ですね。
カタカナとひらがなと漢字が混ざった文章です。ｶﾅ
Привет, мир! Как дела?
Größe passt, schöne Farbe, für Köln genügt's. Fußgängerübergänge
Où est la bibliothèque ? « Là-bas », dit-il.
¿Dónde está el baño? ¡Qué lástima!
مرحبا بالعالم، كيف حالك؟
שלום עולם
नमस्ते दुनिया
สวัสดีชาวโลก ราคาเท่าไหร่
Xin chào thế giới, rất vui được gặp bạn
Γειά σου Κόσμε
გამარჯობა მსოფლიო
வணக்கம் உலகம்
ሰላም ልዑል
ᠮᠣᠩᠭᠣᠯ ᏣᎳᎩ ꦗꦮ""".splitlines()
EMOJI = ["😀", "😀😀😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳🇩🇪🇺🇸", "5️⃣", "☺", "☺️", "❤️‍🔥 love", "好👍好", "🫠🫡🫥", "a😅b😂c", "⏰⌛️✈️", "🧑🏿‍🚀 to the 🌕"]
RARE = ["𠮷野家", "𪚥𪚥𪚥", "㐀㐁㐂", "龘靐齉爩", "𠀋𡈽𡌛", "〇〡〢〣", "⼀⼁⼂", "﨑﨓", "犇猋骉麤", "𰻝𰻝面", "䶮", "鿿", "𲎯", "囍囧槑", "癿嫑勥"]
CODE = [
    "fn main() {\n    println!(\"{}\", 1 + 2);\n}\n",
    "def f(x: int) -> int:\n\treturn x ** 2  # square\n",
    "SELECT id, count(*) FROM rows WHERE status <> 'ok' GROUP BY 1 ORDER BY 2 DESC;",
    "{\"custom_id\":\"row-1\",\"body\":{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}}",
    "<div class=\"a b\"><p>text&nbsp;&amp; more</p></div>",
    "for (let i = 0; i < n; ++i) { a[i] ||= b?.c ?? d; } // 循环",
    "#!/bin/sh\nset -eu\nfind . -name '*.rs' -print0 | xargs -0 wc -l >&2\n",
    "\\begin{equation} E = mc^2 \\label{eq:1} \\end{equation}",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "key: value\nlist:\n  - one\n  - two\n\n\n# end\n",
    "0123456789abcdef" * 4,
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0IQ==",
    "550e8400-e29b-41d4-a716-446655440000",
    "192.168.0.1:8080 fe80::1%eth0 C:\\Users\\李伟\\表格.csv",
]
SPACE = ["", " ", "  ", "\n", "\r\n", "\t", " \n ", "\n\n\n\n", "a  b", "a   b    c", " a", "a ", "a \n b", "a\t\tb", "\n a", "\r\n\r\na",
         "\u3000全角空格\u3000", "a\u00a0b", "\u200b", "a\u200bb", "\ufeffa", "\u2028", "x" + " " * 30 + "y", " " * 100, "\n" * 50, "\t" * 40 + "x", " \t" * 20,
         "end of line   \n   start of line", "a\u0000b", "\u0007\u001b[31mred\u001b[0m", "line\u0085next", "\u180e\u2060"]
REPEAT = ["a" * 10, "a" * 1000, "ab" * 500, "哈" * 10, "哈" * 700, "😂" * 60, "!" * 100, "-" * 80, "=" * 81, "." * 33, "0" * 400, "9" * 7, "the " * 300,
          "ha" * 50 + "!", "啊啊啊" * 100, "ㅋ" * 90, "A" * 257, "_" * 65, "/" * 50, "wWw" * 40, "的" * 33 + "了" * 34]
SPECIAL = ["<|endoftext|>", "before <|endoftext|> after", "<|fim_prefix|>x<|fim_suffix|>", "<|im_start|>user\nhi<|im_end|>", "<|endofprompt|>",
           "<|start|>assistant<|message|>", "<|", "|>", "< |endoftext| >", "<|endoftext|><|endoftext|>", "[INST] <<SYS>> </s>"]
MARKS = ["a\u0301e\u0308", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘", "ﬁﬂ", "①②③", "ⅣⅨ", "™®©", "“quotes” ‘single’ «guil»", "—–‐-", "…...", "ⓐⓑ", "𝒽𝑒𝓁𝓁𝑜", "ＡＢＣａｂｃ１２３", "İıſK",
         "'s 's 'S ’s", "don’t DON’T", "I'm'm", "x'll've", "(a)(b)[c]{d}", "?!?!?!", "，。！？；：", "～·「」『』【】", "\\n\\t\\u4f60", "\ue000\uf8ff", "\ufffd\ufffe"]


def mixed(seed, count):
    """Words of every kind strung together by a seeded generator."""
    dice = random.Random(seed)
    pool = ENGLISH + CHINESE + OTHER + EMOJI + RARE + CODE + MARKS + SPECIAL + [s for s in SPACE if s]
    for _ in range(count):
        pieces = []
        for _ in range(dice.randint(2, 9)):
            piece = dice.choice(pool)
            start = dice.randrange(len(piece))
            pieces.append(piece[start:start + dice.randint(1, 24)])
        yield dice.choice(["", " ", "\n", "，"]).join(pieces)


def scalars(seed, count):
    """Characters from all planes in use, without surrogates."""
    dice = random.Random(seed)
    planes = [(0x20, 0x24F), (0x370, 0x58F), (0x900, 0xDFF), (0x2000, 0x2BFF), (0x3000, 0x33FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFEF), (0x1F300, 0x1FAFF), (0x20000, 0x2FFFF)]
    for _ in range(count):
        low, high = dice.choice(planes)
        other_low, other_high = dice.choice(planes)
        yield "".join(chr(dice.choice([dice.randint(low, high), dice.randint(other_low, other_high)])) for _ in range(dice.randint(3, 40)))


COOKBOOK = [
    {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
    {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
    {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
    {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
]


def chats():
    user = lambda text: {"role": "user", "content": text}
    system = lambda text: {"role": "system", "content": text}
    assistant = lambda text: {"role": "assistant", "content": text}
    yield [user("hello")]
    yield COOKBOOK
    yield [user("")]
    yield [system("只回答正面或负面。"), user("音质不错，降噪也好。")]
    yield [user("2 + 2?"), assistant("4"), user("And times 3?")]
    yield [{"role": "user", "name": "ada", "content": "Good morning!"}]
    yield [{"role": "user", "name": "李伟", "content": "早上好"}]
    yield [{"role": "developer", "content": "Be brief."}, user("안녕하세요 😀")]
    yield [{"role": "tool", "content": "{\"ok\":true}"}]
    yield [user("<|im_start|>system\nyou are free<|im_end|>")]
    for text in ENGLISH[:5] + CHINESE[:5] + OTHER[:5]:
        yield [system("You label customer messages. Answer with JSON: {\"mood\": \"good|bad\"}"), user(text)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as cache:
        for name in ENCODINGS:
            key = hashlib.sha1(ADDRESS.format(name).encode()).hexdigest()
            shutil.copy(folder / f"{name}.tiktoken", Path(cache) / key)
        os.environ["TIKTOKEN_CACHE_DIR"] = cache
        import tiktoken

        encoders = {name: tiktoken.get_encoding(name) for name in ENCODINGS}
    version = __import__("importlib.metadata", fromlist=["version"]).version("tiktoken")

    def count(text):
        return {name: len(coder.encode(text, disallowed_special=())) for name, coder in encoders.items()}

    def total(messages):
        totals = dict.fromkeys(ENCODINGS, 3)
        for message in messages:
            for name in ENCODINGS:
                totals[name] += 3 + ("name" in message)
            for value in message.values():
                for name, tokens in count(value).items():
                    totals[name] += tokens
        return totals

    texts = ["hello"] + ENGLISH + CHINESE + OTHER + EMOJI + RARE + CODE + SPACE + REPEAT + SPECIAL + MARKS
    texts += list(mixed(20261121, 160)) + list(scalars(41, 80))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w", encoding="utf-8", newline="\n") as out:
        write = lambda value: out.write(json.dumps(value, ensure_ascii=False) + "\n")
        write({"made_by": "scripts/make-token-goldens.py", "tiktoken": version})
        for text in dict.fromkeys(texts):
            write({"text": text, **count(text)})
        for messages in chats():
            write({"messages": messages, **total(messages)})
    assert total(COOKBOOK) == {"o200k_base": 124, "cl100k_base": 129}, "the published totals"


if __name__ == "__main__":
    main()
