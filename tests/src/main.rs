//! The program `whyclosed`, where the tests can find it.

fn main() -> std::process::ExitCode {
    whyclosed::cli::main()
}
