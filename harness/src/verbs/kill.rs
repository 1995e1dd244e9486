//! `kill` and `terminate`: a process gets SIGKILL or SIGTERM. Its host lives on: its kernel closes the sockets.

use std::sync::Arc;

use rustix::process::Signal;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ProcessName, Shaped, Word};

/// `- kill: s1`
pub const KILL: Word<Arc<dyn Verb>> = Word {
    name: "kill",
    about: "SIGKILL to every process of a service or client; its host lives, and its kernel closes the sockets: FIN, or RST when received data was not read. The opposite is `start`",
    example: "echo",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(Kill { process: value.decode::<ProcessName>()?.to_string(), hard: true })),
};

/// `- terminate: lb`
pub const TERMINATE: Word<Arc<dyn Verb>> = Word {
    name: "terminate",
    about: "SIGTERM to a service or client: it may end in its own way. The opposite is `start`",
    example: "lb",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(Kill { process: value.decode::<ProcessName>()?.to_string(), hard: false })),
};

#[derive(Debug)]
struct Kill {
    process: String,
    hard: bool,
}

impl Verb for Kill {
    fn object(&self) -> Option<&str> {
        Some(&self.process)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let process = lab.process(&self.process)?;
            lab.injected(if self.hard { "kill" } else { "terminate" }, &self.process);
            if self.hard {
                lab.kill(&self.process).await
            } else {
                process.signal(Signal::TERM);
                Ok(())
            }
        })
    }
}
