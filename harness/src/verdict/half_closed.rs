//! A leg of a session that stands half-closed: the other leg's peer has closed in order, the proxy has passed its FIN on, and
//! this leg's peer does not close too.
//!
//! A FIN shuts one direction (RFC 9293, 3.6), and the session goes on in the other one. What ends it in the end is a new cause, by
//! which this leg is judged: a timer of the proxy's, an operator, the proxy's own end.

use super::ending::{Ending, Way};
use super::scene::Scene;
use crate::evidence::{Context, Moment, Source, Span, TcpState};

/// What ends sooner than this after the FIN was ended together with it.
const AT_ONCE: Span = Span::millis(100);

/// How a half-closed leg ended, by one kind of source.
#[derive(Clone, Copy, Debug)]
pub struct HalfClosed {
    /// When the proxy passed the FIN on to this leg.
    pub since: Moment,
    /// How the proxy ended it.
    pub end: Ending,
}

impl Scene<'_> {
    /// How the proxy ended this leg, if it stood half-closed before, by the kernel's trace or by the wire.
    #[must_use]
    pub fn half_closed(&self, source: Source) -> Option<HalfClosed> {
        let other = self.other_leg()?;
        let (since, end) = if source == Source::Kernel { self.closed_twice() } else { self.reset_after_fin(&other) }?;
        let closed = if source == Source::Kernel { other.first_kernel_end() } else { other.first_wire_end() }?;
        let passed_on = closed.way == Way::GotFin && closed.at <= since;
        passed_on.then_some(HalfClosed { since, end })
    }

    /// Whether this leg outlived the FIN that the proxy sent on it, and nothing says whether that was one that it passed on.
    #[must_use]
    pub fn may_be_half_closed(&self) -> bool {
        self.at_proxy() && self.other_leg().is_none() && self.closed_twice().is_some()
    }

    /// The FIN of this socket's process, and, a while later, the same process's close of the socket: no FIN of the peer's had come.
    fn closed_twice(&self) -> Option<(Moment, Ending)> {
        let states = &self.me().states;
        let first =
            states.iter().position(|change| change.old == TcpState::Established && change.new == TcpState::FinWait1)?;
        let since = states[first].at;
        let waits = |state| matches!(state, TcpState::FinWait1 | TcpState::FinWait2);
        let mut later = states[first + 1..].iter().take_while(|change| waits(change.old));
        let close = later.find(|change| {
            matches!(change.context, Context::Process { .. })
                && !(change.old == TcpState::FinWait1 && change.new == TcpState::FinWait2)
        })?;
        let aborted = self.me().resets_sent.iter().any(|(at, state, _)| *at >= close.at && state.is_some());
        let way = if aborted { Way::SentRst } else { Way::SentFin };
        let end = Ending { at: close.at, way, source: Source::Kernel };
        (close.at.since(since) > self.at_once()).then_some((since, end))
    }

    /// The FIN that this endpoint sent, and, a while later, its RST here or its FIN to the other leg: no FIN of the peer's had come.
    fn reset_after_fin(&self, other: &Scene<'_>) -> Option<(Moment, Ending)> {
        let me = self.me();
        let since = self.first_wire_end().filter(|end| end.way == Way::SentFin)?.at;
        let reset = me.sent.iter().find(|seen| seen.flags.rst() && seen.at > since).map(|seen| (seen.at, Way::SentRst));
        let answer = other.me().sent.iter().find(|seen| seen.flags.fin()).map(|seen| (seen.at, Way::SentFin));
        let (at, way) = [reset, answer].into_iter().flatten().min_by_key(|(at, _)| *at)?;
        let followed = me.delivered.iter().any(|seen| seen.at < at && (seen.flags.fin() || seen.flags.rst()));
        let end = Ending { at, way, source: Source::Wire };
        (!followed && at.since(since) > self.at_once()).then_some((since, end))
    }

    fn at_once(&self) -> Span {
        Span(AT_ONCE.0 + self.model.canary.0)
    }
}
