//! `soft-stop`: a proxy takes no new sessions, and ends when its last one has ended (HAProxy: SIGUSR1, management guide, 4;
//! nginx: SIGQUIT, "Controlling nginx").
//!
//! On the wire: nothing for sessions that stand; connections that the proxy has not accepted yet get RST, and so do new ones.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ProcessName, Shaped, Word};

/// `- soft-stop: lb`
pub const SOFT_STOP: Word<Arc<dyn Verb>> = Word {
    name: "soft-stop",
    about: "SIGUSR1 (nginx: SIGQUIT) to a proxy: it takes no new sessions and ends after its last one. A connection that it has not accepted yet meets RST; sessions see nothing, until `hard-stop-after` has passed if that is set. The opposite is `start`, when it has ended",
    example: "lb",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(SoftStop(value.decode::<ProcessName>()?.to_string()))),
};

#[derive(Debug)]
struct SoftStop(String);

impl Verb for SoftStop {
    fn object(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let process = lab.process(&self.0)?;
            lab.injected("soft-stop", &self.0);
            process.signal(lab.soft_stop_of(&self.0));
            Ok(())
        })
    }
}
