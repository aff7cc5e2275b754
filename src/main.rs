//! The `locard` binary; all it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    locard::cli::main()
}
