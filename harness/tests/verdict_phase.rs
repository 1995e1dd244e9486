//! Where the phase of the timer wheel is known, a timer's window is a tick or so, and lies in that of all phases.
//!
//! The evidence is of runs on the real clock, whose phase nobody knows. So every phase is tried: one of them was the true one.

use std::fs;
use std::path::Path;

use whyclosed::evidence::{Event, Fact, Span};
use whyclosed::verdict::{Verdict, judge};

/// A tick of the kernels that the evidence is of (HZ=250), nanoseconds.
const TICK: i64 = 4_000_000;
/// After so many ticks the wheel is in the same phase for timers of up to 16 s.
const PHASES: i64 = 64;

/// The verdict on what ended by a timer in a saved run, the wheel being here at its start.
fn verdict(run: &str, mechanism: &str, wheel: Option<Span>) -> Option<Verdict> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/evidence/{run}.ndjson"));
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    let mut events: Vec<Event> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect();
    for event in &mut events {
        if let Fact::Kernel { wheel: known, .. } = &mut event.fact {
            *known = wheel;
        }
    }
    judge(&events).connections.into_iter().find(|verdict| verdict.mechanism == mechanism)
}

fn a_known_phase_narrows(run: &str, mechanism: &str) {
    let window = |verdict: Verdict| verdict.window_s.expect("a timer has a window");
    let [first, last] = window(verdict(run, mechanism, None).expect("the run ended by this timer"));
    let windows: Vec<_> = (0..PHASES)
        .filter_map(|tick| verdict(run, mechanism, Some(Span(tick * TICK))).filter(|verdict| verdict.firm))
        .map(window)
        .collect();
    assert!(!windows.is_empty(), "{run}: no phase allows what was seen");
    for [from, to] in &windows {
        assert!(first <= *from && *to <= last, "{run}: {from}..{to} in {first}..{last}");
    }
    let narrowest = windows.iter().map(|[from, to]| to - from).fold(f64::MAX, f64::min);
    assert!(narrowest < (last - first) / 2.0, "{run}: {narrowest} s of {} s", last - first);
}

#[test]
fn a_known_phase_narrows_the_window_of_keepalive() {
    a_known_phase_narrows("cut-server-srvtcpka-with", "tcp-keepalive");
}

#[test]
fn a_known_phase_narrows_the_window_of_retransmission() {
    a_known_phase_narrows("cut-in-flight-wire-client", "tcp-retransmission");
}
