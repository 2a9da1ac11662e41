//! Chance that can be repeated: everything a chaos run chooses, it chooses by one seed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use crate::support::cluster::environment;

/// Repeats the choices of an earlier run, which printed it.
const SEED: &str = "RECONCILER_TEST_SEED";

/// A generator of numbers (`SplitMix64`): equal seeds, equal numbers.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed)
    }

    /// Others, as repeatable as these, for somebody who throws at his own pace.
    pub(crate) fn for_another(&mut self) -> Self {
        Self(self.number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).expect("a count");
        usize::try_from(self.number() % sides).expect("below a count")
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn shuffle<T>(&mut self, cards: &mut [T]) {
        for last in (1..cards.len()).rev() {
            cards.swap(last, self.below(last + 1));
        }
    }
}

/// The seed that the environment names, or one that nobody has used before.
pub(crate) fn seed() -> u64 {
    environment(SEED).map_or_else(
        || RandomState::new().build_hasher().finish(),
        |text| text.parse().expect("RECONCILER_TEST_SEED is a number"),
    )
}

mod tests {
    use super::*;

    #[test]
    fn equal_seeds_choose_alike_and_others_otherwise() {
        let deal = |seed: u64| {
            let mut cards: Vec<u32> = (0..52).collect();
            let mut dice = Dice::from(seed);
            dice.shuffle(&mut cards);
            (cards, dice.for_another().below(1_000_000))
        };
        assert_eq!(deal(1), deal(1));
        assert_ne!(deal(1), deal(2));
        let (mut cards, _) = deal(3);
        cards.sort_unstable();
        assert!(cards.into_iter().eq(0..52), "none is lost or doubled");
    }
}
