#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/data/tokenizer.json: what Hugging Face's BERT tokenizers make of all code points and of 12,000 generated strings.

    pip install 'transformers<5' tokenizers
    python tools/make_tokenizer_golden.py [--out DIR]

Both sides generate the strings from the same seeds (tests/golden/tokenizer_test.cpp), so the file holds checksums, the ingredients, and a few hundred
strings in full. Strings 0 … 9,999 use characters on which BertTokenizer and BertTokenizerFast agree, and the script stops unless they do; the rest draw
from all of Unicode and record BertTokenizerFast alone. So does every string where accents stay: the older one composes them first (NFC).
"""

import argparse
import json
import tempfile
import unicodedata
from pathlib import Path

import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers
from transformers.models.bert import tokenization_bert

DATA = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
AGREED, ALL, IN_FULL, CONTEXT, BLOCK = 10_000, 12_000, 250, 96, 100
CONFIGURATIONS = [
    {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True},
    {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True},
    {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False},
    {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": True},
]
WORDS = """no acute intracranial hemorrhage is identified the ventricles and sulci are normal in size for age there is mild periventricular white matter
disease Chronic lacunar infarct in left basal ganglia without mass effect or midline shift Impression Findings Technique Comparison MRI CT T2-weighted FLAIR
diffusion restriction subdural hematoma measuring 4.5 mm x 12 mm, post-contrast enhancement; metastases (multiple) right frontal lobe glioblastoma
hydrocephalus aneurysm naïve façade café Ménière Guillain-Barré Sjögren Müller Ångström œdème Œsophage STRASSE straße ǅungla ﬁbrosis ½ ³ µg/mL 10⁻³ ±2σ
опухоль головного мозга ΕΓΚΈΦΑΛΟΣ εγκέφαλος אין דימום תוך גולגולתי שָׁלוֹם لا يوجد نزيف داخل الجمجمة الْحَمْدُ मस्तिष्क में रक्तस्राव สมอง ไม่มีเลือดออก
没有颅内出血 左側大脳基底核 脳出血なし カルテ ｶﾙﾃ 뇌출혈 없음 한국어 các khối u não Việt İstanbul ışık ŁÓDŹ Ȧ̧ ĳsland""".split()
ADVERSARIAL = [
    "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[cls]", "[ SEP ]", "[SEP", "SEP]", "x[SEP]y", "[[MASK]]", "[CLS][SEP]", "##ing", "##", "# #a",
    "\u00e9", "e\u0301", "e\u0323\u0301", "e\u0301\u0323", "a\u0315\u0300\u05ae\u0316b", "\u1e9b\u0323", "\u212b", "\u2126", "\u1fbd", "\u0345\u0301",
    "\u200d", "\u200b", "\u200c", "\u00ad", "\ufeff", "\u202e", "\u2066x\u2069", "\ufe0f", "\u20e3", "1\ufe0f\u20e3", "\U0001f469\u200d\u2695\ufe0f",
    "\U0001f468\U0001f3fd\u200d\U0001f4bb", "\U0001f1e9\U0001f1ea", "\U0001f600\U0001f600", "\u2764\ufe0f\u200d\U0001f525", "\U000e0067\U000e007f",
    "\x00", "\x01\x02", "\x07", "\x1b[31m", "\x7f", "\x85", "\x9f", "\x0b", "\x0c", "\t", "\r\n", "\n\n", "\u00a0", "\u2003", "\u2028", "\u2029", "\u3000",
    "\ufffd", "\ue000", "\uf8ff", "\U0010fffd", "\u0130", "\u0131", "\u01c5", "\u1e9e", "\ufb03", "\u2122", "\u3392", "\u33a5", "\uff21\uff22", "\u24b6",
    "\uac00\u11a8", "\u1112\u1161\u11ab", "\u3042\u3099", "\u304c", "\uf900", "\U0002f800", "\U00020000\U0002a6df", "\u9fa5\u9fff", "\u0e33", "\u0f77",
    "\u0915\u093c\u093f", "\u0b94", "\u0cca", "\u0628\u0651\u064e", "\u05e9\u05bc\u05c1", "$1,234.56", "a--b", "<br/>", "&amp;", "http://x.y/z?q=1", "_a_b_",
    "I'm", "don\u2019t", "\u201cq\u201d", "\u00bfqu\u00e9?", "\u3010x\u3011", "`~^|", "\u00a7\u00b6", "\u2014", "\u2212", "\u00d7", "\u00b0C", "\u221e",
]
SEPARATORS = [" ", " ", " ", " ", "", "", ", ", ". ", "-", "/", "  ", "\n", "\t", ": ", " (", ") "]
MASK = (1 << 64) - 1


class Draws:
    """splitmix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed & MASK

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 32) * n >> 32


def generate(index, ranges):
    """String `index`: up to 20 parts of eight kinds."""
    draws = Draws(index)

    def character():
        low, high = ranges[draws.below(len(ranges))]
        return chr(low + draws.below(high - low + 1))

    text = ""
    for _ in range(1 + draws.below(20)):
        kind = draws.below(8)
        if kind <= 2:
            text += WORDS[draws.below(len(WORDS))]
        elif kind == 3:
            for _ in range(1 + draws.below(6)):
                text += character()
        elif kind == 4:
            text += ADVERSARIAL[draws.below(len(ADVERSARIAL))]
        elif kind == 5:
            for _ in range(1 + draws.below(8)):
                text += chr(32 + draws.below(95))
        elif kind == 6 and draws.below(4) == 0:
            text += character() * (90 + draws.below(20))
        text += SEPARATORS[draws.below(len(SEPARATORS))]
    return text


class Checksum:
    """FNV-1a of 64 bits."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, data):
        value = self.value
        for byte in data:
            value = ((value ^ byte) * 0x100000001B3) & MASK
        self.value = value

    def hex(self):
        return f"{self.value:016x}"


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def to_ranges(numbers):
    ranges = []
    for n in numbers:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return ranges


def fast_words(text, lower, strip, chinese):
    normaliser = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)
    return [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normaliser.normalize_str(text))]


def survey():
    """For all code points: where the library's lower case is of a later Unicode than Python's; where both tokenizers agree; checksums by 4,096."""
    basic = tokenization_bert.BasicTokenizer()
    later, agreed, sums = [], [], {}
    for c in code_points():
        text = f"a{chr(c)}b"
        fast = fast_words(text, True, None, True)
        cased = fast_words(text, False, False, False)
        accents = fast_words(text, True, False, True)
        if accents != fast_words(text.lower(), False, False, True) and chr(c) != "\u0130":
            later.append(c)
            continue
        both = fast == basic.tokenize(text) and unicodedata.category(chr(c)) != "Cn"
        if both and chr(c) != "\u03a3":  # the older one knows the sigma at a word's end
            agreed.append(c)
        for words in (fast, cased, accents):
            sums.setdefault(c >> 12, Checksum()).add(("\x1f".join(words) + "\x1e").encode())
    return to_ranges(later), to_ranges(agreed), [[block, sums[block].hex()] for block in sorted(sums)]


def train_vocabulary(texts, size):
    trainer = tokenizers.BertWordPieceTokenizer(lowercase=True)
    trainer.train_from_iterator(texts, vocab_size=size, min_frequency=2, limit_alphabet=900, show_progress=False)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = set(trainer.get_vocab()) - set(special)
    pieces |= {"É", "é", "I", "T", "M", "##R", "##I", "CT", "No", "##é", "##ü"}  # for the configurations that keep capitals or accents
    return special + sorted(pieces, key=lambda p: (len(p), p))


def tokenizers_of(vocabulary, configuration):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("".join(p + "\n" for p in vocabulary), encoding="utf-8")
        return (transformers.BertTokenizerFast(vocab_file=str(path), **configuration), transformers.BertTokenizer(vocab_file=str(path), **configuration))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA, help="folder to write into")
    options = parser.parse_args()
    later, agreed, blocks = survey()
    everything = to_ranges(c for c in code_points() if not any(a <= c <= b for a, b in later))
    texts = [generate(i, agreed if i < AGREED else everything) for i in range(ALL)]
    vocabulary = train_vocabulary(texts[:AGREED] * 2, 3000)

    results = []
    for configuration in CONFIGURATIONS:
        fast, slow = tokenizers_of(vocabulary, configuration)
        strips = configuration["strip_accents"] or (configuration["strip_accents"] is None and configuration["do_lower_case"])
        sums, full, unknown, total, truncated = [], [], 0, 0, 0
        for index, text in enumerate(texts):
            ids = fast(text, truncation=True, max_length=CONTEXT)["input_ids"]
            if index < AGREED and strips and ids != slow(text, truncation=True, max_length=CONTEXT)["input_ids"]:
                raise SystemExit(f"the two tokenizers differ on string {index}: {text!r} {configuration}")
            if index % BLOCK == 0:
                sums.append(Checksum())
            sums[-1].add((" ".join(map(str, ids)) + "\n").encode())
            if index < IN_FULL:
                full.append(ids)
            unknown += ids.count(1)
            total += len(ids)
            truncated += len(ids) == CONTEXT
        print(f"{configuration}: {total} pieces, {unknown} unknown, {truncated} strings truncated to {CONTEXT}")
        results.append({**configuration, "checksums": [s.hex() for s in sums], "ids": full if configuration is CONFIGURATIONS[0] else []})

    golden = {
        "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "unicodedata": unicodedata.unidata_version},
        "strings": ALL, "agreed_strings": AGREED, "context": CONTEXT, "block": BLOCK, "words": WORDS, "adversarial": ADVERSARIAL, "separators": SEPARATORS,
        "agreed_ranges": agreed, "later_capitals": later, "code_point_checksums": blocks, "vocabulary": vocabulary, "texts": texts[:IN_FULL],
        "configurations": results,
    }
    path = options.out / "tokenizer.json"
    path.write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(agreed)} ranges, {len(vocabulary)} pieces")


if __name__ == "__main__":
    main()
