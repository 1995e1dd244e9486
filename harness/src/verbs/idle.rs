//! `idle`: nothing is done for a while.

use std::sync::Arc;
use std::time::Duration;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{Shaped, Word};

/// `- idle: 200s`
pub const IDLE: Word<Arc<dyn Verb>> = Word {
    name: "idle",
    about: "nothing, for a while",
    example: "200s",
    takes: Duration::SHAPE,
    decode: |value| Some(Arc::new(Idle(value.decode()?))),
};

#[derive(Debug)]
struct Idle(Duration);

impl Verb for Idle {
    fn lasts(&self) -> [Duration; 2] {
        [self.0; 2]
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            lab.during(tokio::time::sleep(self.0)).await;
            Ok(())
        })
    }
}
