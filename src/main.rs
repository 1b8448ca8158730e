//! The `stackgen` command: parse, run, render what went wrong, answer with an exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
