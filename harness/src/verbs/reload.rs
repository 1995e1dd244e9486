//! `reload`: a proxy reads its configuration anew; new sessions are its new process's, old ones stay where they are.
//!
//! HAProxy and relay: a second process is started beside the first and takes its listening sockets over, then the first gets SIGUSR1
//! (HAProxy, management guide, 3, what `-x` and `-sf` do). nginx: SIGHUP ("Controlling nginx"). On the wire: nothing for sessions that stand, until
//! `hard-stop-after` or `worker_shutdown_timeout` ends them; connections that the old process had not accepted yet are the new one's; nginx's may get RST.
//! Its opposite is another reload.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{ProcessName, Shaped, Word};

/// `- reload: lb`
pub const RELOAD: Word<Arc<dyn Verb>> = Word {
    name: "reload",
    about: "a proxy reads its configuration anew: HAProxy and relay by a second process that takes the listening sockets over from the first, which then gets SIGUSR1 (what `-x` and `-sf` do), so that nobody who waits is lost; nginx by SIGHUP. Sessions that stand see nothing, until `hard-stop-after` (nginx: `worker_shutdown_timeout`) ends them; new ones are the new process's. The opposite is another `reload`",
    example: "lb",
    takes: ProcessName::SHAPE,
    decode: |value| Some(Arc::new(Reload(value.decode::<ProcessName>()?.to_string()))),
};

#[derive(Debug)]
struct Reload(String);

impl Verb for Reload {
    fn object(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async { lab.reload(&self.0).await })
    }
}
