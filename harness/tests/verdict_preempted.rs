//! A program may be preempted anywhere in its own close. What follows by causality must follow however long that takes.
//!
//! The evidence is of real runs; the preemption is put into it by moving all that came after a moment.

use std::fs;
use std::path::Path;

use whyclosed::evidence::{Event, Fact, Moment, Report, Source, Span, TcpState, without};
use whyclosed::verdict::{Verdict, judge};

/// Far more than an instant.
const PREEMPTED: Span = Span::millis(300);

/// The saved runs in which the client's program ends its connection by itself, and what ends it.
const RUNS: [(&str, &str, &str); 2] = [("close", "app-close", "fin"), ("reset", "app-abort", "rst")];

fn read(run: &str) -> Vec<Event> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/evidence/{run}.ndjson"));
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect()
}

/// Where the client's kernel ended its socket.
fn end(events: &[Event]) -> usize {
    let ends = |fact: &Fact| {
        matches!(fact, Fact::State { node, old: TcpState::Established, new, .. }
            if node == "client" && *new != TcpState::Established)
    };
    events.iter().position(|event| ends(&event.fact)).expect("the client's socket ended")
}

/// Where the client's program said so.
fn report(events: &[Event]) -> usize {
    let says =
        |fact: &Fact| matches!(fact, Fact::Application { node, report: Report::Closed { .. }, .. } if node == "client");
    events.iter().position(|event| says(&event.fact)).expect("the client's program said that it closed")
}

/// The run as it had been if the program had not run for a while before the fact of this index.
fn preempted_before(mut events: Vec<Event>, index: usize) -> Vec<Event> {
    let from = events[index].at_ns;
    let said = report(&events);
    if let Fact::Application { report: Report::Closed { took: Some(took), .. }, .. } = &mut events[said].fact {
        took.0 += PREEMPTED.0;
    }
    for event in events.iter_mut().filter(|event| event.at_ns >= from) {
        event.at_ns = event.at_ns.after(PREEMPTED);
    }
    events
}

fn of_client(events: &[Event]) -> Verdict {
    let mut connections = judge(events).connections;
    connections.retain(|verdict| verdict.from == "client");
    connections.pop().expect("the client had a connection")
}

fn is_as_before(events: &[Event], mechanism: &str, signal: &str, when: &str) {
    let verdict = of_client(events);
    let found = (verdict.mechanism.as_str(), verdict.closed_by.as_deref(), verdict.signal.as_deref(), verdict.firm);
    assert_eq!(found, (mechanism, Some("client"), Some(signal), true), "{when}: {:#?}", verdict.doubts);
}

#[test]
fn a_program_preempted_between_its_close_and_the_report_of_it_closed_the_connection() {
    for (run, mechanism, signal) in RUNS {
        let mut events = read(run);
        let said = report(&events);
        if let Fact::Application { report: Report::Closed { took: Some(took), .. }, .. } = &mut events[said].fact {
            took.0 += PREEMPTED.0;
        }
        events[said].at_ns = events[said].at_ns.after(PREEMPTED);
        is_as_before(&events, mechanism, signal, run);
    }
}

#[test]
fn a_program_preempted_on_its_way_into_the_kernel_closed_the_connection() {
    for (run, mechanism, signal) in RUNS {
        let events = read(run);
        let index = end(&events);
        is_as_before(&preempted_before(events, index), mechanism, signal, run);
    }
}

#[test]
fn a_program_preempted_between_the_end_of_its_socket_and_the_segment_closed_the_connection() {
    for (run, mechanism, signal) in RUNS {
        let events = read(run);
        let index = end(&events) + 1;
        is_as_before(&preempted_before(events, index), mechanism, signal, run);
    }
}

#[test]
fn a_close_that_began_after_the_end_did_not_end_the_connection() {
    for (run, mechanism, _) in RUNS {
        let mut events = read(run);
        let (ended, said) = (events[end(&events)].at_ns, report(&events));
        if let Fact::Application { report: Report::Closed { took, .. }, .. } = &mut events[said].fact {
            *took = Some(Span::default());
        }
        events[said].at_ns = ended.after(Span::millis(1));
        assert_ne!(of_client(&events).mechanism, mechanism, "{run}");
    }
}

#[test]
fn a_close_that_had_returned_before_the_end_did_not_end_the_connection() {
    for (run, mechanism, _) in RUNS {
        let mut events = read(run);
        let (ended, said) = (events[end(&events)].at_ns, report(&events));
        events[said].at_ns = Moment(ended.0 - Span::millis(1).0);
        assert_ne!(of_client(&events).mechanism, mechanism, "{run}");
    }
}

#[test]
fn without_the_kernel_a_fin_that_passes_after_the_close_has_returned_is_still_its_own() {
    // A FIN waits behind data that is not acknowledged yet.
    let mut events = without(&read("close"), Source::Kernel);
    let fin = |fact: &Fact| matches!(fact, Fact::Segment(segment) if segment.flags.fin());
    let first = events.iter().position(|event| fin(&event.fact)).expect("there is a FIN");
    let (from, said) = (events[first].at_ns, report(&events));
    events[said].at_ns = from;
    for event in events.iter_mut().filter(|event| event.at_ns >= from && event.fact.source() == Source::Wire) {
        event.at_ns = event.at_ns.after(PREEMPTED);
    }
    let excluded = "app-close is excluded";
    let verdict = of_client(&events);
    assert!(!verdict.doubts.iter().any(|doubt| doubt.contains(excluded)), "{:#?}", verdict.doubts);
}
