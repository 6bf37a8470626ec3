//! Randomness that is the same on every machine: a counter-based generator, and nothing but integer
//! arithmetic and exactly rounded operations on what it says.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of random numbers.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream for one purpose of one instrument. Streams do not depend on each other, so other
    /// instruments, their order, and how much another stream was used change nothing.
    pub(crate) fn new(seed: u64, key: &str, purpose: &str) -> Dice {
        let name = format!("lockstep synthetic {seed} {key} {purpose}");
        Dice(ChaCha8Rng::from_seed(*blake3::hash(name.as_bytes()).as_bytes()))
    }

    /// One of `0..n`, or 0 if that is empty.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// One of `range`.
    pub(crate) fn within(&mut self, range: &RangeInclusive<u32>) -> u32 {
        range.start() + self.below((range.end() + 1).saturating_sub(*range.start()))
    }

    /// True in `per_mille` of 1000 cases.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// In `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Four whole numbers of -65535..=65535, each as likely as its negative.
    pub(crate) fn four_steps(&mut self) -> [i64; 4] {
        let word = self.0.next_u64();
        [0, 16, 32, 48].map(|at| 2 * ((word >> at) & 0xFFFF) as i64 - 65_535)
    }

    /// Nearly normal, mean 0, variance 1, never beyond 6: the sum of twelve 16-bit numbers. The
    /// usual ways need logarithms or sines, which differ between machines.
    pub(crate) fn normal(&mut self) -> f64 {
        let twelfths = (0..3).map(|_| self.0.next_u64());
        let sum: u64 =
            twelfths.flat_map(|word| [0, 16, 32, 48].map(|at| word >> at & 0xFFFF)).sum();
        // Twelve numbers of 0..=65535 have the mean 12 * 65535 / 2.
        (sum as f64 - 393_210.0) / 65_536.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_and_their_own() {
        let draw = |key, purpose| {
            let mut dice = Dice::new(7, key, purpose);
            [(); 4].map(|()| dice.below(1_000_000))
        };
        assert_eq!(draw("a", "path"), draw("a", "path"));
        assert_ne!(draw("a", "path"), draw("b", "path"));
        assert_ne!(draw("a", "path"), draw("a", "feed"));
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut dice = Dice::new(1, "key", "test");
        let drawn: Vec<f64> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
    }
}
