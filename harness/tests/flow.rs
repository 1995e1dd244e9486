//! The flow graph of saved runs: what is an arrow, what is folded, where a fault lies.

use std::fs;
use std::path::Path;

use whyclosed::evidence::Event;
use whyclosed::report::flow::{Arrow, CaseFile, Flow, Gap, Kind, Lane, What};
use whyclosed::verdict::judge;

fn flow(name: &str) -> Flow {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/evidence/{name}.ndjson"));
    let text = fs::read_to_string(file).expect("saved evidence can be read");
    let events: Vec<Event> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is a fact")).collect();
    Flow::of(&CaseFile::default(), &events, &judge(&events).connections)
}

fn arrows(flow: &Flow) -> Vec<&Arrow> {
    flow.rows.iter().filter_map(|row| if let What::Arrow(arrow) = &row.what { Some(arrow) } else { None }).collect()
}

fn gaps(flow: &Flow) -> Vec<&Gap> {
    flow.rows.iter().filter_map(|row| if let What::Gap(gap) = &row.what { Some(gap) } else { None }).collect()
}

#[test]
fn answered_probes_are_folded_into_the_idle_time_in_which_they_passed() {
    let flow = flow("idle");
    let folded = gaps(&flow).iter().flat_map(|gap| &gap.routine).count();
    assert!(folded > 0, "no probe was folded");
    assert!(!arrows(&flow).iter().any(|arrow| matches!(arrow.kind, Kind::Probe(_))), "a probe stands by itself");
}

#[test]
fn health_checks_are_counted_and_not_drawn() {
    let flow = flow("idle");
    assert!(gaps(&flow).iter().any(|gap| gap.checks > 0), "no check was counted");
    assert!(arrows(&flow).iter().filter(|arrow| arrow.kind == Kind::Syn).count() <= 2, "a check was drawn");
}

#[test]
fn a_probe_that_a_cut_swallows_is_drawn_and_did_not_come() {
    let flow = flow("cut-server-srvtcpka-with");
    let lost: Vec<_> = arrows(&flow).into_iter().filter(|arrow| matches!(arrow.kind, Kind::Probe(false))).collect();
    assert!(lost.len() >= 3, "{} probes", lost.len());
    assert!(lost.iter().all(|arrow| !arrow.came()), "a probe came through a cut");
}

#[test]
fn a_cut_is_a_band_on_its_wire_from_its_step_to_the_end() {
    let flow = flow("cut-server-srvtcpka-with");
    let [band] = flow.bands.as_slice() else { panic!("{} bands", flow.bands.len()) };
    let s1 = flow.nodes.iter().position(|node| node == "s1").expect("there is s1");
    assert_eq!((band.lane, band.to), (Lane::Wire(s1), flow.rows.len()));
    assert!(matches!(&flow.rows[band.from].what, What::Step { text, .. } if text.starts_with("cut")));
}

#[test]
fn a_band_ends_with_the_step_that_mends() {
    let flow = flow("kernel-orphan-cable-restored");
    let band = flow.bands.first().expect("there is a fault");
    assert!(matches!(&flow.rows[band.to].what, What::Step { text, .. } if text.starts_with("restore")));
}

#[test]
fn a_frozen_process_is_a_band_on_its_node() {
    let flow = flow("frozen-victim-server");
    let s1 = flow.nodes.iter().position(|node| node == "s1").expect("there is s1");
    assert!(flow.bands.iter().any(|band| band.lane == Lane::Node(s1) && band.verb == "freeze"));
}

#[test]
fn the_cause_stands_before_the_segment_that_it_sent() {
    let flow = flow("cut-server-srvtcpka-with");
    let cause = flow.rows.iter().position(|row| matches!(&row.what, What::End(end) if end.cause)).expect("a cause");
    let rst = flow.rows.iter().position(|row| matches!(&row.what, What::Arrow(arrow) if arrow.kind == Kind::Rst));
    assert!(cause < rst.expect("a RST"));
}

#[test]
fn a_rst_has_the_kernels_reason_on_it() {
    let flow = flow("cut-server-srvtcpka-with");
    let rst = arrows(&flow).into_iter().find(|arrow| arrow.kind == Kind::Rst).expect("a RST");
    assert_eq!(rst.names, ["TCP_KEEPALIVE_TIMEOUT"]);
}

#[test]
fn what_is_sent_again_after_a_cut_is_told_as_such() {
    let flow = flow("cut-in-flight-wire-client");
    assert!(arrows(&flow).iter().any(|arrow| arrow.kind == Kind::Again && !arrow.came()));
}

#[test]
fn a_closed_window_is_probed_by_window_probes() {
    let flow = flow("kernel-zero-window-answered");
    let gaps = gaps(&flow);
    let mut routine = gaps.iter().flat_map(|gap| &gap.routine);
    let probe = |what: &What| matches!(what, What::Arrow(arrow) if arrow.kind == Kind::WindowProbe(true));
    assert!(routine.any(|row| probe(&row.what)));
}

#[test]
fn a_frame_has_its_name_on_its_arrow() {
    let flow = flow("amqp-publish-and-close");
    assert!(arrows(&flow).iter().any(|arrow| arrow.names.iter().any(|name| name == "connection.close")));
}

#[test]
fn behind_a_firewall_that_translates_a_connection_is_still_one() {
    let flow = flow("middleboxes-nat-forgets-first-client");
    let syns: Vec<_> = arrows(&flow).into_iter().filter(|arrow| arrow.kind == Kind::Syn).collect();
    assert!(syns.len() >= 2 && syns.iter().all(|arrow| arrow.connection == syns[0].connection), "{syns:?}");
}
