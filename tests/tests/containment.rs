//! A contained program can write beneath the folders that it was given, and changes nothing else of the host.
//!
//! The attack is this very test program, started again: as a process, and as a program in a guest kernel whose root has mounted
//! the host's files. Every attempt is first seen to succeed without containment.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};
use rstest::rstest;
use tempfile::TempDir;
use whyclosed::guest::contain::{Contained, Containment, Way};
use whyclosed_tests::attack::{Outcome, attack, attempts, outcomes, prepare, state};
use whyclosed_tests::{Failure, Result, ensure, under_test};

/// The folder to attack, and one that can be written to.
const ATTACKED: &str = "WHYCLOSED_ATTACKED";
const ELSEWHERE: &str = "WHYCLOSED_ELSEWHERE";
/// In a guest: the folder of the host to mount first, and where.
const HOST: &str = "WHYCLOSED_HOST";
const MOUNTED: &str = "/mnt";
/// Nobody has this number: files of this user are of this test.
const USER: u32 = 4_242_424;

/// A place in which an ordinary user attacks: what is to be safe, what may be written to, and the programs.
struct Ground {
    folder: TempDir,
    user: Option<u32>,
}

impl Ground {
    fn new() -> Result<Ground> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let user = nix::unistd::geteuid().is_root().then_some(USER);
        let ground = Ground { folder, user };
        for name in ["safe", "writable", "writable/inside", "writable/elsewhere"] {
            fs::create_dir(ground.path(name))?;
            chown(ground.path(name), user, user)?;
        }
        for name in ["safe", "writable/inside"] {
            prepare(&ground.path(name), user)?;
        }
        // Where they were built need not be open to others.
        ground.bring(Path::new(under_test!()), "whyclosed")?;
        ground.bring(&std::env::current_exe()?, "attack")?;
        Ok(ground)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies a program here. This process must not write it: what another test starts at that moment would have it open for
    /// writing for a while, too, and a program that is open so cannot be started (execve(2), ETXTBSY).
    fn bring(&self, program: &Path, name: &str) -> Result {
        let copied = Command::new("cp").arg(program).arg(self.path(name)).status()?;
        ensure!(copied.success(), "copying {} failed", program.display());
        Ok(())
    }

    /// Contained in this way, or not at all; as the ordinary user.
    fn command(&self, way: Option<Way>, argv: &[PathBuf]) -> Command {
        let own = || {
            let mut command = Command::new(&argv[0]);
            command.args(&argv[1..]);
            command
        };
        let contained = |way| {
            let writable = vec![self.path("writable")];
            let argv = argv.iter().map(|word| word.clone().into_os_string()).collect();
            let contained = Contained { way: Some(way), writable, argv, ..Contained::default() };
            contained.command(&self.path("whyclosed"))
        };
        let mut command = way.map_or_else(own, contained);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// The attack on a folder, by a process.
    fn attack(&self, way: Option<Way>, attacked: &str) -> Result<Vec<Outcome>> {
        let words = ["the_attack", "--exact", "--nocapture"];
        let argv: Vec<_> = [self.path("attack")].into_iter().chain(words.map(PathBuf::from)).collect();
        let mut command = self.command(way, &argv);
        command.env(ATTACKED, self.path(attacked)).env(ELSEWHERE, self.path("writable/elsewhere"));
        all_outcomes(&command.output()?)
    }
}

/// The machine has this way switched off for ordinary users, as far as it says so itself.
fn switched_off(way: Way) -> Result<bool> {
    let is = |name: &str, value| fs::read_to_string(format!("/proc/sys/{name}")).is_ok_and(|text| text.trim() == value);
    let off = match way {
        Way::Landlock => !matches!(Containment::find(Path::new(under_test!()))?, Containment::Landlock(_)),
        Way::Namespaces => {
            is("user/max_user_namespaces", "0")
                || is("kernel/unprivileged_userns_clone", "0")
                || is("kernel/apparmor_restrict_unprivileged_userns", "1")
        }
    };
    if off {
        println!("not tested: {way:?} is switched off on this machine");
    }
    Ok(off)
}

fn all_outcomes(output: &Output) -> Result<Vec<Outcome>> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let outcomes = outcomes(&printed);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(outcomes.len() == attempts(), "the attack did not come to its end:\n{printed}{errors}");
    Ok(outcomes)
}

fn names(outcomes: &[Outcome], which: impl Fn(&Outcome) -> bool) -> String {
    let lines: Vec<_> =
        outcomes.iter().filter(|outcome| which(outcome)).map(|o| format!("{}: {}", o.name, o.error)).collect();
    lines.join("\n  ")
}

/// Without containment every attempt succeeds that the file system knows.
fn real(outcomes: &[Outcome]) -> Result {
    let failed = names(outcomes, |outcome| !outcome.done && !outcome.unsupported);
    ensure!(failed.is_empty(), "these attempts prove nothing, as they fail without containment:\n  {failed}");
    Ok(())
}

fn refused(outcomes: &[Outcome]) -> Result {
    let done = names(outcomes, |outcome| !outcome.refused && !outcome.unsupported);
    ensure!(done.is_empty(), "this was not refused to a contained program outside of its folders:\n  {done}");
    Ok(())
}

/// The attack itself: started again by the other tests, which set where; by itself it has nothing to attack.
#[test]
fn the_attack() -> Result {
    let (Some(attacked), Some(elsewhere)) = (std::env::var_os(ATTACKED), std::env::var_os(ELSEWHERE)) else {
        return Ok(());
    };
    let host = std::env::var_os(HOST);
    if let Some(host) = &host {
        mount(Some("none"), MOUNTED, Some("hostfs"), MsFlags::empty(), Some(host.as_os_str()))?;
    }
    attack(Path::new(&attacked), Path::new(&elsewhere));
    if host.is_some() {
        // What is still to be written must be attempted, too.
        umount(MOUNTED)?;
    }
    Ok(())
}

#[test]
fn the_attack_succeeds_without_containment() -> Result {
    let ground = Ground::new()?;
    let before = state(&ground.path("safe"))?;
    real(&ground.attack(None, "safe")?)?;
    ensure!(state(&ground.path("safe"))? != before, "the attack changed nothing");
    Ok(())
}

#[rstest]
#[case::landlock(Way::Landlock)]
#[case::namespaces(Way::Namespaces)]
fn a_contained_program_changes_nothing_outside_of_its_folders(#[case] way: Way) -> Result {
    if switched_off(way)? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let before = state(&ground.path("safe"))?;
    refused(&ground.attack(Some(way), "safe")?)?;
    same(&before, &ground)
}

fn same(before: &BTreeMap<PathBuf, String>, ground: &Ground) -> Result {
    let after = state(&ground.path("safe"))?;
    let gone = before.iter().find(|(path, was)| after.get(*path) != Some(was));
    ensure!(gone.is_none(), "{gone:?} is {:?} now", gone.map(|(path, _)| after.get(path)));
    ensure!(after.len() == before.len(), "there is something new: {:?}", after.keys());
    Ok(())
}

#[rstest]
#[case::landlock(Way::Landlock)]
#[case::namespaces(Way::Namespaces)]
fn a_contained_program_writes_plain_files_beneath_its_folders(#[case] way: Way) -> Result {
    if switched_off(way)? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let outcomes = ground.attack(Some(way), "writable/inside")?;
    let failed = names(&outcomes, |outcome| outcome.inside && !outcome.done);
    ensure!(failed.is_empty(), "a contained program must be able to do this in its folders:\n  {failed}");
    let done = names(&outcomes, |outcome| !outcome.inside && outcome.done);
    ensure!(done.is_empty(), "a contained program need not do this, not even in its folders:\n  {done}");
    Ok(())
}

/// The attack by root of a guest kernel, through a mount of the host's files.
fn attack_from_guest(ground: &Ground, way: Option<Way>) -> Result<Vec<Outcome>> {
    ground.bring(&whyclosed::kernel::find()?.path, "linux")?;
    let init = ground.path("init");
    let script = format!(
        "#!/bin/sh\n\
         export {HOST}={} {ATTACKED}={MOUNTED}/safe {ELSEWHERE}={MOUNTED}/writable/elsewhere\n\
         {} the_attack --exact --nocapture\n\
         /sbin/poweroff -f\n",
        ground.folder.path().display(),
        ground.path("attack").display(),
    );
    fs::write(&init, script)?;
    fs::set_permissions(&init, Permissions::from_mode(0o755))?;
    let line = "mem=128M root=none rootfstype=hostfs rootflags=/ ro time-travel=inf-cpu con=null con0=null,fd:1 quiet uml_dir=.";
    let parameters = line.split(' ').map(PathBuf::from).chain([format!("init={}", init.display()).into()]);
    let argv: Vec<_> = [ground.path("linux")].into_iter().chain(parameters).collect();
    let mut command = ground.command(way, &argv);
    let output = command.current_dir(ground.path("writable")).env("TMPDIR", ground.path("writable")).output()?;
    all_outcomes(&output)
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "User-Mode Linux is there for x86-64 only")]
fn the_attack_from_a_guest_succeeds_without_containment() -> Result {
    let ground = Ground::new()?;
    let before = state(&ground.path("safe"))?;
    real(&attack_from_guest(&ground, None)?)?;
    ensure!(state(&ground.path("safe"))? != before, "the attack changed nothing");
    Ok(())
}

#[rstest]
#[case::landlock(Way::Landlock)]
#[case::namespaces(Way::Namespaces)]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "User-Mode Linux is there for x86-64 only")]
fn root_of_a_contained_guest_changes_nothing_outside_of_its_folders(#[case] way: Way) -> Result {
    if switched_off(way)? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let before = state(&ground.path("safe"))?;
    refused(&attack_from_guest(&ground, Some(way))?)?;
    same(&before, &ground)
}

#[rstest]
#[case::landlock(Way::Landlock)]
#[case::namespaces(Way::Namespaces)]
fn a_contained_program_reaches_no_port_of_the_host(#[case] way: Way) -> Result {
    if switched_off(way)? {
        return Ok(());
    }
    if matches!((way, Containment::find(Path::new(under_test!()))?), (Way::Landlock, Containment::Landlock(..4))) {
        // Landlock restricts TCP from Linux 6.7 on.
        return Ok(());
    }
    let ground = Ground::new()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let words = ["/bin/bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")].map(PathBuf::from);
    let reached = |way| Ok::<_, Failure>(ground.command(way, &words).stderr(Stdio::null()).status()?.success());
    ensure!(reached(None)?, "the port cannot be reached without containment either");
    ensure!(!reached(Some(way))?, "a contained program has connected to the host");
    Ok(())
}

#[rstest]
#[case::landlock(Way::Landlock)]
#[case::namespaces(Way::Namespaces)]
fn a_contained_program_ends_with_its_parent(#[case] way: Way) -> Result {
    if switched_off(way)? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let said = ground.path("writable/said");
    let contained = ground.command(Some(way), &["/bin/sleep", "1000"].map(PathBuf::from));
    // The shell is the parent: it tells who its child is, sees it run, and ends.
    let words = contained.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let program = ground.path("whyclosed");
    let script =
        format!("{} {words} & echo $! > {}; sleep 0.5; grep -q sleep /proc/$!/comm", program.display(), said.display());
    let mut shell = ground.command(None, &["/bin/sh", "-c", &script].map(PathBuf::from));
    ensure!(shell.status()?.success(), "the program did not run while its parent did");
    let child: u32 = fs::read_to_string(said)?.trim().parse()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let command_line = PathBuf::from(format!("/proc/{child}/cmdline"));
    while fs::read(&command_line).is_ok_and(|line| !line.is_empty()) {
        ensure!(Instant::now() < deadline, "process {child} still runs");
        // Nobody but a process's parent is told of its end.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn nothing_is_started_for_a_parent_that_has_gone() -> Result {
    let output = Command::new(under_test!()).args(["contain", "--parent", "1", "--", "echo", "started"]).output()?;
    ensure!(output.status.code() == Some(3), "it ended with {}", output.status);
    ensure!(output.stdout.is_empty(), "the program was started");
    Ok(())
}
