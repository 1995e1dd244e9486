//! `freeze` and `thaw`: SIGSTOP and SIGCONT. The application stands still; its kernel still answers probes.

use std::sync::Arc;

use rustix::process::Signal;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ProcessName, Shaped, Word};

/// `- freeze: s1`
pub const FREEZE: Word<Arc<dyn Verb>> = Word {
    name: "freeze",
    about: "SIGSTOP to every process of a service or client: the application stands still, its kernel goes on acknowledging data and probes. The opposite is `thaw`",
    example: "echo",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(Freeze { process: value.decode::<ProcessName>()?.to_string(), freezes: true })),
};

/// `- thaw: s1`
pub const THAW: Word<Arc<dyn Verb>> = Word {
    name: "thaw",
    about: "SIGCONT: the application goes on where it stood",
    example: "echo",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(Freeze { process: value.decode::<ProcessName>()?.to_string(), freezes: false })),
};

#[derive(Debug)]
struct Freeze {
    process: String,
    freezes: bool,
}

impl Verb for Freeze {
    fn object(&self) -> Option<&str> {
        Some(&self.process)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let process = lab.process(&self.process)?;
            process.signal(if self.freezes { Signal::STOP } else { Signal::CONT });
            lab.injected(if self.freezes { "freeze" } else { "thaw" }, &self.process);
            Ok(())
        })
    }
}
