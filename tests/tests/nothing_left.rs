//! Nothing is left behind, however a run ends, and the host's own network is never touched.
//!
//! These tests look at the whole machine, so they run one after the other, in a program of their own.

use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use whyclosed::run::REAL;
use whyclosed_tests::case::scenarios;
use whyclosed_tests::machine::{Standing, as_before, host_network, tracefs_instances, with_tracefs};
use whyclosed_tests::program::{fixture, run, run_text, start};
use whyclosed_tests::{Failure, Result, ensure, under_test};

const PROGRAM: &str = under_test!();
/// Runs that are killed at a random moment;
const KILLS: u32 = 20;
/// and such that have a container.
const CONTAINER_KILLS: u32 = 5;
/// From before anything is built to long after everything runs.
const MOMENTS: Range<Duration> = Duration::ZERO..Duration::from_millis(2500);
/// and such that have two RabbitMQs behind a proxy, whose processes are many.
const RABBITMQ_KILLS: u32 = 6;
/// From before anything is built to the middle of the timeline: RabbitMQ takes seconds to start.
const RABBITMQ_MOMENTS: Range<Duration> = Duration::ZERO..Duration::from_secs(15);
/// What a killed run leaves to the kernel is done by then.
const LIMIT: Duration = Duration::from_secs(20);
/// Set it to have the same moments again.
const SEED: &str = "WHYCLOSED_SEED";

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing in the lock.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random() -> Result<StdRng> {
    let seed = std::env::var(SEED).ok().map(|text| text.parse()).transpose()?.unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    Ok(StdRng::seed_from_u64(seed))
}

fn run_daemons(out: &Path) -> Result<Child> {
    start(PROGRAM, REAL, &fixture("daemons.yaml"), out)
}

fn run_container(out: &Path) -> Result<Child> {
    start(PROGRAM, REAL, &fixture("container.yaml"), out)
}

fn run_rabbitmq(out: &Path) -> Result<Child> {
    start(PROGRAM, REAL, &scenarios().join("rabbitmq/two-behind-proxy.yaml"), out)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn children(parent: u32) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids = children.flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>());
    pids.map(Pid::from_raw).collect()
}

/// Waits until the daemons of the run have started: they are what is hardest to end.
fn until_daemons_run(before: &Standing) -> Result {
    let deadline = Instant::now() + LIMIT;
    loop {
        let new = Standing::look(PROGRAM)?.beyond(before);
        let runs = |words: &str| new.iter().any(|line| line.starts_with("process") && line.contains(words));
        if runs("haproxy -D") && runs("sleep 1000") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the daemons did not start; there is only\n  {}", new.join("\n  "));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn until_a_container_runs() -> Result {
    let deadline = Instant::now() + LIMIT;
    while !Standing::look(PROGRAM)?.has_container() {
        ensure!(Instant::now() < deadline, "no container was started; does Docker run? `make images` starts it");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn killed_at_any_moment(run: fn(&Path) -> Result<Child>, kills: u32, moments: &Range<Duration>) -> Result {
    let _alone = alone();
    let mut random = random()?;
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    for number in 1..=kills {
        let moment = random.random_range(moments.clone());
        let mut child = run(out.path())?;
        std::thread::sleep(moment);
        kill(pid(&child), Signal::SIGKILL)?;
        child.wait()?;
        as_before(PROGRAM, &before, LIMIT)
            .map_err(|left| Failure::new(format!("kill {number} of {kills}, after {moment:?}: {left:?}")))?;
    }
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_killed_at_any_moment_leaves_nothing_behind() -> Result {
    killed_at_any_moment(run_daemons, KILLS, &MOMENTS)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_killed_at_any_moment_leaves_no_container_behind() -> Result {
    killed_at_any_moment(run_container, CONTAINER_KILLS, &MOMENTS)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_with_rabbitmqs_that_is_killed_at_any_moment_leaves_no_container_namespace_or_mount_behind() -> Result {
    killed_at_any_moment(run_rabbitmq, RABBITMQ_KILLS, &RABBITMQ_MOMENTS)?;
    let cleaned = Command::new(PROGRAM).arg("clean").output()?;
    let said = String::from_utf8_lossy(&cleaned.stdout).into_owned();
    ensure!(!said.contains("container of"), "the guards have left this to `clean`: {said}");
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_interrupted_leaves_no_container_behind() -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    let mut child = run_container(out.path())?;
    until_a_container_runs()?;
    kill(pid(&child), Signal::SIGINT)?;
    let ended = child.wait()?.code();
    ensure!(ended == Some(3), "the run ended with {ended:?}");
    ensure!(!Standing::look(PROGRAM)?.has_container(), "the container outlives the run");
    as_before(PROGRAM, &before, LIMIT)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn clean_removes_the_container_of_a_run_that_was_killed_with_its_guard() -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    let mut child = run_container(out.path())?;
    until_a_container_runs()?;
    // Stopped processes start nothing between the look and the kill.
    kill(pid(&child), Signal::SIGSTOP)?;
    for process in children(child.id()).into_iter().chain([pid(&child)]) {
        kill(process, Signal::SIGKILL)?;
    }
    child.wait()?;
    ensure!(Standing::look(PROGRAM)?.has_container(), "the container is gone: nobody was left to remove it");
    let cleaned = Command::new(PROGRAM).arg("clean").output()?;
    let said = String::from_utf8_lossy(&cleaned.stdout).into_owned();
    ensure!(said.contains("container of `broker`"), "`clean` says: {said}");
    as_before(PROGRAM, &before, LIMIT)
}

/// Ends a run while its daemons run, and looks at what is left; `code` is the exit code that it then has, `None` after a signal.
fn ended_by(end: impl Fn(Pid) -> nix::Result<()>, code: Option<i32>) -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    let mut child = run_daemons(out.path())?;
    until_daemons_run(&before)?;
    end(pid(&child))?;
    let ended = child.wait()?.code();
    ensure!(ended == code, "the run ended with {ended:?}, not {code:?}");
    as_before(PROGRAM, &before, LIMIT)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_killed_while_its_daemons_run_leaves_nothing_behind() -> Result {
    ended_by(|run| kill(run, Signal::SIGKILL), None)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_killed_with_its_process_group_leaves_nothing_behind() -> Result {
    ended_by(|run| killpg(run, Signal::SIGKILL), None)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_is_interrupted_leaves_nothing_behind() -> Result {
    ended_by(|run| kill(run, Signal::SIGINT), Some(3))
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_ends_in_order_leaves_nothing_behind() -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    let code = run_daemons(out.path())?.wait()?.code();
    ensure!(code == Some(0), "the run ended with {code:?}");
    as_before(PROGRAM, &before, LIMIT)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn clean_removes_what_a_run_left_that_was_killed_with_its_guard() -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let before = Standing::look(PROGRAM)?;
    let mut child = run_daemons(out.path())?;
    until_daemons_run(&before)?;
    let instance = format!("whyclosed-{}-", child.id());
    // Stopped processes start nothing between the look and the kill.
    kill(pid(&child), Signal::SIGSTOP)?;
    for process in children(child.id()).into_iter().chain([pid(&child)]) {
        kill(process, Signal::SIGKILL)?;
    }
    child.wait()?;
    let left = tracefs_instances()?.iter().any(|name| name.starts_with(&instance));
    ensure!(left, "{instance}… is gone: nobody was left to remove it");
    let cleaned = Command::new(PROGRAM).arg("clean").output()?;
    let said = String::from_utf8_lossy(&cleaned.stdout).into_owned();
    ensure!(said.contains(&instance), "`clean` says: {said}");
    as_before(PROGRAM, &before, LIMIT)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn the_hosts_own_network_is_the_same_before_during_and_after_a_run() -> Result {
    let _alone = alone();
    let out = tempfile::tempdir()?;
    let standing = Standing::look(PROGRAM)?;
    let before = host_network()?;
    let mut child = run_daemons(out.path())?;
    until_daemons_run(&standing)?;
    same(&before, &host_network()?, "during")?;
    child.wait()?;
    same(&before, &host_network()?, "after")
}

fn same(before: &str, now: &str, when: &str) -> Result {
    let differs = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    let line = differs.map_or("its length".into(), |(before, now)| format!("`{before}` became `{now}`"));
    ensure!(before == now, "{when} the run the host's network is another: {line}");
    Ok(())
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_machine_with_tracefs_mounted_has_its_runs_as_any_other() -> Result {
    let played = with_tracefs(|| {
        let scenario = scenarios().join("applications/close.yaml");
        run(PROGRAM, REAL, [scenario.as_os_str()]).and_then(|run| run.expect_code(0))
    })?;
    played.map(drop)
}

/// An expectation that does not hold, of a server that goes on to listen.
const NOT_HELD: &str = "title: A claim that does not hold\n\
    nodes: { client: {}, s1: {} }\n\
    wires: { client-s1: { ends: [client, s1] } }\n\
    services: { s1: { node: s1, server: echo, port: 5672, echo: off } }\n\
    clients: { orders: { node: client, connect: \"s1:5672\", protocol: tcp } }\n\
    timeline: [ { send: { client: orders, bytes: 10 } }, { close: orders }, { idle: 100ms } ]\n\
    expect: [ { connection: orders client->s1, mechanism: tcp-keepalive } ]\n";

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_kept_lab_stands_and_can_be_entered_until_clean_ends_it() -> Result {
    let _alone = alone();
    let before = Standing::look(PROGRAM)?;
    let run = run_text(PROGRAM, REAL, NOT_HELD, &["--keep"])?.expect_code(1)?;
    let command = run.printed.lines().find_map(|line| line.split_once("kept: s1: ")).map(|(_, command)| command);
    let Some(command) = command else { return Err(Failure::new(run.printed)) };
    let words: Vec<_> = command.split(' ').collect();
    let entered = Command::new(words[0]).args(&words[1..]).args(["cat", "/proc/net/tcp"]).output()?;
    let cleaned = Command::new(PROGRAM).arg("clean").output()?;
    let table = String::from_utf8_lossy(&entered.stdout).into_owned();
    // Port 5672, as proc(5) writes it.
    ensure!(table.contains(":1628 "), "{command}: {table}{}", String::from_utf8_lossy(&entered.stderr));
    ensure!(String::from_utf8_lossy(&cleaned.stdout).contains("the labs kept by process"), "{cleaned:?}");
    as_before(PROGRAM, &before, LIMIT)
}

#[test]
#[cfg_attr(not(whyclosed_root), ignore = "the real clock needs root: make test-real")]
fn a_run_that_would_keep_its_labs_leaves_nothing_when_its_command_is_killed() -> Result {
    let _alone = alone();
    let before = Standing::look(PROGRAM)?;
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--keep", "--clock", REAL]).arg(fixture("daemons.yaml")).arg("--out").arg(folder.path());
    let mut child = command.spawn()?;
    std::thread::sleep(MOMENTS.end / 2);
    child.kill()?;
    child.wait()?;
    as_before(PROGRAM, &before, LIMIT)
}
