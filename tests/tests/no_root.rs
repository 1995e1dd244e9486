//! An ordinary user, with neither root nor Docker, gets verdicts.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use whyclosed::report::results::Outcome;
use whyclosed_tests::{Result, case, ensure, found, under_test};

/// A user that no machine has; tests that are not run by root are run by an ordinary user anyway.
const USER: u32 = 4_242_425;

#[test]
fn an_ordinary_user_runs_the_seed_scenarios() -> Result {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let user = nix::unistd::geteuid().is_root().then_some(USER);
    // Where the program was built, and where the scenarios are, need not be open to others.
    let program = folder.path().join("whyclosed");
    fs::copy(under_test!(), &program)?;
    let scenarios = folder.path().join("scenarios/seed");
    fs::create_dir_all(&scenarios)?;
    for entry in fs::read_dir(case::scenarios().join("seed"))?.flatten() {
        fs::copy(entry.path(), scenarios.join(entry.file_name()))?;
    }
    let out = folder.path().join("out");
    fs::create_dir(&out)?;
    chown(&out, user, user)?;
    let mut command = Command::new(&program);
    command.arg("run").arg(&scenarios).arg("--out").arg(&out).current_dir(folder.path());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output()?;
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the program ended with {}:\n{printed}", output.status);
    let cases = found::read(&out)?.results.cases;
    ensure!(cases.len() > 20 && cases.iter().all(|case| case.outcome == Outcome::Pass), "not all passed:\n{printed}");
    ensure!(cases.iter().all(|case| case.clock == "virtual"), "not all on the virtual clock:\n{printed}");
    Ok(())
}
