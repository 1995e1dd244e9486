//! Chance that can be repeated: everything random in a run comes from its seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The chance of one case: the same for the same seed and case, whatever else runs.
#[must_use]
pub fn of_case(seed: u64, case: &str) -> StdRng {
    let mut key = [0; 32];
    let (number, name) = key.split_at_mut(size_of::<u64>());
    number.copy_from_slice(&seed.to_le_bytes());
    // The generator is a cipher: a key needs to be different, not to look random.
    for (index, byte) in case.bytes().enumerate() {
        let place = &mut name[index % (32 - size_of::<u64>())];
        *place = place.rotate_left(3) ^ byte;
    }
    StdRng::from_seed(key)
}

/// Seeds for the wires of a case, in their order (tc-netem(8), `seed`).
pub fn wires(seed: u64, case: &str) -> impl Iterator<Item = u64> + use<> {
    let mut chance = of_case(seed, case);
    std::iter::repeat_with(move || chance.random())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, case: &str) -> Vec<u64> {
        wires(seed, case).take(3).collect()
    }

    #[test]
    fn the_same_seed_and_case_give_the_same_chance() {
        assert_eq!(first(7, "seed/idle"), first(7, "seed/idle"));
    }

    #[test]
    fn another_seed_or_another_case_gives_another_chance() {
        assert_ne!(first(7, "seed/idle"), first(8, "seed/idle"));
        assert_ne!(first(7, "seed/idle"), first(7, "seed/idel"));
    }
}
