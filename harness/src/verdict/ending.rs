//! How an endpoint ended, by each kind of source that tells, and what belongs to that end.
//!
//! Facts belong together by causality where that orders them, and not by their distance: a program can be preempted between
//! any two of them.

use super::model::Seen;
use super::scene::{INSTANT, Scene};
use crate::evidence::{Context, Moment, Point, Report, Source, Span, TcpState};

/// How far two sources' times of one moment can be apart, all being times of CLOCK_MONOTONIC: the trace prints whole
/// microseconds, rounded, and the capture's stamps are of CLOCK_REALTIME and brought over ([`netns::CaptureEnd`]).
const READING: Span = Span(100_000);

/// The error that a socket has from being destroyed, and from nothing else (`tcp_diag_destroy` in net/ipv4/tcp_diag.c).
pub(super) const DESTROYED: &str = "ECONNABORTED";

/// How an endpoint's connection first ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It sent FIN before it got one.
    SentFin,
    /// It aborted: RST, by its own process.
    SentRst,
    /// FIN was delivered to it first.
    GotFin,
    /// RST was delivered to it first.
    GotRst,
    /// Its kernel gave up on the peer.
    Died,
    /// Somebody else ended its socket from outside its program (SOCK_DESTROY): the program gets ECONNABORTED.
    Destroyed,
    /// Its process gave up an attempt to connect that had not been answered: nothing is sent for that.
    Abandoned,
}

impl Way {
    /// Whether this endpoint's process ended it.
    #[must_use]
    pub fn by_process(self) -> bool {
        matches!(self, Way::SentFin | Way::SentRst | Way::Abandoned)
    }

    /// Whether it was this endpoint that ended it.
    #[must_use]
    pub fn own(self) -> bool {
        self.by_process() || matches!(self, Way::Died | Way::Destroyed)
    }
}

/// What one kind of source says of an endpoint's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Moment,
    /// How.
    pub way: Way,
    /// Which source says so.
    pub source: Source,
}

impl<'a> Scene<'a> {
    /// How this endpoint ended, by each kind of source that tells.
    #[must_use]
    pub fn endings(&self) -> Vec<Ending> {
        [self.kernel_end(), self.wire_end(), self.log_end()].into_iter().flatten().collect()
    }

    /// The end, by the source that knows best: the kernel, else the wire, else the program's own report.
    #[must_use]
    pub fn end(&self) -> Option<Ending> {
        self.kernel_end().or_else(|| self.wire_end()).or_else(|| self.log_end())
    }

    /// What the kernel's trace says.
    #[must_use]
    pub fn kernel_end(&self) -> Option<Ending> {
        self.half_closed(Source::Kernel).map(|half| half.end).or_else(|| self.first_kernel_end())
    }

    /// The first end that the kernel's trace shows.
    pub(super) fn first_kernel_end(&self) -> Option<Ending> {
        let me = self.me();
        let left = |state| {
            matches!(state, TcpState::Established | TcpState::SynSent | TcpState::SynRecv)
                || self.past_fin && state == TcpState::CloseWait
        };
        let change = me.states.iter().find(|change| left(change.old) && !left(change.new))?;
        let way = match change.new {
            TcpState::FinWait1 | TcpState::LastAck => Way::SentFin,
            TcpState::CloseWait => Way::GotFin,
            // tcp_reset() takes the RST, and then ends the socket; no socket outlives one that it took.
            _ if me.resets_received.iter().any(|at| *at <= change.at) => Way::GotRst,
            _ if me.errors.iter().any(|(_, errno)| errno == DESTROYED) => Way::Destroyed,
            _ if change.old == TcpState::SynSent && matches!(change.context, Context::Process { .. }) => Way::Abandoned,
            _ if matches!(change.context, Context::Process { .. }) => Way::SentRst,
            _ => Way::Died,
        };
        Some(Ending { at: change.at, way, source: Source::Kernel })
    }

    /// What the wire says: the first FIN or RST at this end.
    #[must_use]
    pub fn wire_end(&self) -> Option<Ending> {
        self.half_closed(Source::Wire).map(|half| half.end).or_else(|| self.first_wire_end())
    }

    /// The first FIN or RST that the wire shows at this end.
    pub(super) fn first_wire_end(&self) -> Option<Ending> {
        let me = self.me();
        let heard = |seen: &&Seen| seen.flags.rst() || !self.past_fin;
        let ending = |seen: &Seen, fin, rst| Ending {
            at: seen.at,
            way: if seen.flags.rst() { rst } else { fin },
            source: Source::Wire,
        };
        // What a rebooted host's new kernel sends is not this endpoint's doing.
        let alive = |seen: &&Seen| me.host_down.is_none_or(|down| seen.at <= down);
        let sent = me.ends(Point::Sent).find(alive).map(|seen| ending(seen, Way::SentFin, Way::SentRst));
        let got =
            me.ends(Point::Delivered).filter(alive).find(heard).map(|seen| ending(seen, Way::GotFin, Way::GotRst));
        let first = match (sent, got) {
            (Some(sent), Some(got)) => Some(if got.at < sent.at { got } else { sent }),
            (sent, got) => sent.or(got),
        };
        // A kernel may give up in silence, or hold a FIN back behind data: what passes later does not tell how it ended.
        // Its own FIN is that of its own close however late it passes: the kernel changes the state first, and then sends it.
        let silent = self.first_kernel_end().filter(|end| matches!(end.way, Way::Died | Way::SentFin));
        let own_fin = |first: &Ending, end: Ending| first.way == Way::SentFin && end.way == Way::SentFin;
        first.filter(|first| silent.is_none_or(|end| own_fin(first, end) || first.at <= end.at.after(INSTANT)))
    }

    /// What the program itself reports, if it is one that reports.
    #[must_use]
    pub fn log_end(&self) -> Option<Ending> {
        self.me().reports.iter().find_map(|(at, report)| {
            let way = match report {
                Report::Eof if self.past_fin => return None,
                Report::Eof => Way::GotFin,
                Report::Error { errno } if matches!(errno.as_str(), "ECONNRESET" | "EPIPE") => Way::GotRst,
                Report::Error { errno } if errno == DESTROYED => Way::Destroyed,
                Report::Error { .. } => Way::Died,
                Report::HalfClosed { took } => {
                    return Some(Ending { at: Moment(at.0 - took.0), way: Way::SentFin, source: Source::Log });
                }
                Report::Closed { took, .. } => {
                    let began = Moment(at.0 - took.unwrap_or_default().0);
                    return Some(Ending { at: began, way: Way::SentFin, source: Source::Log });
                }
                _ => return None,
            };
            Some(Ending { at: *at, way, source: Source::Log })
        })
    }

    /// Whether the program says that it closed the connection, and this end can be the work of that close(2) or shutdown(2).
    ///
    /// The kernel changes the socket's state while the program is in the system call, so that the change lies between its
    /// beginning and its return, however long the program was preempted meanwhile. The FIN can pass later: it waits behind data.
    #[must_use]
    pub fn closed_by_program(&self, end: &Ending) -> bool {
        self.me().reports.iter().any(|(returned, report)| {
            let took = match report {
                Report::Closed { took, .. } => *took,
                Report::HalfClosed { took } => Some(*took),
                _ => return false,
            };
            // A report that does not tell when the close began is taken for one of the same instant.
            let began = Moment(returned.0 - took.unwrap_or(INSTANT).0);
            let begun = began <= end.at.after(READING);
            begun && (end.source == Source::Wire || end.at <= returned.after(READING))
        })
    }

    /// The RST that this socket made when it was aborted or given up: its moment and the kernel's reason, if that is told.
    ///
    /// A timer makes it and then ends the socket (`tcp_keepalive_timer`); in a process's time the socket is ended first
    /// (`__tcp_close`, `tcp_disconnect`), and the process may be preempted before the RST.
    #[must_use]
    pub fn reset_made(&self) -> Option<(Moment, Option<&'a str>)> {
        let end = self.kernel_end().filter(|end| matches!(end.way, Way::SentRst | Way::Died))?;
        let made = self.me().resets_sent.iter().filter(|(_, state, _)| state.is_some());
        let (at, _, reason) = belonging(made, |(at, ..)| *at, end.at)?;
        Some((*at, reason.as_deref()))
    }

    /// The error with which the kernel gave the connection up. It is reported after the socket's end (`tcp_done_with_error`),
    /// before Linux 6.11 ahead of it (`tcp_write_err`).
    #[must_use]
    pub fn fatal_error(&self) -> Option<(Moment, &'a str)> {
        let end = self.kernel_end().filter(|end| end.way == Way::Died)?;
        let (at, errno) = belonging(self.me().errors.iter(), |(at, _)| *at, end.at)?;
        Some((*at, errno))
    }
}

/// Of what the kernel did to a socket, all by one clock, what belongs to the socket's end: an ended one does it once at most,
/// so it is the first that comes behind the end, else the last before it.
fn belonging<'a, T>(
    mut facts: impl DoubleEndedIterator<Item = &'a T> + Clone,
    at: fn(&T) -> Moment,
    end: Moment,
) -> Option<&'a T> {
    facts.clone().find(|fact| at(fact) >= end).or_else(|| facts.next_back())
}
