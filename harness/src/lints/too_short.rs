//! A timeline that is over before the timer that is expected can fire.

use std::time::Duration;

use super::{Lint, Remark, Subject};
use crate::clock::readable;
use crate::scenario::{Expectation, Keepalive};

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "too-short",
    about: "the timeline is over before the expected timer can fire, its lateness counted",
    source: "kernel/time/timer.c: a timer is late by up to an eighth of its time, and never early",
    in_every_case: false,
    find,
};

/// How late a kernel's timer may be: the granularity of its wheel's level (`LVL_GRAN`), at most this share of its time.
const LATE: u32 = 8;

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let longest = subject.longest();
    let short = subject.case.expect.iter().filter_map(|expectation| {
        let mechanism = expectation.mechanism.as_deref()?;
        let nominal = expectation.nominal.or_else(|| keepalive(subject, expectation))?;
        let latest = if mechanism.starts_with("tcp-") { nominal + nominal / LATE } else { nominal };
        let remark = |message: String| Remark {
            line: expectation.line,
            message,
            help: "give the last `wait` more time (it is over when all is closed), or the last `idle`".into(),
        };
        let (nominal_text, longest_text) = (readable(nominal), readable(longest));
        if longest < nominal {
            let message = format!("the timeline is over after {longest_text} at most, before `{mechanism}` can fire: {nominal_text}");
            Some(remark(message))
        } else if longest <= latest {
            let message = format!(
                "the timeline is over after {longest_text} at most, and `{mechanism}` of {nominal_text} may be as late as {}: \
                 kernel timers are late by design",
                readable(latest)
            );
            Some(remark(message))
        } else {
            None
        }
    });
    short.collect()
}

/// What keepalive's settings say of the client whose connection is expected to end by it.
fn keepalive(subject: &Subject<'_>, expectation: &Expectation) -> Option<Duration> {
    if expectation.mechanism.as_deref() != Some("tcp-keepalive") {
        return None;
    }
    let client = subject.client(expectation.connection.client.as_ref()?.as_str())?;
    if expectation.closed_by.as_deref() != Some(client.node.as_str()) || client.user_timeout.is_some() {
        return None;
    }
    match client.keepalive {
        Keepalive::Custom { idle, interval, probes } => Some(idle + interval * probes),
        Keepalive::System | Keepalive::Off => None,
    }
}
