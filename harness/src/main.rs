//! The program `whyclosed`.

fn main() -> std::process::ExitCode {
    whyclosed::cli::main()
}
