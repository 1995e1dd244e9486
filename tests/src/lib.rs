//! What the tests share.
//!
//! ```text
//! alike.rs      whether two runs saw the same
//! load.rs       other work for the processors
//! attack.rs     what a contained program must not be able to do to files
//! generate.rs   scenarios → the source of their tests (for the build script)
//! program.rs    running the program under test
//! case.rs       one case of a scenario: run, and compared with its snapshot
//! nginx.rs      in what nginx differs from HAProxy
//! record.rs     what a snapshot holds
//! reference.rs  the parts of docs/ that are made from the decoder's tables
//! shown.rs      where verdicts name each mechanism
//! soak/         a program that talks through a proxy for a day, and looks at every byte
//! turn.rs       how many cases are played at once
//! json.rs       YAML as other tools read it, and the JSON Schema
//! found.rs      results and evidence of a run, read back
//! machine.rs    what a run could leave behind, and what it must not touch
//! ```

pub mod alike;
pub mod attack;
pub mod case;
pub mod differences;
pub mod ends;
pub mod found;
pub mod generate;
pub mod json;
pub mod load;
pub mod machine;
pub mod nginx;
pub mod program;
pub mod record;
pub mod reference;
pub mod shown;
pub mod soak;
pub mod turn;

use std::fmt;

/// The outcome of a test.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a test failed, as a person reads it: a test that returns it fails without a backtrace.
pub struct Failure(String);

impl Failure {
    /// A failure with its reason.
    pub fn new(reason: impl Into<String>) -> Failure {
        Failure(reason.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Fails with this text when the condition does not hold.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($text)+)));
        }
    };
}

/// The path of the program under test, which cargo builds beside every test that asks for it.
#[macro_export]
macro_rules! under_test {
    () => {
        env!("CARGO_BIN_EXE_whyclosed-under-test")
    };
}
