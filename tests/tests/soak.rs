//! A day of sessions through relay, with everything that goes wrong in one.

use std::fmt::Write as _;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use whyclosed::evidence::{Event, Fact, Moment};
use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::run_text;
use whyclosed_tests::soak::{Short, Summary, WRONG};
use whyclosed_tests::{Failure, Result, ensure, under_test};

/// Another day is another number.
const SEED: u64 = 8;
const DAY_S: u64 = 86_400;
/// Between two sessions, on the average.
const GAP_S: u64 = 60;
/// Between two faults, at most.
const QUIET_S: u64 = 1200;
/// How long a fault lasts, at most: some outlast the proxy's timers, most do not.
const FAULT_S: u64 = 900;
/// How long a fault's consequences may take: checks notice that a server is back, and TCP sends again what was lost.
const AFTER_S: f64 = 130.0;
/// What a process may keep of its memory when it has nothing to do any more, kB: what it had once and may need again.
const KEPT_KB: u64 = 1024;

/// A fault, and what ends it.
const FAULTS: [(&str, &str); 10] = [
    ("cut: client-lb", "restore: client-lb"),
    ("cut: lb-s1", "restore: lb-s1"),
    ("cut: lb-s2", "restore: lb-s2"),
    ("cut: { wire: lb-s1, from: lb }", "restore: lb-s1"),
    ("cut: { wire: lb-s2, from: s2 }", "restore: lb-s2"),
    ("freeze: s1", "thaw: s1"),
    ("freeze: s2", "thaw: s2"),
    ("freeze: lb", "thaw: lb"),
    ("kill: s1", "start: s1"),
    ("kill: s2", "start: s2"),
];

const SCENARIO: &str = r#"
title: A day
nodes: { client: {}, lb: {}, s1: {}, s2: {} }
wires:
  client-lb: { ends: [client, lb] }
  lb-s1: { ends: [lb, s1] }
  lb-s2: { ends: [lb, s2] }
services:
  s1: { node: s1, command: [PROGRAM, server, "SEED", "5672"], port: 5672 }
  s2: { node: s2, command: [PROGRAM, server, "SEED", "5672"], port: 5672 }
  lb:
    node: lb
    proxy: relay
    config: |
      global
          log 127.0.0.1 local3
      defaults
          mode tcp
          log global
          option tcplog
          option clitcpka
          option srvtcpka
          option redispatch
          timeout connect 5s
          timeout client 10m
          timeout server 10m
          timeout client-fin 10m
          timeout server-fin 10m
      listen all
          bind :5672
          balance leastconn
          server s1 s1:5672 check inter 1m fastinter 3s downinter 5s
          server s2 s2:5672 check inter 1m fastinter 3s downinter 5s
clients:
  driver: { node: client, connect: "lb:5672", protocol: { command: [PROGRAM, driver, "SEED", "lb:5672", "DAY", "GAP"] } }
timeline:
STEPS
expect:
  - others: any
"#;

#[test]
fn in_a_day_of_faults_relay_changes_no_byte_and_keeps_nothing() -> Result {
    let scenario = SCENARIO
        .replace("PROGRAM", env!("CARGO_BIN_EXE_soak"))
        .replace("SEED", &SEED.to_string())
        .replace("DAY", &DAY_S.to_string())
        .replace("GAP", &GAP_S.to_string())
        .replace("STEPS", &timeline(SEED));
    let run = run_text(under_test!(), VIRTUAL, &scenario, &[])?.expect_code(0)?;
    let found = run.found()?;
    let evidence = found.evidence(&found.results.cases[0])?;
    let day = Day::of(&evidence)?;
    println!("{day}");
    day.check()
}

/// Faults at random, one at a time, and behind the day the time that the last sessions may take.
fn timeline(seed: u64) -> String {
    let (mut chance, mut at, mut steps) = (SmallRng::seed_from_u64(seed), 0, String::new());
    loop {
        let quiet = chance.random_range(1..QUIET_S);
        // As many short ones as long ones.
        let lasts = (FAULT_S as f64).powf(chance.random_range(0.0..1.0)) as u64 + 1;
        if at + quiet + lasts > DAY_S {
            break;
        }
        let (begin, end) = FAULTS[chance.random_range(0..FAULTS.len())];
        // Writing to a string cannot fail.
        let _ = write!(steps, "  - idle: {quiet}s\n  - {begin}\n  - idle: {lasts}s\n  - {end}\n");
        at += quiet + lasts;
    }
    let _ = write!(steps, "  - idle: {}s\n  - idle: 90m\n", DAY_S - at);
    steps
}

/// What was told in a day.
struct Day {
    summary: Summary,
    shorts: Vec<(Moment, Short)>,
    doubled: u64,
    faults: Vec<(f64, f64)>,
}

impl Day {
    fn of(evidence: &[Event]) -> Result<Day> {
        let (mut summary, mut shorts, mut doubled, mut faults, mut began) = (None, Vec::new(), 0, Vec::new(), None);
        for event in evidence {
            match &event.fact {
                Fact::ServiceLog { line, .. } => {
                    if let Ok(short) = serde_json::from_str::<Short>(line) {
                        shorts.push((event.at_ns, short));
                    } else if let Ok(sum) = serde_json::from_str::<Summary>(line) {
                        summary = Some(sum);
                    }
                    doubled += u64::from(line.starts_with("{\"doubled\""));
                }
                Fact::Injected { verb, .. } if ["cut", "freeze", "kill"].contains(&verb.as_str()) => {
                    began = Some(event.at_ns.seconds());
                }
                Fact::Injected { .. } => faults.extend(began.take().map(|began| (began, event.at_ns.seconds()))),
                _ => {}
            }
        }
        let said = evidence.iter().filter_map(|event| match &event.fact {
            Fact::ServiceLog { service, line, .. } => Some(format!("{} {service}: {line}", event.at_ns)),
            _ => None,
        });
        let summary = summary.ok_or_else(|| {
            let said: Vec<String> = said.collect();
            let last = &said[said.len().saturating_sub(20)..];
            Failure::new(format!("the driver told no sum; said last:\n{}", last.join("\n")))
        })?;
        Ok(Day { summary, shorts, doubled, faults })
    }

    /// Whether a fault, or what followed from it, was within the time of a session.
    fn excused(&self, (at, short): &(Moment, Short)) -> bool {
        let (from, to) = (at.seconds() - short.lasted_s, at.seconds());
        self.faults.iter().any(|(began, ended)| *began <= to && ended + AFTER_S >= from)
    }

    fn check(&self) -> Result {
        let Summary { sessions, complete, before, after, .. } = &self.summary;
        let wrong: Vec<_> = self.shorts.iter().filter(|(_, short)| short.problem.starts_with(WRONG)).collect();
        ensure!(wrong.is_empty(), "bytes were changed: {wrong:?}");
        ensure!(self.doubled == 0, "{} sessions came to a server twice", self.doubled);
        let unexcused: Vec<_> = self.shorts.iter().filter(|short| !self.excused(short)).collect();
        ensure!(unexcused.is_empty(), "no fault explains {} of {sessions} sessions: {unexcused:?}", unexcused.len());
        ensure!(
            complete * 10 > sessions * 8,
            "only {complete} of {sessions} sessions were complete: faults hide what is to be seen"
        );
        ensure!(after.descriptors == before.descriptors, "descriptors are left: {before:?}, {after:?}");
        ensure!(after.memory_kb <= before.memory_kb + KEPT_KB, "memory is left: {before:?}, {after:?}");
        Ok(())
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { sessions, complete, heard, timed_out, before, most_descriptors, after } = &self.summary;
        let faults: f64 = self.faults.iter().map(|(began, ended)| ended - began).sum();
        write!(
            f,
            "{sessions} sessions, {complete} as planned ({timed_out} of them ended by the proxy's timer), {} cut short at one end by {} faults ({faults:.0} s); {heard} bytes heard by clients, each compared; descriptors {} before, {most_descriptors} at most, {} after; memory {} kB before, {} kB after",
            self.shorts.len(),
            self.faults.len(),
            before.descriptors,
            after.descriptors,
            before.memory_kb,
            after.memory_kb
        )
    }
}
