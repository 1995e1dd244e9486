//! How fast the virtual clock runs: virtual seconds for each second of wall time, and the share of a guest's boot.
//!
//! A real clock would take one second for each; that is the ratio's other side.

use std::path::PathBuf;
use std::time::Instant;

use whyclosed::run::VIRTUAL;
use whyclosed_tests::program::{fixture, run};
use whyclosed_tests::{Result, case, under_test};

/// Runs of each line; the median is shown.
const ROUNDS: usize = 5;

struct Line {
    name: &'static str,
    path: PathBuf,
    filter: &'static str,
    rounds: usize,
}

fn main() -> Result {
    let scenarios = case::scenarios();
    let lines = [
        Line { name: "an empty case: boot, lab, power-off", path: fixture("empty.yaml"), filter: "", rounds: ROUNDS },
        Line { name: "200 s, keepalive, own peers", path: fixture("own-peers.yaml"), filter: "", rounds: ROUNDS },
        Line { name: "200 s, HAProxy between", path: scenarios.join("seed/idle.yaml"), filter: "full", rounds: ROUNDS },
        Line { name: "two hours, kernel's keepalive", path: fixture("two-hours.yaml"), filter: "", rounds: ROUNDS },
        Line { name: "all seed scenarios", path: scenarios.join("seed"), filter: "", rounds: 1 },
    ];
    println!("{:38} {:>10} {:>10} {:>12} {:>7}", "", "wall s", "virtual s", "virtual/wall", "boot");
    let mut boot = None;
    for line in lines {
        let (wall, clock, cases) = median(&line)?;
        let boot = *boot.get_or_insert(wall);
        // Several cases run at a time, one for each processor: their boots do, too.
        let jobs = std::thread::available_parallelism().map_or(1, usize::from).min(cases);
        let share = boot * cases as f64 / jobs as f64 / wall * 100.0;
        println!("{:38} {wall:>10.3} {clock:>10.1} {:>12.0} {share:>6.0}%", line.name, clock / wall);
    }
    Ok(())
}

/// Wall and virtual seconds of the median round, and how many cases there are.
fn median(line: &Line) -> Result<(f64, f64, usize)> {
    let mut rounds = Vec::new();
    for _ in 0..line.rounds {
        let path = line.path.display().to_string();
        let started = Instant::now();
        let run = run(under_test!(), VIRTUAL, [path.as_str(), "--filter", line.filter])?.expect_code(0)?;
        let wall = started.elapsed().as_secs_f64();
        let cases = run.found()?.results.cases;
        rounds.push((wall, cases.iter().map(|case| case.clock_s).sum::<f64>(), cases.len()));
    }
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    Ok(rounds[rounds.len() / 2])
}
