//! Arguments that several subcommands share.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use crate::cli::exit::Refused;
#[cfg(feature = "aws")]
use crate::cli::place::Credentials;
use crate::config::{self, Config};
use crate::files;
use crate::report::Format;

const GLOBAL: &str = "Global options";
const RESULT: &str = "Result";
const CHECKS: &str = "Checks";
#[cfg(feature = "aws")]
const ACCESS: &str = "Access";

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

/// How to get into accounts.
#[cfg(feature = "aws")]
#[derive(Args)]
pub(super) struct AccessArgs {
    /// Profile of the AWS configuration to start from
    #[arg(long, value_name = "NAME", help_heading = ACCESS)]
    pub profile: Option<String>,
    /// Name of the read-only role in every account; default as configured, else LocardAudit
    #[arg(long, value_name = "NAME", value_parser = role_name, help_heading = ACCESS)]
    pub role: Option<String>,
    /// External id the role asks for; default as configured
    #[arg(long, value_name = "ID", help_heading = ACCESS)]
    pub external_id: Option<String>,
    /// Send requests here instead of to AWS, such as http://127.0.0.1:5000
    #[arg(long, value_name = "URL", value_parser = endpoint_url, help_heading = ACCESS)]
    pub endpoint_url: Option<String>,
}

#[cfg(feature = "aws")]
impl AccessArgs {
    /// What a bucket is reached with: the caller's own credentials, no role.
    pub(super) fn credentials(&self) -> Credentials {
        Credentials { profile: self.profile.clone(), endpoint_url: self.endpoint_url.clone() }
    }
}

/// The SDK would find out in the middle of a request, and in its own words.
pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or_default();
    if host.is_empty() || host.starts_with('/') {
        return Err("a URL begins with http:// or https:// and names a host".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(feature = "aws")]
fn role_name(text: &str) -> Result<String, String> {
    config::role_name(text).map(|()| text.to_owned())
}
