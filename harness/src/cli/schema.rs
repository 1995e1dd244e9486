//! `whyclosed schema`

use super::PASSED;
use crate::Vocabulary;
use crate::scenario::schema;

/// Prints the JSON Schema of scenarios.
pub fn main() -> u8 {
    anstream::println!("{:#}", schema::<Vocabulary>());
    PASSED
}
