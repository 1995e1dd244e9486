//! The program that plays the cases, built beside the tests.

fn main() -> std::process::ExitCode {
    whyclosed::cli::main()
}
