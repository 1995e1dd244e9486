//! The pulse: tells where a case's clock stands while something is waited for.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use netns::sockets::{TcpSocket, Timer};
use tokio::time::Instant;

use super::Lab;
use crate::clock::readable;
use crate::progress::{Moment, Progress};

/// Between two moments on a clock that people see moving.
const REAL: Duration = Duration::from_secs(1);
/// Between two moments on a virtual clock, at first;
const FIRST: Duration = Duration::from_millis(100);
/// and later this share of the time that has passed: an hour tells no more than some ten times what a minute does.
const SHARE: u32 = 16;
/// Timers that are told of: more do not fit on a line.
const NEXT: usize = 2;

/// Who is told, and since when.
pub struct Pulse {
    case: String,
    progress: Arc<dyn Progress>,
    jumps: bool,
    since: Instant,
}

impl Pulse {
    /// The pulse of a case from now on; `jumps` if its clock is virtual, and each moment the sign that it moves at all.
    #[must_use]
    pub fn new(case: String, progress: Arc<dyn Progress>, jumps: bool) -> Pulse {
        Pulse { case, progress, jumps, since: Instant::now() }
    }

    fn spacing(&self) -> Duration {
        if self.jumps { FIRST.max(self.since.elapsed() / SHARE) } else { REAL }
    }
}

impl Lab {
    /// The timeline begins now.
    pub fn begin(&mut self) {
        self.pulse.since = Instant::now();
    }

    /// Waits, and tells meanwhile where the clock stands.
    pub async fn during<T>(&self, waiting: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = waiting => done,
            never = self.beat() => match never {},
        }
    }

    async fn beat(&self) -> Infallible {
        let pulse = &self.pulse;
        let watched = pulse.progress.is_watched();
        if !watched && !pulse.jumps {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(pulse.spacing()).await;
            let next = if watched { self.next_timers().await } else { Vec::new() };
            pulse.progress.moment(&pulse.case, &Moment { clock_s: pulse.since.elapsed().as_secs_f64(), next });
        }
    }

    /// The kernel timers that fire next on any node, readable.
    async fn next_timers(&self) -> Vec<String> {
        let mut timers: Vec<(Duration, String)> = Vec::new();
        for (index, node) in self.case.nodes.iter().enumerate() {
            let Ok(namespace) = self.network.node(index) else { continue };
            for socket in netns::sockets::tcp(namespace).await.unwrap_or_default() {
                let Some((name, left)) = running(&socket) else { continue };
                timers.push((left, format!("{name} at {} in {}", node.name, readable(left))));
            }
        }
        timers.sort();
        timers.dedup();
        timers.into_iter().take(NEXT).map(|(_, text)| text).collect()
    }
}

/// The timer of a socket by the name that ss(8) and tcp(7) give it, and the time it has left.
fn running(socket: &TcpSocket) -> Option<(&'static str, Duration)> {
    let (name, milliseconds) = match socket.timer {
        Timer::Off => return None,
        Timer::On { expires_ms, .. } => ("retransmission", expires_ms),
        Timer::Keepalive { expires_ms, .. } => ("keepalive", expires_ms),
        Timer::TimeWait { expires_ms } => ("TIME-WAIT", expires_ms),
        Timer::Probe { expires_ms, .. } => ("zero window probe", expires_ms),
    };
    Some((name, Duration::from_millis(milliseconds.into())))
}
