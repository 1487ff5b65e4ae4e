//! batchctl.
fn main() -> std::process::ExitCode { batchctl::cli::main().into() }
