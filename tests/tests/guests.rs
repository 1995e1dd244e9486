//! Guests of the virtual clock: what becomes of those that go wrong, and that all are alike.

use std::process::Command;
use std::time::{Duration, Instant};

use whyclosed::run::VIRTUAL;
use whyclosed_tests::alike::{Sighting, differences, sightings};
use whyclosed_tests::load::Load;
use whyclosed_tests::program::{Run, fixture, run};
use whyclosed_tests::{Result, case, ensure, under_test};

/// Observed times of two runs differ by no more than this.
const SAME_S: f64 = 0.001;
/// Programs that compute beside a run.
const LOAD: usize = 4;

fn play(name: &str, arguments: &[&str]) -> Result<Run> {
    let path = fixture(name).display().to_string();
    run(under_test!(), VIRTUAL, [path.as_str()].iter().chain(arguments))
}

#[test]
fn a_guest_in_which_a_program_never_pauses_ends_with_3_and_the_programs_name() -> Result {
    let started = Instant::now();
    let run = play("busy.yaml", &["--stall", "5s"])?.expect_code(3)?;
    for words in ["clock stood still for 5 s", "the program `sh`", "--clock real"] {
        ensure!(run.printed.contains(words), "`{words}` is not in:\n{}", run.printed);
    }
    ensure!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
    Ok(())
}

#[test]
fn a_guest_whose_kernel_panics_ends_with_3_and_its_last_lines() -> Result {
    let run = play("crash.yaml", &[])?.expect_code(3)?;
    for words in ["ended without a result", "Kernel panic - not syncing: sysrq triggered crash"] {
        ensure!(run.printed.contains(words), "`{words}` is not in:\n{}", run.printed);
    }
    Ok(())
}

#[test]
fn two_hours_pass_in_seconds_and_end_at_the_tick_that_the_kernel_computes() -> Result {
    let run = play("two-hours.yaml", &[])?.expect_code(0)?;
    let found = run.found()?;
    let verdict = &found.results.cases[0].connections[0];
    let (Some(elapsed), Some([from, to])) = (verdict.elapsed_s, verdict.window_s) else {
        return Err(run.failure("no time in the verdict"));
    };
    ensure!((from..=to).contains(&elapsed), "{elapsed} s is not in {from} s to {to} s");
    ensure!(to - from < 0.02, "the window is {} s wide, though the phase of the timers is known", to - from);
    Ok(())
}

#[test]
fn a_scenario_is_played_from_inside_its_folder_too() -> Result {
    let out = tempfile::tempdir()?;
    let mut command = Command::new(under_test!());
    command.args(["run", "close.yaml", "--filter", "proxy=relay", "--clock", VIRTUAL, "--out"]).arg(out.path());
    let output = command.current_dir(case::scenarios().join("applications")).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "it ended with {}:\n{printed}", output.status);
    Ok(())
}

#[test]
fn of_a_connection_with_the_ends_of_an_earlier_one_the_settings_are_known_too() -> Result {
    play("ports-again.yaml", &[])?.expect_code(0)?;
    Ok(())
}

#[test]
fn runs_on_an_idle_and_on_a_busy_machine_see_the_same_to_a_millisecond() -> Result {
    let path = case::scenarios().join("seed").display().to_string();
    let full = || run(under_test!(), VIRTUAL, [path.as_str(), "--filter", "length=full"])?.expect_code(0);
    let idle = sightings(&full()?)?;
    let load = Load::start(LOAD)?;
    let busy = sightings(&full()?)?;
    drop(load);
    ensure!(idle.len() > 20, "only {} connections were judged", idle.len());
    let different = differences(&idle, &busy, SAME_S);
    ensure!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}

#[test]
fn the_same_seed_loses_the_same_probes_and_another_seed_others() -> Result {
    let path = case::scenarios().join("netem/loss-of-probes.yaml").display().to_string();
    let seen = |seed: &str| -> Result<Vec<Sighting>> {
        let run = run(under_test!(), VIRTUAL, [path.as_str(), "--filter", "probes=few", "--seed", seed])?;
        sightings(&run.expect_code(0)?)
    };
    let (once, again, other) = (seen("7")?, seen("7")?, seen("8")?);
    let different = differences(&once, &again, SAME_S);
    ensure!(different.is_empty(), "with one seed {}", different.join("\n"));
    ensure!(!differences(&once, &other, SAME_S).is_empty(), "with another seed the same probes were lost: {once:?}");
    Ok(())
}
