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
    filled: u64,
}

impl Places {
    /// The place at this number, and its round.
    pub(super) fn get(&self, number: u64) -> Option<(Place, u32)> {
        let (page, index) = split(number)?;
        let slot = self.pages.get(page)?.as_ref()?[index];
        (slot.length > 0).then(|| (slot.place(), slot.round))
    }

    /// Puts a place there; lines are never empty, so its length is above 0.
    pub(super) fn set(&mut self, number: u64, place: Place, round: u32) {
        let Some((page, index)) = split(number) else { return };
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let slots = self.pages[page].get_or_insert_with(|| vec![Slot::default(); PAGE].into());
        self.filled += u64::from(slots[index].length == 0);
        slots[index] = Slot::new(place, round);
    }

    /// How many numbers have a place.
    pub(super) fn filled(&self) -> u64 {
        self.filled
    }

    /// How many numbers from this one on have a place, and the first of them.
    pub(super) fn from(&self, number: u64) -> (u64, Option<u64>) {
        let mut count = 0;
        let mut first = None;
        let begin = usize::try_from(number).unwrap_or(usize::MAX) / PAGE;
        for (page, slots) in self.pages.iter().enumerate().skip(begin) {
            for (index, slot) in slots.iter().flat_map(|slots| slots.iter()).enumerate() {
                let here = (page * PAGE + index) as u64;
                if here >= number && slot.length > 0 {
                    count += 1;
                    first = first.or(Some(here));
                }
            }
        }
        (count, first)
    }
}

impl Slot {
    fn new(place: Place, round: u32) -> Self {
        let file_and_offset = (u64::from(place.artifact) << OFFSET_BITS) | place.offset;
        Self { file_and_offset, length: place.length, round }
    }

    fn place(self) -> Place {
        Place {
            artifact: u32::try_from(self.file_and_offset >> OFFSET_BITS).unwrap_or(u32::MAX),
            offset: self.file_and_offset & ((1 << OFFSET_BITS) - 1),
            length: self.length,
        }
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
            places.set(number, place, 2);
            assert_eq!(places.get(number), Some((place, 2)));
        }
        assert_eq!(places.filled(), 6);
        assert_eq!(places.from(4096), (3, Some(4096)));
        assert_eq!(places.from(MOST_ROWS), (0, None));
        for number in [2, 5000, 999_999, MOST_ROWS, u64::MAX] {
            assert_eq!(places.get(number), None);
        }
        let pages = places.pages.iter().flatten().count();
        assert!(pages <= numbers.len(), "only pages in use are held");
    }
}
