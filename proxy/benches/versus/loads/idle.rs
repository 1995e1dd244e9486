//! One byte there and back, and then nothing.

use rustix::io::Errno;

use super::{give, take};
use crate::load::{End, Load, Next, Side};

/// The load.
#[derive(Default)]
pub struct Idle {
    /// Clients whose byte has come back.
    pub answered: u64,
}

impl Load for Idle {
    fn begin(&mut self, client: &mut End) -> Result<(), Errno> {
        give(&client.socket)
    }

    fn go_on(&mut self, end: &mut End) -> Result<Next, Errno> {
        match (end.side, take(&end.socket)?) {
            (_, None) => Ok(Next::Wait),
            (Side::Client, Some(1)) => {
                self.answered += 1;
                Ok(Next::Wait)
            }
            (Side::Server, Some(1)) => give(&end.socket).map(|()| Next::Wait),
            (_, Some(_)) => Err(Errno::CONNRESET),
        }
    }
}
