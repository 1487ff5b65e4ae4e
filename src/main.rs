//! The program: parse, run, exit code.

fn main() -> std::process::ExitCode {
    batchctl::cli::main(std::env::args_os()).into()
}
