//! The program `relay`: a TCP proxy that takes HAProxy's configuration.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    proxy::relay::main(&arguments, &std::env::vars().collect())
}
