//! Segments are those of the wire: no offload makes larger ones.

use whyclosed::evidence::{Event, Fact, Point};
use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::{fixture, run};
use whyclosed_tests::{Result, ensure, under_test};

/// Ethernet's header.
const LINK: u32 = 14;

#[test]
fn no_frame_of_400_kb_is_above_the_mtu() -> Result {
    let run = run(under_test!(), VIRTUAL, [fixture("bulk.yaml")])?.expect_code(0)?;
    let found = run.found()?;
    ensure!(found.results.cases.len() == 2, "{} cases instead of 2", found.results.cases.len());
    for case in &found.results.cases {
        let mtu: u32 = case.case.first().and_then(|(_, mtu)| mtu.parse().ok()).unwrap_or_default();
        let events = found.evidence(case)?;
        let largest = events.iter().filter_map(frame).max().unwrap_or_default();
        // Below it there is nothing to prove: full segments must have been sent.
        ensure!(largest == mtu + LINK, "{}: the largest frame has {largest} bytes, the MTU is {mtu}", case.name());
        let bytes: u64 = events.iter().filter_map(|event| received(event, "s1")).sum();
        ensure!(bytes >= 400_000, "{}: only {bytes} bytes came to s1", case.name());
    }
    Ok(())
}

fn frame(event: &Event) -> Option<u32> {
    match &event.fact {
        Fact::Segment(segment) => Some(segment.frame),
        Fact::Frame { frame, .. } => Some(*frame),
        _ => None,
    }
}

fn received(event: &Event, at: &str) -> Option<u64> {
    match &event.fact {
        Fact::Segment(segment) if segment.node == at && segment.point == Point::Delivered => {
            Some(segment.payload.into())
        }
        _ => None,
    }
}
