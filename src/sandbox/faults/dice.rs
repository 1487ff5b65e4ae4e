//! Numbers that look random and are the same each time.

/// splitmix64.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Dice(u64);

impl Dice {
    pub(in crate::sandbox) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::sandbox) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = self.0;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^ (random >> 31)
    }

    /// From 0 to less than `sides`, which is at least 1.
    pub(in crate::sandbox) fn below(&mut self, sides: usize) -> usize {
        let sides = sides.max(1) as u64;
        usize::try_from(self.roll() % sides).expect("less than a usize")
    }

    /// From 0 to less than 1.
    pub(in crate::sandbox) fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).expect("32 bits are left")) / 4_294_967_296.0
    }
}
