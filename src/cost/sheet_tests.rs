use super::*;
use crate::cost::{Biller, Lengths, Price, PriceBook, Pricing};

const HEADING: Heading<'_> = Heading {
    model: "gpt-4o",
    provider: "openai",
    detail: Detail::High,
    limit: "--max-tokens",
    limits: Some((50_000, 200_000_000)),
    queue: Some((90_000, 1)),
};

/// Requests of one kind: their number, and tokens of text and image of each.
type Kind = (u64, u64, Option<u64>);

/// An estimate of requests that are sent, were answered, and are equal to others.
fn estimate(pricing: &Pricing, kinds: [Kind; 3], exact: bool) -> Estimate {
    let biller = Biller::new(pricing, kinds[0].0, exact);
    let mut bills = [biller.bill(), biller.bill(), biller.bill()];
    let parts = [0, 1, 2].map(|at| {
        let (requests, text, image) = kinds[at];
        for _ in 0..requests {
            biller.add(&mut bills[at], text, image.unwrap_or(0));
        }
        if image.is_none() && requests > 0 {
            bills[at].make_unknown();
        }
        let images = if image == Some(0) { 0 } else { requests };
        let image_tokens = image.map(|tokens| tokens * requests);
        Part { requests, text_tokens: text * requests, images, image_tokens }
    });
    let reserve = kinds[0].2.and_then(|image| biller.reserve(kinds[0].1 + image));
    Estimate {
        sent: parts[0],
        answered: parts[1],
        equal: parts[2],
        bytes: 1_923_000,
        shards: 1,
        max_tokens: pricing.max_tokens,
        exact,
        tokenizer: "o200k_base",
        price: pricing.price.clone(),
        learned_from: pricing.lengths.count(),
        is_embedding: pricing.is_embedding,
        bills,
        reserve: reserve.map(|reserve| reserve * kinds[0].0),
        ..Estimate::default()
    }
}

fn price(provider: &str, model: &str) -> Option<Price> {
    PriceBook::default().find(provider, model)
}

fn text(estimate: &Estimate, heading: &Heading<'_>) -> String {
    let lines = estimate.lines(heading);
    for line in &lines {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
    lines.join("\n")
}

fn pricing(model: &str, max_tokens: Option<u64>) -> Pricing {
    Pricing { price: price("openai", model), max_tokens, ..Pricing::default() }
}

const NONE: Kind = (0, 0, Some(0));

/// The table of the command line's own description.
#[test]
fn s1_20_the_table_people_see() {
    let pricing = pricing("gpt-4o", Some(512));
    let kinds = [(7, 431, Some(765)), (2, 431, Some(765)), NONE];
    let estimate = Estimate { skipped: 1, ..estimate(&pricing, kinds, true) };
    insta::assert_snapshot!(text(&estimate, &HEADING), @"
    Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices of 2026-11-20
                     requests   input tok    output tok      realtime      batch
      text                  9       3,879       ≤ 4,608        $0.056     $0.028
      images (high)     9 img       6,885             –        $0.017    $0.0086
      answered before      -2      -2,392       - 1,024       -$0.016   -$0.0081
      to send               7       8,372       ≤ 3,584        $0.057     $0.028
    Likely    $0.021   output tokens 2,100
              assumed: no finished row of exactly this question
    Worst     $0.028 if every answer has 512 tokens (--max-tokens)
    Saves     $0.021 (50 %) against realtime   $0.0060 by earlier answers
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens 8,372 of 90,000 that may be queued
              1 wave, minutes to 24 hours
    Skipped   1 row: no request can be made
    ");
}

#[test]
fn b04_what_need_not_be_sent_is_taken_off() {
    let kinds = [(6, 500, Some(765)), (2, 431, Some(765)), (1, 17, Some(765))];
    let estimate = estimate(&pricing("gpt-4o", None), kinds, true);
    insta::assert_snapshot!(text(&estimate, &HEADING), @"
    Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices of 2026-11-20
                     requests   input tok    output tok      realtime      batch
      text                  9       3,879       ~ 2,700        $0.037     $0.018
      images (high)     9 img       6,885             –        $0.017    $0.0086
      answered before      -2      -2,392         - 600       -$0.012   -$0.0060
      equal rows           -1        -782         - 300      -$0.0050   -$0.0025
      to send               6       7,590       ~ 1,800        $0.037     $0.018
    Likely    $0.018   output tokens 1,800
              assumed: no finished row of exactly this question
    Worst     without --max-tokens it is the model's own maximum (16,384 tokens a
              row), which is of no use; reserved: $0.028, 1.5 x likely
    Saves     $0.018 (50 %) against realtime   $0.0060 by earlier answers
              $0.0025 by equal rows
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens 7,590 of 90,000 that may be queued
              1 wave, minutes to 24 hours
    ");
}

/// B08: after a first run the range is learned from it.
#[test]
fn b08_what_finished_rows_tell() {
    let lengths = Lengths::of(&(0..37).map(|n| 180 + 3 * n).collect::<Vec<_>>());
    let pricing = Pricing { lengths, ..pricing("gpt-4o-mini", Some(512)) };
    let estimate = estimate(&pricing, [(300_000, 431, Some(0)), NONE, NONE], true);
    let heading = Heading { model: "gpt-4o-mini", queue: Some((90_000, 1_437)), ..HEADING };
    insta::assert_snapshot!(text(&estimate, &heading), @"
    Model     gpt-4o-mini   openai   tokenizer o200k_base (exact)
              prices of 2026-11-20
                     requests   input tok    output tok      realtime      batch
      text            300,000 129,300,000 ≤ 153,600,000       $111.56     $55.78
      to send         300,000 129,300,000 ≤ 153,600,000       $111.56     $55.78
    Likely    $30.76 ($28.09 to $33.43)
              output tokens 70,200,000 (61,305,492 to 79,094,508)
              from 37 earlier rows of this prompt
    Worst     $55.78 if every answer has 512 tokens (--max-tokens)
    Saves     $30.76 (50 %) against realtime
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens 129,300,000 of 90,000 that may be queued
              1,437 waves, minutes to 34,488 hours
    ");
}

/// Field report 52: what is unknown is never printed as 0.
#[test]
fn field_52_unknown_is_said() {
    let estimate = estimate(&Pricing::default(), [(2, 20, None), NONE, NONE], false);
    assert_eq!(estimate.sent.input_tokens(), None);
    let heading =
        Heading { model: "qwen-vl", provider: "router", limits: None, queue: None, ..HEADING };
    insta::assert_snapshot!(text(&estimate, &heading), @"
    Model     qwen-vl   router   tokenizer o200k_base (estimate)   prices unknown
                     requests   input tok    output tok      realtime      batch
      text                  2         ~40         ~ 600       unknown    unknown
      images (high)     2 img     unknown             –       unknown    unknown
      to send               2     unknown         ~ 600       unknown    unknown
    Likely    unknown   output tokens 600
              assumed: no finished row of exactly this question
    Worst     without --max-tokens it is the model's own maximum, which is of no use
    Upload    1.9 MB in 1 shard
    Queue     prompt tokens that may be queued: unknown
    ");
}

/// Field report 50: no half price by guess.
#[test]
fn field_50_a_batch_price_that_is_not_known_is_not_guessed() {
    let mut pricing = pricing("gpt-4o", Some(10));
    if let Some(price) = &mut pricing.price {
        (price.batch, price.basis) = (None, None);
    }
    let estimate = estimate(&pricing, [(9, 100, Some(0)), NONE, NONE], true);
    insta::assert_snapshot!(text(&estimate, &HEADING), @"
    Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices of 2026-11-20
              no batch price is known
                     requests   input tok    output tok      realtime      batch
      text                  9         900          ≤ 90       $0.0032    unknown
      to send               9         900          ≤ 90       $0.0032    unknown
    Likely    unknown   output tokens 90
              assumed: no finished row of exactly this question
    Worst     unknown if every answer has 10 tokens (--max-tokens)
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens 900 of 90,000 that may be queued
              1 wave, minutes to 24 hours
    ");
}

/// Prices in yuan, nothing charged, and a model whose price depends on the size of a request.
#[test]
fn free_models_and_other_currencies() {
    let free = Pricing { price: price("zhipu", "glm-4-flash"), ..Pricing::default() };
    let heading = Heading { model: "glm-4-flash", provider: "zhipu", queue: None, ..HEADING };
    let estimated = estimate(&free, [(9, 100, Some(0)), NONE, NONE], false);
    insta::assert_snapshot!(text(&estimated, &heading), @"
    Model     glm-4-flash   zhipu   tokenizer o200k_base (estimate)
              prices of 2026-09
                     requests   input tok    output tok      realtime      batch
      text                  9        ~900       ~ 2,700          free       free
      to send               9        ~900       ~ 2,700          free       free
    Likely    free   output tokens 2,700
              assumed: no finished row of exactly this question
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    ");
    let yuan = Pricing { price: price("zhipu", "glm-4-plus"), ..free };
    let heading = Heading { model: "glm-4-plus", ..heading };
    let estimated = estimate(&yuan, [(1, 3, Some(0)), NONE, NONE], false);
    insta::assert_snapshot!(text(&estimated, &heading), @"
    Model     glm-4-plus   zhipu   tokenizer o200k_base (estimate)
              prices of 2026-09
                     requests   input tok    output tok      realtime      batch
      text                  1          ~3         ~ 300       ¥0.0015    ¥0.0008
      to send               1          ~3         ~ 300       ¥0.0015    ¥0.0008
    Likely    ¥0.0008   output tokens 300
              assumed: no finished row of exactly this question
    Worst     without --max-tokens it is the model's own maximum, which is of no
              use; reserved: ¥0.0011, 1.5 x likely
    Saves     ¥0.0008 (50 %) against realtime
    Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
    Queue     prompt tokens that may be queued: unknown
    ");
}

#[test]
fn lines_are_broken_between_pieces_and_in_long_ones() {
    let piece = |text: &str| vec!["a".to_owned(), text.to_owned()];
    assert_eq!(labelled("Saves", &piece("b")), ["Saves     a   b"]);
    let long = "word ".repeat(15).trim().to_owned();
    assert_eq!(labelled("Saves", &piece(&long[..66])), [format!("Saves     a   {}", &long[..66]),]);
    assert_eq!(labelled("X", &piece(&long[..69])).len(), 2);
    let longer = "word ".repeat(40).trim().to_owned();
    let lines = labelled("X", &[longer]);
    assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
}
