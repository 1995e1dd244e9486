//! A session's line, as `option tcplog` writes it (manual, 8.2.2), and behind it, what HAProxy does not tell: the event that began
//! the session's end, with its side and errno.

use std::fmt::Write as _;
use std::time::Duration;

use super::wall;
use crate::relay::moment::Moment;
use crate::relay::session::{Session, Side};

/// What a line tells that is not the session's own.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The frontend's name.
    pub frontend: &'a str,
    /// The backend's name.
    pub backend: &'a str,
    /// The server's name.
    pub server: Option<&'a str>,
    /// Connections of the process, the frontend, the backend, the server, when it is written.
    pub connections: [u32; 4],
}

/// Writes the line.
#[must_use]
pub fn line(session: &Session, around: &Around<'_>, now: Moment) -> String {
    let story = &session.story;
    let (accepted, date) = story.accepted;
    let assigned = story.assigned.map(|at| at.since(accepted));
    let connected = story.connected.map(|at| at.since(accepted));
    let connecting = connected.zip(assigned).map(|(connected, assigned)| ms(connected).saturating_sub(ms(assigned)));
    let [process, frontend, backend, server] = around.connections;
    let mut line = String::with_capacity(200);
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{}:{} [{}] {} {}/{} {}/{}/{} {} {} {process}/{frontend}/{backend}/{server}/{}{} {}/{}",
        story.client.ip(),
        story.client.port(),
        wall::accept_date(date),
        around.frontend,
        around.backend,
        around.server.unwrap_or("<NOSRV>"),
        or_never(assigned.map(ms)),
        or_never(connecting),
        ms(now.since(accepted)),
        session.flow(Side::Server).total,
        session.termination(),
        if story.redispatched { "+" } else { "" },
        story.retries,
        story.queued.0,
        story.queued.1,
    );
    if let Some(cause) = session.cause() {
        let _ = write!(line, " cause={cause}");
    }
    line
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// -1 stands for what never happened.
fn or_never(time: Option<u64>) -> String {
    time.map_or_else(|| "-1".into(), |time| time.to_string())
}
