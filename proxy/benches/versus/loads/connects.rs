//! Connect, one byte each way, close; a client comes in the place of the last.

use rustix::io::Errno;

use super::{give, take};
use crate::load::{End, Load, Next, Side};

/// The load.
#[derive(Default)]
pub struct Connects {
    /// Sessions that clients have ended.
    pub done: u64,
}

impl Load for Connects {
    fn begin(&mut self, client: &mut End) -> Result<(), Errno> {
        give(&client.socket)
    }

    fn go_on(&mut self, end: &mut End) -> Result<Next, Errno> {
        match (end.side, take(&end.socket)) {
            (Side::Client, Ok(Some(1))) => {
                self.done += 1;
                Ok(Next::Again)
            }
            (Side::Client, Ok(Some(_))) => Err(Errno::CONNRESET),
            (Side::Server, Ok(Some(1))) => give(&end.socket).map(|()| Next::Wait),
            // A proxy may end its connection to the server with RST: its ports are free again at once.
            (Side::Server, Ok(Some(_)) | Err(_)) => Ok(Next::Close),
            (_, Ok(None)) => Ok(Next::Wait),
            (_, Err(error)) => Err(error),
        }
    }
}
