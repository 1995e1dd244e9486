//! `start`: a service that has ended, or a client that starts later, is started.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ProcessName, Word};

/// `- start: s1`
pub const START: Word<Arc<dyn Verb>> = Word {
    name: "start",
    about: "starts a service that has ended, or a client with `starts: later`: `start: s1`",
    decode: |value| Some(Arc::new(Start(value.decode::<ProcessName>()?.to_string()))),
};

#[derive(Debug)]
struct Start(String);

impl Verb for Start {
    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            lab.injected("start", &self.0);
            lab.start_service(&self.0).await?;
            lab.start_client(&self.0).await
        })
    }
}
