//! The program of the soak test.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    whyclosed_tests::soak::main(&arguments)
}
