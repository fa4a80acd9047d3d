//! The gradus command: parse, run, print the error chain, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gradus_runtime::main_with(std::env::args_os())
}
