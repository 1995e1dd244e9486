//! Many cases on one kernel: each is judged by its own events.

use std::ops::RangeInclusive;

use whyclosed::evidence::{Event, Fact, Pair};
use whyclosed::report::results::CaseResult;
use whyclosed::run::REAL;
use whyclosed_tests::program::{Run, fixture, run};
use whyclosed_tests::{Failure, Result, ensure, under_test};

/// The ports that the services listen on.
const LISTENED: [u16; 2] = [5672, 7000];

fn sixteen(jobs: &str) -> Result<Run> {
    run(under_test!(), REAL, [fixture("sixteen-faults.yaml").as_os_str(), "--jobs".as_ref(), jobs.as_ref()])?
        .expect_code(0)
}

fn check(run: &Run) -> Result {
    let found = run.found()?;
    ensure!(found.results.cases.len() == 16, "{} cases instead of 16", found.results.cases.len());
    for case in &found.results.cases {
        let events = found.evidence(case)?;
        own_events(case, &events).and_then(|()| own_verdict(case, &events)).map_err(|failure| {
            let name = case.name();
            run.failure(&format!("{name}: {failure:?}"))
        })?;
    }
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn sixteen_equal_cases_at_once_each_have_their_own_events_and_verdicts() -> Result {
    check(&sixteen("16")?)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn two_runs_side_by_side_do_not_disturb_each_other() -> Result {
    let runs = std::thread::scope(|scope| {
        let [one, other] = [scope.spawn(|| sixteen("16")), scope.spawn(|| sixteen("16"))];
        [one, other].map(|run| run.join().unwrap_or_else(|_| Err(Failure::new("the run panicked"))))
    });
    for run in runs {
        check(&run?)?;
    }
    Ok(())
}

/// Every connection that the kernel's trace or a program tells of has its ephemeral port in the case's own slice.
fn own_events(case: &CaseResult, events: &[Event]) -> Result {
    let slices: Vec<RangeInclusive<u16>> = events.iter().filter_map(slice).collect();
    ensure!(slices.len() == 3, "{} nodes with a port range instead of 3", slices.len());
    ensure!(slices.iter().all(|slice| *slice == slices[0]), "the nodes have different port ranges: {slices:?}");
    let pairs: Vec<Pair> = events.iter().filter_map(pair).collect();
    ensure!(!pairs.is_empty(), "the kernel told nothing");
    for pair in pairs {
        let ports = [pair.local.port(), pair.remote.port()];
        let own = |port: &u16| LISTENED.contains(port) || *port == 0 || slices[0].contains(port);
        ensure!(ports.iter().all(own), "{} has an event of {pair:?}, outside {:?}", case.folder, slices[0]);
    }
    Ok(())
}

fn slice(event: &Event) -> Option<RangeInclusive<u16>> {
    match &event.fact {
        Fact::Sysctl { name, value, .. } if name == "net.ipv4.ip_local_port_range" => {
            let mut ports = value.split_whitespace().map(str::parse);
            Some(ports.next()?.ok()?..=ports.next()?.ok()?)
        }
        _ => None,
    }
}

fn pair(event: &Event) -> Option<Pair> {
    match &event.fact {
        Fact::State { pair, .. }
        | Fact::SocketError { pair, .. }
        | Fact::ResetSent { pair, .. }
        | Fact::ResetReceived { pair, .. }
        | Fact::Retransmit { pair, .. }
        | Fact::Standing { pair, .. } => Some(*pair),
        Fact::SocketOptions(options) => Some(options.pair),
        _ => None,
    }
}

/// Both legs ended by the fault of this case, at its own time.
fn own_verdict(case: &CaseResult, events: &[Event]) -> Result {
    let fault = case.case.first().map_or("", |(_, fault)| fault);
    let (kind, millis) = fault.rsplit_once('-').unwrap_or_default();
    let seconds = millis.parse::<f64>()? / 1000.0;
    let [client, server] = match kind {
        "client" => ["proxy-timeout-client"; 2],
        "server" => ["proxy-timeout-server"; 2],
        "kill-client" => ["process-exit", "proxy-relayed"],
        _ => ["proxy-relayed", "process-exit"],
    };
    ensure!(case.connections.len() == 2, "{} connections instead of 2", case.connections.len());
    for verdict in &case.connections {
        let expected = if verdict.from == "client" { client } else { server };
        let at = verdict.at_s.unwrap_or_default();
        ensure!(verdict.mechanism == expected, "{} ended by {}, not {expected}", verdict.name, verdict.mechanism);
        ensure!(at >= seconds, "{} ended at {at} s, before {seconds} s", verdict.name);
        if kind == "client" || kind == "server" {
            ensure!(verdict.nominal_s == Some(seconds), "{} has nominal {:?}", verdict.name, verdict.nominal_s);
        } else if expected == "process-exit" {
            // However late this machine plays the step: the end lies within the case's own.
            let [begins, done] = [false, true].map(|done| kill(events, done).unwrap_or_default());
            ensure!((begins..=done).contains(&at), "{} ended at {at} s, killed {begins} s to {done} s", verdict.name);
        }
    }
    Ok(())
}

/// When the case's `kill` began or was done, seconds.
fn kill(events: &[Event], wanted: bool) -> Option<f64> {
    events.iter().find_map(|event| match &event.fact {
        Fact::Step { verb, done, .. } if verb == "kill" && *done == wanted => Some(event.at_ns.seconds()),
        _ => None,
    })
}
