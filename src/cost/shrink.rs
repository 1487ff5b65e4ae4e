//! The arithmetic of shrinking images, in whole numbers.
//!
//! After a shrink a side is often an exact multiple of a tile; in floating point a hair above it
//! adds a whole row of tiles. Sides are up to 2^32 pixels, products are kept in 128 bits.

/// Width and height in pixels, both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) w: u128,
    pub(super) h: u128,
}

impl Size {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { w: u128::from(width.max(1)), h: u128::from(height.max(1)) }
    }

    fn long(self) -> u128 {
        self.w.max(self.h)
    }

    fn short(self) -> u128 {
        self.w.min(self.h)
    }
}

/// Tiles of 512 after fitting into 2048 x 2048 and then bringing the shorter side down to 768.
pub(super) fn tiles_512(image: Size) -> u128 {
    // The scale as a fraction.
    let (mut up, mut down) = if image.long() > 2048 { (2048, image.long()) } else { (1, 1) };
    if image.short() * up > 768 * down {
        (up, down) = (768, image.short());
    }
    (image.w * up).div_ceil(down * 512) * (image.h * up).div_ceil(down * 512)
}

/// Patches of 32 after bringing the longer side down to `side` and the number down to `budget`.
pub(super) fn patches_32(image: Size, budget: u128, side: u128) -> u128 {
    let (up, down) = if image.long() > side { (side, image.long()) } else { (1, 1) };
    let plain = (image.w * up).div_ceil(down * 32) * (image.h * up).div_ceil(down * 32);
    if plain <= budget {
        return plain;
    }
    // From here on only the ratio of the sides counts. Very long strips would have no column.
    let columns = (budget * image.w / image.h).isqrt().max(1);
    let rows = (budget * image.h / image.w).isqrt().max(1);
    let patches = if columns * image.h <= rows * image.w {
        columns * (image.h * columns).div_ceil(image.w)
    } else {
        (image.w * rows).div_ceil(image.h) * rows
    };
    patches.min(budget)
}

/// Blocks of 28 after the greatest shrink-to-fit: both sides within `side` and the number of
/// blocks within `budget`. The longer side is found by bisection, the shorter one is rounded.
pub(super) fn blocks_28_fit(image: Size, side: u128, budget: u128) -> u128 {
    let blocks = |long: u128| {
        let short = (2 * long * image.short() + image.long()) / (2 * image.long());
        (long.div_ceil(28), short.max(1).div_ceil(28))
    };
    let fits = |long: u128| {
        let (a, b) = blocks(long);
        a * 28 <= side && b * 28 <= side && a * b <= budget
    };
    let mut good = 1;
    let mut bad = image.long() + 1;
    if !fits(good) {
        return 1;
    }
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    let (a, b) = blocks(good);
    a * b
}

/// Blocks of 28 with each side rounded to the nearest block, shrunk to at most `budget` blocks.
pub(super) fn blocks_28_round(image: Size, budget: u128) -> u128 {
    let nearest = |side: u128| ((side + 14) / 28).max(1);
    let plain = nearest(image.w) * nearest(image.h);
    if plain <= budget {
        return plain;
    }
    let columns = (budget * image.w / image.h).isqrt().max(1);
    let rows = (budget * image.h / image.w).isqrt().max(1);
    (columns * rows).min(budget)
}

/// Tiles whose side is two thirds of the shorter side: a rough rule for Gemini 2.
pub(super) fn tiles_by_ratio(image: Size) -> u128 {
    // Two thirds as floor(min / 1.5), and never less than one pixel.
    let unit = (image.short() * 2 / 3).max(1);
    image.w.div_ceil(unit) * image.h.div_ceil(unit)
}
