//! Tokens of images by the published rules of each family, from width and height alone.

use serde::{Deserialize, Serialize};

use super::shrink::{Size, blocks_28_fit, blocks_28_round, patches_32, tiles_512, tiles_by_ratio};
use super::tokens::{base_model, belongs};
use crate::request;

/// The `detail` sent with an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Cheap and coarse.
    Low,
    /// What the program sends unless told otherwise.
    #[default]
    High,
    /// The provider decides: the dearest setting on newer models.
    Auto,
    /// Not shrunk at all, where a model knows it.
    Original,
}

impl From<request::Detail> for Detail {
    fn from(detail: request::Detail) -> Self {
        match detail {
            request::Detail::Low => Self::Low,
            request::Detail::High => Self::High,
            request::Detail::Auto => Self::Auto,
        }
    }
}

/// How a family of models counts an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRule {
    /// A base and so much for each tile of 512 pixels.
    Tiles {
        /// Tokens of the image itself, all of them at low detail.
        base: u32,
        /// Tokens of a tile.
        per_tile: u32,
    },
    /// Patches of 32 pixels times a factor in hundredths, at most 1,536 of them.
    Patches {
        /// The factor times 100.
        percent: u32,
    },
    /// Patches with a setting for detail: low fits 512 pixels, high has 2,500 patches.
    DetailedPatches {
        /// The factor times 100.
        percent: u32,
        /// Whether `auto` means `original`.
        auto_is_original: bool,
        /// Patches and side at `original`.
        original: (u32, u32),
    },
    /// Blocks of 28 pixels, shrunk until they fit.
    Blocks {
        /// The longest side in pixels.
        side: u32,
        /// The most blocks.
        budget: u32,
    },
    /// 258 for a small image or for each tile; rough.
    GeminiTiles,
    /// A fixed number by resolution.
    GeminiResolution,
    /// Rounded blocks of 28 pixels, from the open weights; the hosted rule is not published.
    Glm,
    /// The same for every image.
    Fixed(u32),
}

const TILES_4O: ImageRule = ImageRule::Tiles { base: 85, per_tile: 170 };
const TILES_5: ImageRule = ImageRule::Tiles { base: 70, per_tile: 140 };
const TILES_O: ImageRule = ImageRule::Tiles { base: 75, per_tile: 150 };
const MINI: ImageRule = ImageRule::Patches { percent: 162 };
const NANO: ImageRule = ImageRule::Patches { percent: 246 };
const PLAIN: ImageRule = ImageRule::Patches { percent: 120 };
const WHOLE: (u32, u32) = (u32::MAX, 65_535);
const LATEST: ImageRule =
    ImageRule::DetailedPatches { percent: 120, auto_is_original: true, original: WHOLE };
const OF_5_5: ImageRule =
    ImageRule::DetailedPatches { percent: 120, auto_is_original: true, original: (10_000, 6_000) };
const OF_5_4: ImageRule =
    ImageRule::DetailedPatches { percent: 120, auto_is_original: false, original: (10_000, 6_000) };

/// The GPT and o models, longer prefixes first.
const OPENAI: &[(&str, ImageRule)] = &[
    ("gpt-4o-mini", ImageRule::Tiles { base: 2833, per_tile: 5667 }),
    ("chatgpt-4o", TILES_4O),
    ("gpt-4o", TILES_4O),
    ("gpt-4.1-mini", MINI),
    ("gpt-4.1-nano", NANO),
    ("gpt-4.1", TILES_4O),
    ("gpt-4.5", TILES_4O),
    ("gpt-5-mini", MINI),
    ("gpt-5-nano", NANO),
    ("gpt-5.1-codex", PLAIN),
    ("gpt-5.2", PLAIN),
    ("gpt-5.3", PLAIN),
    ("gpt-5.4-mini", MINI),
    ("gpt-5.4-nano", NANO),
    ("gpt-5.4", OF_5_4),
    ("gpt-5.5", OF_5_5),
    ("gpt-5.6", LATEST),
    ("gpt-5", TILES_5),
    ("gpt-6", LATEST),
    ("o1", TILES_O),
    ("o3", TILES_O),
    ("o4-mini", ImageRule::Patches { percent: 172 }),
    ("computer-use-preview", ImageRule::Tiles { base: 65, per_tile: 129 }),
];

/// Anthropic's models with the larger limits; written with dashes.
const CLAUDE_HIGH: &[&str] = &[
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable",
    "claude-mythos",
];

impl ImageRule {
    /// The rule of a model; `None` if none is known (or it takes no images).
    pub fn for_model(model: &str) -> Option<Self> {
        let model = base_model(model);
        if let Some((_, rule)) = OPENAI.iter().find(|(prefix, _)| belongs(&model, prefix)) {
            return Some(*rule);
        }
        if model.starts_with("claude") {
            let dashed = model.replace('.', "-");
            let high = CLAUDE_HIGH.iter().any(|family| belongs(&dashed, family));
            return Some(if high {
                Self::Blocks { side: 2576, budget: 4784 }
            } else {
                Self::Blocks { side: 1568, budget: 1568 }
            });
        }
        if let Some(version) = model.strip_prefix("gemini-") {
            let old = version.starts_with(['1', '2']);
            return Some(if old { Self::GeminiTiles } else { Self::GeminiResolution });
        }
        if belongs(&model, "glm-4v") {
            return Some(Self::Fixed(1600));
        }
        let version = model.strip_prefix("glm-")?.split('-').next()?;
        version.ends_with('v').then_some(Self::Glm)
    }

    /// Tokens of one image of that size in pixels.
    pub fn tokens(self, width: u32, height: u32, detail: Detail) -> u64 {
        let image = Size::new(width, height);
        let tokens = match self {
            Self::Tiles { base, .. } if detail == Detail::Low => base.into(),
            Self::Tiles { base, per_tile } => {
                u128::from(base) + u128::from(per_tile) * tiles_512(image)
            }
            Self::Patches { percent } => times(patches_32(image, 1536, 2048), percent),
            Self::DetailedPatches { percent, auto_is_original, original } => {
                let (budget, side) = match detail {
                    Detail::Low => (256, 512),
                    Detail::Original => original,
                    Detail::Auto if auto_is_original => original,
                    Detail::High | Detail::Auto => (2500, 2048),
                };
                times(patches_32(image, budget.into(), side.into()), percent)
            }
            Self::Blocks { side, budget } => blocks_28_fit(image, side.into(), budget.into()),
            Self::GeminiTiles if width <= 384 && height <= 384 => 258,
            Self::GeminiTiles => 258 * tiles_by_ratio(image),
            Self::GeminiResolution if detail == Detail::Low => 280,
            Self::GeminiResolution => 1120,
            Self::Glm => blocks_28_round(image, 7500),
            Self::Fixed(tokens) => tokens.into(),
        };
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

/// Rounded up, as public readings of the guide do.
fn times(patches: u128, percent: u32) -> u128 {
    (patches * u128::from(percent)).div_ceil(100)
}

/// Tokens of one image for a model; `None` where no rule is known.
pub fn image_tokens(model: &str, width: u32, height: u32, detail: Detail) -> Option<u64> {
    ImageRule::for_model(model).map(|rule| rule.tokens(width, height, detail))
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
