//! The command line.

mod check;
mod clean;
mod doctor;
mod kept;
mod kernel;
mod list;
mod mechanisms;
mod new;
mod report;
mod reports;
mod run;
mod schema;
mod terminal;

use std::collections::HashMap;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every expectation holds.
pub const PASSED: u8 = 0;
/// An expectation does not hold.
pub const FAILED: u8 = 1;
/// A scenario is invalid.
pub const INVALID: u8 = 2;
/// The machine lacks something, or the harness failed.
pub const BROKEN: u8 = 3;

/// Which mechanism closed each TCP connection, and when.
#[derive(Debug, Parser)]
#[command(
    name = "whyclosed",
    version,
    about,
    after_help = "Exit codes: 0 every expectation holds, 1 one does not, \
    2 a scenario is invalid, 3 the machine lacks something or the harness failed."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and judge every connection
    Run(run::Arguments),
    /// Write reports of a run that has ended
    Report(report::Arguments),
    /// Say what is wrong with scenarios, without running them
    Check(check::Arguments),
    /// List cases: what each needs, and how long its timeline is
    List(list::Arguments),
    /// Write a small scenario to begin with
    New(new::Arguments),
    /// Print the catalogue of mechanisms
    Mechanisms,
    /// Print the JSON Schema of scenarios, for editors
    Schema,
    /// Say what this machine has and lacks
    Doctor,
    /// Find the kernel of the virtual clock, or build it
    Kernel(kernel::Arguments),
    /// End labs that `run --keep` left standing, and remove what killed runs may have left
    Clean,
    /// A program of the lab enters its place
    #[command(hide = true)]
    Enter,
    /// An actor of the lab
    #[command(hide = true)]
    Actor { part: String },
    /// The Rust proxy: HAProxy's TCP mode, from HAProxy's configuration
    #[command(disable_help_flag = true)]
    Relay {
        /// HAProxy's arguments: -f FILE, -c, -db, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Process 1 of a run
    #[command(hide = true)]
    Keeper,
    /// The owner of a run's tracefs instance
    #[command(hide = true)]
    Guard { name: String },
    /// Process 1 of a guest kernel
    #[command(hide = true)]
    Guest {
        /// User-Mode Linux adds parameters of its own to the end of the command line (arch/um/kernel/um_arch.c)
        kernels_own: Vec<String>,
    },
    /// A guest kernel's process restricts itself and starts it
    #[command(hide = true)]
    Contain(crate::guest::contain::Contained),
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Enter => enter(),
        command => do_it(command, &environment()),
    }
}

/// Comes to its place in the lab; a program of our own does there what it is.
fn enter() -> ExitCode {
    let Ok(own) = crate::lab::enter::enter() else { return ExitCode::from(BROKEN) };
    let arguments = std::iter::once("whyclosed").chain(own.arguments.iter().map(String::as_str));
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => do_it(arguments.command, &own.environment.into_iter().collect()),
        Err(error) => error.exit(),
    }
}

fn do_it(command: Command, environment: &HashMap<String, String>) -> ExitCode {
    let code = match command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Report(arguments) => report::main(&arguments),
        Command::Check(arguments) => check::main(&arguments),
        Command::List(arguments) => list::main(&arguments),
        Command::New(arguments) => new::main(&arguments),
        Command::Mechanisms => mechanisms::main(),
        Command::Schema => schema::main(),
        Command::Doctor => doctor::main(),
        Command::Kernel(arguments) => kernel::main(&arguments),
        Command::Clean => clean::main(),
        Command::Enter => {
            eprintln!("a program that is in its place already cannot enter another");
            BROKEN
        }
        Command::Actor { part } => said(&crate::actors::act(&part)),
        Command::Relay { arguments } => return proxy::relay::main(&arguments, environment),
        Command::Keeper => said(&crate::lab::keeper::keep()),
        Command::Guard { name } => said(&crate::lab::guard::guard(&name)),
        Command::Guest { .. } => crate::guest::init::main(),
        Command::Contain(contained) => {
            eprintln!("{}", contained.become_it());
            BROKEN
        }
    };
    ExitCode::from(code)
}

/// What of this process's environment is text.
fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn said(result: &std::io::Result<()>) -> u8 {
    match result {
        Ok(()) => PASSED,
        Err(error) => {
            eprintln!("{error}");
            BROKEN
        }
    }
}
