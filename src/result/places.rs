//! A compact table from row to the place of its answer: 16 bytes a row, in pages, so that it
//! grows without ever being copied and a few far-off ids cost little.

use super::artifacts::Place;

/// Rows of one page: 64 KiB of slots.
const PAGE: usize = 4096;
/// Files are numbered in the upper 16 bits of a slot, offsets in the lower 48.
const OFFSET_BITS: u32 = 48;
/// Files a table can tell apart.
pub(super) const MOST_FILES: usize = 1 << 16;
/// Rows a table can hold: ids beyond are nobody's.
pub(super) const MOST_ROWS: u64 = 1 << 32;

/// Rounds are few: the uppermost bits of their number tell whose line it is.
const ROUND_BITS: u32 = 30;

/// Whose line an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// The row's own.
    Own,
    /// That of a row which asks the same.
    Equal,
    /// That of an earlier job.
    Cached,
}

/// The line of a number: where it lies, in which round it was given, whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) round: u32,
    pub(super) sharing: Sharing,
}

/// Where a row's answer is, and in which round it was given. A length of 0 means: nowhere.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    file_and_offset: u64,
    length: u32,
    round: u32,
}

/// Places by number.
#[derive(Debug, Default)]
pub(super) struct Places {
    pages: Vec<Option<Box<[Slot]>>>,
}

impl Places {
    /// The line at this number.
    pub(super) fn get(&self, number: u64) -> Option<Spot> {
        let (page, index) = split(number)?;
        let slot = self.pages.get(page)?.as_ref()?[index];
        (slot.length > 0).then(|| slot.spot())
    }

    /// Puts a line there; lines are never empty, so its length is above 0.
    pub(super) fn set(&mut self, number: u64, spot: Spot) {
        let Some((page, index)) = split(number) else { return };
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let slots = self.pages[page].get_or_insert_with(|| vec![Slot::default(); PAGE].into());
        slots[index] = Slot::new(spot);
    }

    /// All lines with their numbers, in order of these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Spot)> {
        self.pages.iter().enumerate().flat_map(|(page, slots)| {
            let all = slots.iter().flat_map(|slots| slots.iter()).enumerate();
            let filled = all.filter(|(_, slot)| slot.length > 0);
            filled.map(move |(index, slot)| ((page * PAGE + index) as u64, slot.spot()))
        })
    }
}

impl Slot {
    fn new(spot: Spot) -> Self {
        let Spot { place, round, sharing } = spot;
        let file_and_offset = (u64::from(place.artifact) << OFFSET_BITS) | place.offset;
        let whose = match sharing {
            Sharing::Own => 0,
            Sharing::Equal => 1,
            Sharing::Cached => 2,
        };
        let round = round.min((1 << ROUND_BITS) - 1) | (whose << ROUND_BITS);
        Self { file_and_offset, length: place.length, round }
    }

    fn spot(self) -> Spot {
        let place = Place {
            artifact: u32::try_from(self.file_and_offset >> OFFSET_BITS).unwrap_or(u32::MAX),
            offset: self.file_and_offset & ((1 << OFFSET_BITS) - 1),
            length: self.length,
        };
        let sharing = match self.round >> ROUND_BITS {
            0 => Sharing::Own,
            1 => Sharing::Equal,
            _ => Sharing::Cached,
        };
        Spot { place, round: self.round & ((1 << ROUND_BITS) - 1), sharing }
    }
}

fn split(number: u64) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok().filter(|_| number < MOST_ROWS)?;
    Some((number / PAGE, number % PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_compactly_b14() {
        assert!(size_of::<Slot>() <= 24, "the goal is 24 bytes a row");
        let mut places = Places::default();
        let numbers = [0, 1, 4095, 4096, 1_000_000, MOST_ROWS - 1];
        for number in numbers {
            let artifact = if number == 1 { 65_535 } else { 3 };
            let place = Place { artifact, offset: number * 700, length: 12 };
            let spot = Spot { place, round: 2, sharing: Sharing::Cached };
            places.set(number, spot);
            assert_eq!(places.get(number), Some(spot));
            places.set(number, Spot { sharing: Sharing::Own, ..spot });
            assert_eq!(places.get(number).map(|spot| spot.sharing), Some(Sharing::Own));
        }
        assert_eq!(places.iter().map(|(number, _)| number).collect::<Vec<_>>(), numbers);
        for number in [2, 5000, 999_999, MOST_ROWS, u64::MAX] {
            assert_eq!(places.get(number), None);
        }
        let pages = places.pages.iter().flatten().count();
        assert!(pages <= numbers.len(), "only pages in use are held");
    }
}
