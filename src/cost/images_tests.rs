use super::*;

/// The golden values of the project's provider notes, section 14.6.
const MODELS: [&str; 9] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-4.1-mini",
    "gpt-5-nano",
    "gpt-5.4",
    "claude-haiku-4-5",
    "claude-opus-4-8",
    "gemini-2.5-flash",
];

#[rustfmt::skip]
const GOLDEN: [(u32, u32, [u64; 9]); 9] = [
    (300, 200, [255, 8500, 210, 114, 173, 84, 88, 88, 258]),
    (512, 512, [255, 8500, 210, 415, 630, 308, 361, 361, 1032]),
    (640, 480, [425, 14167, 350, 486, 738, 360, 414, 414, 1032]),
    (1000, 1000, [765, 25501, 630, 1659, 2520, 1229, 1296, 1296, 1032]),
    (1024, 1024, [765, 25501, 630, 1659, 2520, 1229, 1369, 1369, 1032]),
    (1092, 1092, [765, 25501, 630, 1985, 3014, 1470, 1521, 1521, 1032]),
    (1920, 1080, [1105, 36835, 910, 2443, 3710, 2448, 1560, 2691, 1548]),
    (1800, 2400, [765, 25501, 630, 2353, 3572, 2942, 1564, 4740, 1032]),
    (2048, 4096, [1105, 36835, 910, 2362, 3587, 2458, 1568, 4232, 2064]),
];

#[test]
fn b08_golden_image_tokens() {
    for (width, height, tokens) in GOLDEN {
        for (model, tokens) in MODELS.into_iter().zip(tokens) {
            let turned = image_tokens(model, height, width, Detail::High);
            assert_eq!(turned, Some(tokens), "{model} {height}x{width}");
            let counted = image_tokens(model, width, height, Detail::High);
            assert_eq!(counted, Some(tokens), "{model} {width}x{height}");
        }
    }
}

#[test]
fn golden_patches_before_the_factor() {
    let expected = [70, 256, 300, 1024, 1024, 1225, 1508, 1452, 1458];
    for ((width, height, _), patches) in GOLDEN.into_iter().zip(expected) {
        assert_eq!(patches_32(Size::new(width, height), 1536, 2048), patches, "{width}x{height}");
    }
}

/// What the note below the table says: without the cap of 2,048 pixels only the last size differs.
#[test]
fn the_cap_of_the_side_matters_for_the_last_size_only() {
    for (width, height, tokens) in GOLDEN {
        let free = times(patches_32(Size::new(width, height), 2500, u128::from(u32::MAX)), 120);
        let expected = if height == 4096 { 2940 } else { tokens[5] };
        assert_eq!(free, u128::from(expected), "{width}x{height}");
    }
}

#[test]
fn golden_values_of_single_models() {
    let o4_mini = [121, 441, 516, 1762, 1762, 2107, 2594, 2498, 2508];
    for ((width, height, _), tokens) in GOLDEN.into_iter().zip(o4_mini) {
        assert_eq!(image_tokens("o4-mini", width, height, Detail::High), Some(tokens));
    }
    let table = [
        ("gpt-4o", 5000, 5000, Detail::Low, 85),
        ("gpt-4o", 1024, 1024, Detail::Auto, 765),
        ("claude-sonnet-4-5", 200, 200, Detail::High, 64),
        ("claude-sonnet-4-5", 2000, 1500, Detail::High, 1564),
        ("claude-opus-4.7", 2000, 1500, Detail::High, 3888),
        ("claude-sonnet-4-5", 3840, 2160, Detail::High, 1560),
        ("claude-opus-5-5", 3840, 2160, Detail::High, 4784),
        ("claude-sonnet-4-5", 1075, 1520, Detail::High, 1551),
        ("gemini-2.5-pro", 960, 540, Detail::High, 1548),
        ("gemini-3.1-pro", 960, 540, Detail::High, 1120),
        ("gemini-3.1-pro", 960, 540, Detail::Low, 280),
        ("glm-4.5v", 512, 512, Detail::High, 324),
        ("glm-4.5v", 640, 480, Detail::High, 391),
        ("glm-4.6v-flash", 1000, 1000, Detail::High, 1296),
        ("glm-4.1v-thinking-flash", 1024, 1024, Detail::High, 1369),
        ("glm-4.5v", 1920, 1080, Detail::High, 2691),
        ("glm-4.5v", 2048, 4096, Detail::High, 7442),
        ("glm-4v-plus", 2048, 4096, Detail::High, 1600),
        ("gpt-5.4", 4000, 4000, Detail::Low, 308),
        ("gpt-5.6-sol", 3200, 3200, Detail::Auto, 12_000),
        ("gpt-5.5", 3200, 3200, Detail::Auto, 12_000),
        ("gpt-5.4", 3200, 3200, Detail::Original, 12_000),
        ("gpt-5.4", 3200, 3200, Detail::Auto, 3000),
        ("ft:gpt-4o-mini:acme", 512, 512, Detail::High, 8500),
        // The vendors' own examples, and single models of a family.
        ("gpt-4o", 4096, 8192, Detail::Low, 85),
        ("gpt-4.1", 2048, 4096, Detail::High, 1105),
        ("gpt-5-chat-latest", 1024, 1024, Detail::High, 630),
        ("gpt-5.2", 640, 480, Detail::High, 360),
        ("gpt-5.6-terra", 640, 480, Detail::High, 360),
        ("gpt-5.4-mini", 1800, 2400, Detail::High, 2353),
        ("gpt-5.4-nano", 300, 200, Detail::High, 173),
        ("o1", 1024, 1024, Detail::High, 75 + 4 * 150),
        ("o3", 512, 512, Detail::High, 75 + 150),
        ("computer-use-preview", 512, 512, Detail::High, 65 + 129),
        ("claude-opus-4-8", 200, 200, Detail::High, 64),
        ("claude-haiku-4-5", 1000, 1000, Detail::High, 1296),
        ("claude-haiku-4-5", 1092, 1092, Detail::High, 1521),
        ("claude-haiku-4-5", 1920, 1080, Detail::High, 1560),
        ("claude-sonnet-5", 1920, 1080, Detail::High, 2691),
        ("gemini-2.5-flash", 384, 384, Detail::High, 258),
        ("gemini-2.5-flash", 385, 385, Detail::High, 1032),
    ];
    for (model, width, height, detail, tokens) in table {
        let counted = image_tokens(model, width, height, detail);
        assert_eq!(counted, Some(tokens), "{model} {width}x{height} {detail:?}");
    }
    for model in ["glm-4-flash", "gpt-3.5-turbo", "qwen-max", ""] {
        assert_eq!(image_tokens(model, 100, 100, Detail::High), None, "{model}");
    }
}

#[test]
fn limits_hold_for_any_shape() {
    let sides = [0, 1, 2, 27, 28, 29, 383, 384, 385, 2047, 2048, 2049, 9_999, 100_000, u32::MAX];
    for width in sides {
        for height in sides {
            let size = Size::new(width, height);
            assert!((1..=1536).contains(&patches_32(size, 1536, 2048)), "{size:?}");
            assert!((1..=1568).contains(&blocks_28_fit(size, 1568, 1568)), "{size:?}");
            assert!((1..=7500).contains(&blocks_28_round(size, 7500)), "{size:?}");
            assert!((1..=8).contains(&tiles_512(size)), "{size:?}: {}", tiles_512(size));
        }
    }
}
