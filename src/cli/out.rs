//! Where text goes: results to stdout, everything else to stderr.

use std::io::{self, Write};

use anyhow::Context;

/// Columns lines are cut to: `COLUMNS` where somebody exports it, whatever stdout is, else those of the terminal that it
/// is; none where it is no terminal, and lines may be as long as they like.
pub(super) fn width() -> Option<usize> {
    let exported = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    exported.or_else(|| terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0)))
}

/// Whether stderr shows colours: a terminal, unless an option or the environment says otherwise.
pub(super) fn stderr_takes_colour() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Whether somebody looks at stderr: a terminal, and not one that a CI system pretends.
#[cfg(feature = "aws")]
pub(super) fn is_watched() -> bool {
    use std::io::IsTerminal;
    io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

/// Prints a result, styles as far as stdout takes them. Nobody reading any more is no failure: the command goes on to
/// its own exit code.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    finish(anstream::stdout().lock().write_all(text.as_bytes()).and_then(|()| anstream::stdout().flush()))
}

/// Prints a document byte for byte.
pub(super) fn print_bytes(mut bytes: impl io::Read) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    finish(io::copy(&mut bytes, &mut stdout).and_then(|_| stdout.flush()))
}

fn finish(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Says something that is not the result. If even stderr is gone there is nobody to tell.
pub(super) fn say(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
