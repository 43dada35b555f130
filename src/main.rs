//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    war_vol::cli::run(std::env::args_os())
}
