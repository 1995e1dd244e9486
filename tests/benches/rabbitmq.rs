//! How long RabbitMQ takes until it is ready, and the seed's picture with two of them, on both clocks.
//!
//! What an empty case takes is subtracted from the first. The real clock needs root; both need the image of RabbitMQ.

use std::process::Command;

use whyclosed::run::{REAL, VIRTUAL};
use whyclosed_tests::program::{fixture, run};
use whyclosed_tests::{Failure, Result, case, under_test};

/// Runs of each figure; the median is shown.
const ROUNDS: usize = 3;

fn main() -> Result {
    if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
        println!("RabbitMQ is not timed: Docker does not answer. `make images` starts it and builds the image.");
        return Ok(());
    }
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("RabbitMQ is timed on the virtual clock only: the real clock needs root.");
    }
    let (empty, one) = (fixture("empty.yaml"), fixture("one-rabbitmq.yaml"));
    let two = case::scenarios().join("rabbitmq/two-behind-proxy.yaml");
    let mut lines = [("one RabbitMQ ready", Vec::new()), ("seed's picture, two RabbitMQs", Vec::new())];
    for clock in [VIRTUAL, REAL].into_iter().filter(|clock| root || *clock == VIRTUAL) {
        // The image is unpacked by the first run, once and for all.
        wall(clock, &one)?;
        let ready = median(clock, &one)? - median(clock, &empty)?;
        lines[0].1.push(ready);
        lines[1].1.push(median(clock, &two)?);
    }
    println!("{:32} {:>14} {:>14} {:>14}", "wall seconds", "virtual clock", "real clock", "virtual/real");
    for (name, figures) in lines {
        let shown = figures.iter().map(|figure| format!(" {figure:>14.1}"));
        let ratio = if let [virtually, really] = figures[..] {
            format!(" {:>14.1}", virtually / really)
        } else {
            String::new()
        };
        println!("{name:32}{}{ratio}", shown.collect::<String>());
    }
    Ok(())
}

fn median(clock: &str, file: &std::path::Path) -> Result<f64> {
    let mut rounds = (0..ROUNDS).map(|_| wall(clock, file)).collect::<Result<Vec<_>>>()?;
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 2])
}

/// Wall seconds of the only case of a file.
fn wall(clock: &str, file: &std::path::Path) -> Result<f64> {
    let results = run(under_test!(), clock, [file])?.expect_code(0)?.found()?.results;
    match results.cases.as_slice() {
        [case] => Ok(case.wall_s),
        cases => Err(Failure::new(format!("{} cases in {}", cases.len(), file.display()))),
    }
}
