//! relay beside HAProxy and nginx: the same sessions through each, in turn, in one run.
//!
//! ```text
//! main.rs     rounds and the table
//! subject.rs  a proxy that is measured, and what it costs
//! load.rs     the loop of the load generator: both ends of all connections
//! loads/      what the ends do: one file for each kind of load
//! ```
//!
//! A proxy has one processor, the load generator another. Each figure is of a process that was just started. The proxies take
//! turns within a round, so that what the machine does besides is the same for all of them; a ratio is of one round, and the
//! median of the rounds is shown. As the generator can be what is slowest, the proxy's own processor time is shown beside each rate.
//!
//! Arguments: words that a line's name must contain; `--rounds N`.

mod load;
mod loads;
mod subject;
mod table;

use std::time::Duration;

use load::Generator;
use loads::{Connects, Echoes, Idle, Streams};
use subject::{KINDS, Kind, Subject};
use table::{Better, Table};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rounds, unless asked otherwise.
const ROUNDS: usize = 5;
/// Before anything is counted.
const WARM_UP: Duration = Duration::from_millis(300);
/// What is counted.
const WINDOW: Duration = Duration::from_millis(1500);
/// How long idle sessions are watched.
const IDLE: Duration = Duration::from_secs(4);
/// Idle sessions: with two descriptors each, on both sides, within 20 000.
const SESSIONS: usize = 8000;

const GIGA: f64 = 1e9;

fn main() -> Result {
    let (rounds, words) = arguments()?;
    subject::own_network()?;
    subject::use_processor(subject::GENERATOR)?;
    subject::raise_descriptors()?;
    let kinds = subject::installed()?;
    let mut table = Table::new(&kinds);
    for (name, measure) in LINES {
        if !words.iter().all(|word| name.contains(word.as_str())) {
            continue;
        }
        for round in 0..rounds {
            for turn in 0..kinds.len() {
                let kind = kinds[(round + turn) % kinds.len()];
                eprint!("\r{name}, round {} of {rounds}, {:20}", round + 1, kind.name);
                let found = measure(kind).map_err(|e| format!("{name}, {}: {e}", kind.name))?;
                table.add(name, kind, found);
            }
        }
    }
    eprint!("\r{:70}\r", "");
    print!("{table}");
    Ok(())
}

fn arguments() -> Result<(usize, Vec<String>)> {
    // cargo itself adds `--bench`.
    let mut given = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut rounds, mut words) = (ROUNDS, Vec::new());
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--rounds" => rounds = given.next().ok_or("--rounds needs a number")?.parse()?,
            _ => words.push(argument),
        }
    }
    Ok((rounds.max(1), words))
}

/// A figure of one run: its name, its unit, which way is better, and its value.
pub struct Figure {
    what: &'static str,
    better: Better,
    value: f64,
}

impl Figure {
    fn more(what: &'static str, value: f64) -> Figure {
        Figure { what, better: Better::More, value }
    }

    fn less(what: &'static str, value: f64) -> Figure {
        Figure { what, better: Better::Less, value }
    }
}

type Measure = fn(&'static Kind) -> Result<Vec<Figure>>;

/// What is measured. A further line is one entry here, and its load one file in loads/.
const LINES: &[(&str, Measure)] = &[
    ("1 stream", |kind| streams(kind, 1)),
    ("64 streams", |kind| streams(kind, 64)),
    ("1000 streams", |kind| streams(kind, 1000)),
    ("connections", connections),
    ("one-byte echo, 64 sessions", echoes),
    ("8000 idle sessions", idle),
];

fn streams(kind: &'static Kind, count: usize) -> Result<Vec<Figure>> {
    let subject = Subject::start(kind)?;
    let mut generator = Generator::new(Streams::new()?)?;
    generator.open(count)?;
    let (seconds, bytes, busy) = window(&mut generator, &subject, |load| load.received)?;
    let rate = bytes as f64 / seconds;
    Ok(vec![
        Figure::more("throughput, GB/s", rate / GIGA),
        Figure::less("its processor time, s for each GB", busy.as_secs_f64() / (bytes as f64 / GIGA)),
    ])
}

fn connections(kind: &'static Kind) -> Result<Vec<Figure>> {
    let subject = Subject::start(kind)?;
    let mut generator = Generator::new(Connects::default())?;
    generator.open(64)?;
    let (seconds, count, busy) = window(&mut generator, &subject, |load| load.done)?;
    Ok(vec![
        Figure::more("connections each second", count as f64 / seconds),
        Figure::less("its processor time, µs for each", busy.as_secs_f64() * 1e6 / count as f64),
    ])
}

fn echoes(kind: &'static Kind) -> Result<Vec<Figure>> {
    let subject = Subject::start(kind)?;
    let mut generator = Generator::new(Echoes::default())?;
    generator.open(64)?;
    let (seconds, count, busy) = window(&mut generator, &subject, |load| load.times.len() as u64)?;
    let load = generator.load_mut();
    Ok(vec![
        Figure::less("p50, µs", load.percentile(0.50)),
        Figure::less("p99, µs", load.percentile(0.99)),
        Figure::more("echoes each second", count as f64 / seconds),
        Figure::less("its processor time, µs for each", busy.as_secs_f64() * 1e6 / count as f64),
    ])
}

fn idle(kind: &'static Kind) -> Result<Vec<Figure>> {
    let subject = Subject::start(kind)?;
    let mut generator = Generator::new(Idle::default())?;
    let before = subject.memory()?;
    generator.open(SESSIONS)?;
    generator.run_until(|load| load.answered as usize == SESSIONS)?;
    let after = subject.memory()?;
    let busy = subject.busy()?;
    std::thread::sleep(IDLE);
    let busy = (subject.busy()? - busy).as_secs_f64() / IDLE.as_secs_f64();
    Ok(vec![
        Figure::less("memory, bytes for each", after.saturating_sub(before) as f64 / SESSIONS as f64),
        Figure::less("its processor time, % of one", busy * 100.0),
    ])
}

/// Runs a load for its time: seconds, units of the load, and the proxy's processor time.
fn window<L: load::Load>(
    generator: &mut Generator<L>,
    subject: &Subject,
    count: impl Fn(&L) -> u64,
) -> Result<(f64, u64, Duration)> {
    generator.run_for(WARM_UP)?;
    generator.load_mut().forget();
    let (started, busy, before) = (std::time::Instant::now(), subject.busy()?, count(generator.load()));
    generator.run_for(WINDOW)?;
    let counted = count(generator.load()) - before;
    if counted == 0 {
        return Err("nothing came through".into());
    }
    Ok((started.elapsed().as_secs_f64(), counted, subject.busy()? - busy))
}
