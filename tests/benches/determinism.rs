//! The seed scenarios again and again on the virtual clock, every second time beside other work: do all runs see the same?
//!
//!     cargo bench -p whyclosed-tests --bench determinism -- 100 length=short
//!
//! runs the cases with that text in their names a hundred times.

use whyclosed::run::VIRTUAL;
use whyclosed_tests::alike::{Sighting, differences, sightings, spread};
use whyclosed_tests::load::Load;
use whyclosed_tests::program::run;
use whyclosed_tests::{Failure, Result, case, under_test};

/// Runs unless the command line says how many.
const RUNS: usize = 10;
/// Programs that compute beside every second run.
const LOAD: usize = 4;
/// Observed times may differ by this.
const WITHIN_S: f64 = 0.001;

fn main() -> Result {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-') && word.parse::<usize>().is_err());
    let filter = filter.unwrap_or_default();
    let path = case::scenarios().join("seed").display().to_string();
    let mut first: Option<Vec<Sighting>> = None;
    let (mut worst, mut differ) = (0.0_f64, 0);
    for number in 1..=runs {
        let load = if number % 2 == 0 { Some(Load::start(LOAD)?) } else { None };
        let seen =
            sightings(&run(under_test!(), VIRTUAL, [path.as_str(), "--quiet", "--filter", &filter])?.expect_code(0)?)?;
        drop(load);
        let Some(first) = &first else {
            first = Some(seen);
            continue;
        };
        let found = differences(first, &seen, WITHIN_S);
        let apart = first.iter().zip(&seen).map(|(one, other)| spread(one, other)).fold(0.0, f64::max);
        worst = worst.max(apart);
        differ += usize::from(!found.is_empty());
        println!("run {number} of {runs}: times within {:.0} µs of the first run's", apart * 1e6);
        found.iter().for_each(|difference| println!("  {difference}"));
    }
    let connections = first.map_or(0, |first| first.len());
    println!("{runs} runs of {connections} connections: {differ} differ; times at most {:.0} µs apart", worst * 1e6);
    if differ == 0 { Ok(()) } else { Err(Failure::new("not every run saw the same")) }
}
