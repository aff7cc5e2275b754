//! How a run ends: the documented exit codes, and how an error is shown to people.

use std::fmt::Write as _;

use crate::config::ConfigErrors;
use crate::files::{FileError, SnapshotError};

/// Exit codes. Where several hold, the more basic one wins: 130, then 1 > 2 > 5 > 3 > 4 > 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; a gate that was asked for passed. Findings alone never fail an audit.
    Done = 0,
    /// No result could be produced: no account entered, no disk, no network.
    NoResult = 1,
    /// The command line, the configuration or a check is wrong. Also what clap ends with.
    Usage = 2,
    /// The gate failed for certain.
    GateFailed = 3,
    /// Too much is unknown to decide the gate.
    GateUndecided = 4,
    /// A snapshot is not what was sealed.
    Unverified = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// As the operating system sees it.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one of two that counts.
    pub fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::GateUndecided => 1,
            Self::GateFailed => 2,
            Self::Unverified => 3,
            Self::Usage => 4,
            Self::NoResult => 5,
            Self::Interrupted => 6,
        }
    }
}

/// Something asked for that cannot be done, and what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub exit: Exit,
    pub message: String,
    pub help: Option<String>,
}

impl Refused {
    /// Wrong usage.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Usage, message: message.into(), help: Some(help.into()) }.into()
    }

    /// No result.
    pub fn no_result(message: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::NoResult, message: message.into(), help: Some(help.into()) }.into()
    }
}

/// Text that is an error by itself: it was drawn already, carets and all.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Drawn(pub String);

/// What an error ends the process with.
pub fn of_error(error: &anyhow::Error) -> Exit {
    let mut exit = Exit::Done;
    for cause in error.chain() {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            exit = exit.or_worse(refused.exit);
        } else if cause.is::<ConfigErrors>() || cause.is::<Drawn>() || cause.is::<crate::check::NoSuchCheck>() {
            exit = exit.or_worse(Exit::Usage);
        } else if let Some(error) = cause.downcast_ref::<SnapshotError>() {
            exit = exit.or_worse(of_snapshot(error));
        }
    }
    if exit == Exit::Done { Exit::NoResult } else { exit }
}

fn of_snapshot(error: &SnapshotError) -> Exit {
    match error {
        SnapshotError::Verification { .. } => Exit::Unverified,
        SnapshotError::Exists { .. }
        | SnapshotError::NotEmpty { .. }
        | SnapshotError::NothingToResume { .. }
        | SnapshotError::OtherPlan { .. } => Exit::Usage,
        _ => Exit::NoResult,
    }
}

/// An error for people: what failed, why, and what next. Control characters in it are made visible: parts of it come
/// from AWS and from files.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    if let Some(errors) = error.chain().find_map(|cause| cause.downcast_ref::<ConfigErrors>()) {
        for problem in &errors.problems {
            let _ = writeln!(text, "error: {}", visible(&problem.to_string()));
            if let Some(help) = &problem.help {
                let _ = writeln!(text, "help: {}", visible(help));
            }
        }
        return text;
    }
    if let Some(Drawn(drawn)) = error.chain().find_map(|cause| cause.downcast_ref::<Drawn>()) {
        return format!("{}\n", drawn.trim_end());
    }
    let mut said = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let message = visible(&cause.to_string());
        // A transparent error repeats its source.
        if message != said {
            let _ = writeln!(text, "{} {message}", if depth == 0 { "error:" } else { "  caused by:" });
        }
        said = message;
    }
    for help in error.chain().filter_map(help) {
        let _ = writeln!(text, "help: {}", visible(&help));
    }
    text
}

fn help(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(refused) = cause.downcast_ref::<Refused>() {
        return refused.help.clone();
    }
    let file = match cause.downcast_ref::<SnapshotError>() {
        Some(SnapshotError::File(file)) => file,
        Some(error) => return error.help().map(str::to_owned),
        None => cause.downcast_ref::<FileError>()?,
    };
    let kind = file.source.downcast_ref::<std::io::Error>()?.kind();
    match kind {
        std::io::ErrorKind::NotFound => Some("check the path".to_owned()),
        std::io::ErrorKind::PermissionDenied => Some("check who owns it, and its mode".to_owned()),
        std::io::ErrorKind::StorageFull => Some("free some space; an interrupted run goes on with --resume".to_owned()),
        _ => None,
    }
}

/// The text with control and direction-changing characters escaped; line breaks stay.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}
