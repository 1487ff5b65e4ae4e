use proptest::prelude::*;

use super::super::families::Tokenizer;
use super::super::vocabulary::{ALL, Vocabulary};
use super::*;

/// What splits and merges go wrong on, so that short strings of these meet every rule.
const NASTY: &[&str] = &[
    "a",
    "Hello",
    "WORLD",
    "ß",
    "ſ",
    "K",
    "é",
    "e\u{301}",
    "\u{301}",
    "你好",
    "龥",
    "𠮷",
    "かな",
    "ガ",
    "か\u{3099}",
    "가",
    "각",
    "\u{11a8}",
    "привет",
    "نعم",
    "नमस्ते",
    "1",
    "1234567",
    "٣",
    "四",
    "½",
    " ",
    "  ",
    "     ",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\u{3000}",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{200b}",
    ".",
    ",",
    "...",
    "，",
    "。",
    "：",
    "！？",
    "'",
    "'s",
    "'ll",
    "'ſ",
    "'K",
    "’s",
    "/",
    "./\n",
    "(",
    "\"",
    "{\"a\":",
    "<|endoftext|>",
    "😀",
    "👨‍👩‍👧",
    "_",
    "-",
    "=====",
    "\0",
    "\u{ad}",
    "Ⓐ",
    "ǅ",
    "ʰ",
];

fn nasty(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(NASTY).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn of(vocabulary: Vocabulary) -> &'static Tokenizer {
    let models = ["gpt-4o", "gpt-4", "qwen3", "glm-4", "glm-5", "deepseek-chat", "llama-3"];
    let tokenizers = models.map(|model| Tokenizer::for_model(model).0);
    tokenizers.into_iter().find(|t| t.vocabulary == vocabulary).expect("each has a model")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// At every cut the halves have together the tokens of the whole, in every vocabulary.
    #[test]
    fn halves_of_a_cut_add_up(text in nasty(14)) {
        for vocabulary in ALL {
            let whole = vocabulary.count(&text);
            for (at, _) in text.char_indices().filter(|(at, _)| may_cut(&text, *at)) {
                let halves = vocabulary.count(&text[..at]) + vocabulary.count(&text[at..]);
                prop_assert_eq!(halves, whole, "{:?} at {}", vocabulary, at);
            }
        }
    }

    /// Whatever stood at its place before, a text has the count it has alone.
    #[test]
    fn a_counter_counts_as_its_tokenizer_does(
        heads in prop::collection::vec(nasty(40), 1..3),
        cells in prop::collection::vec(nasty(6), 1..6),
        tails in prop::collection::vec(nasty(40), 1..3),
        order in prop::collection::vec((0..9_usize, 0..9_usize, 0..9_usize, 0..2_usize), 1..12),
    ) {
        for vocabulary in ALL {
            let tokenizer = of(vocabulary);
            let mut counter = Counter::new(tokenizer);
            for (head, cell, tail, place) in &order {
                let head = &heads[head % heads.len()];
                let cell = &cells[cell % cells.len()];
                let text = format!("{head}{cell}{}", tails[tail % tails.len()]);
                prop_assert_eq!(counter.count(*place, &text), tokenizer.count(&text), "{}", text);
            }
        }
    }
}

/// The rest of a text is all that is counted where beginning and end are known.
#[test]
fn common_ends_and_equal_cells_are_found() {
    let tokenizer = Tokenizer::for_model("gpt-4o").0;
    let mut counter = Counter::new(tokenizer);
    let start = "Rate the sentiment of this review with one word, good or bad. Review: ";
    let end = "\n\nAnswer with one JSON object of this shape and nothing else: {\"mood\":\"…\"}";
    for cell in ["It is good.", "So lala", "很好，下次还来", "很好，下次还来"] {
        let text = format!("{start}{cell}{end}");
        assert_eq!(counter.count(0, &text), tokenizer.count(&text), "{text}");
    }
    let place = &counter.places[0];
    assert_eq!(place.head.text, start.trim_end());
    assert_eq!(place.tail.text, end.trim_start());
    let cell = "a cell that is long enough to be worth remembering, as it comes again";
    for n in 0..3 {
        counter.count(0, &format!("{start}{cell}{end}"));
        counter.count(0, &format!("{start}{n}{end}"));
    }
    assert_eq!(counter.cells.found, 2);
}

/// Where cells do not come again, they are not kept.
#[test]
fn cells_that_never_come_again_are_not_kept() {
    let mut counter = Counter::new(Tokenizer::for_model("gpt-4o").0);
    let cell =
        |n: u32| format!("{n}: a cell long enough to be worth remembering, yet it is not {n}");
    for n in 0..2 * TRIAL {
        counter.count(0, &cell(n));
    }
    assert_eq!(counter.cells.asked, TRIAL);
    assert!(counter.cells.bytes <= MOST_BYTES);
}
