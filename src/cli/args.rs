//! Arguments that several subcommands share.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use crate::cli::exit::Refused;
use crate::config::{self, Config};
use crate::files;
use crate::report::Format;

const GLOBAL: &str = "Global options";
const RESULT: &str = "Result";
const CHECKS: &str = "Checks";

/// The configuration that is read when it is there and no other is named.
const DEFAULT_CONFIG: &str = "locard.yaml";

#[derive(Args)]
pub(super) struct Global {
    /// Configuration; default: locard.yaml, if there is one
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub config: Option<PathBuf>,
    /// Print the verdict and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = GLOBAL)]
    pub quiet: bool,
    /// Say more of what is going on; twice and thrice for still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = GLOBAL)]
    pub verbose: u8,
    /// Draw no progress bar; none is drawn without a terminal either
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_progress: bool,
    /// Whether to use colours; auto honours NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto, help_heading = GLOBAL)]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Decides for every stream written through `anstream`.
    pub(super) fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

impl Global {
    /// The configuration to run with.
    ///
    /// # Errors
    /// The file named is not there, or anything in it is wrong.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let default = Path::new(DEFAULT_CONFIG);
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if default.is_file() => default,
            None => return Ok(Config::default()),
        };
        let text = files::read_text(path).map_err(|e| unreadable(&e, "check --config"))?;
        Ok(config::parse(&text, &path.display().to_string())?)
    }
}

/// A file that an argument names and that cannot be read is wrong usage.
pub(super) fn unreadable(error: &files::FileError, help: &str) -> anyhow::Error {
    Refused::usage(format!("{error}: {}", error.source), help)
}

/// What to judge with.
#[derive(Args)]
pub(super) struct Rules {
    /// Judge by this check only; repeatable
    #[arg(long = "check", value_name = "ID", help_heading = CHECKS)]
    pub only: Vec<String>,
    /// Add the checks of a folder; one with the id of a built-in check replaces it; repeatable
    #[arg(long = "checks", value_name = "DIR", help_heading = CHECKS)]
    pub dirs: Vec<PathBuf>,
}

/// Where results go.
#[derive(Args)]
pub(super) struct Output {
    /// Reports to write besides results.json: html, markdown; default both
    #[arg(long = "format", value_name = "FORMAT", value_parser = Format::parse, help_heading = RESULT)]
    pub formats: Vec<Format>,
}

impl Output {
    /// The reports to write.
    pub(super) fn formats(&self) -> Vec<Format> {
        if self.formats.is_empty() { vec![Format::Html, Format::Markdown] } else { self.formats.clone() }
    }
}
