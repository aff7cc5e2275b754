//! `locard report`: the results of a run in another format.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::{out, pipeline};
use crate::files;
use crate::report::{self, Format, Summary, json};
use crate::results::stream;

#[derive(Args)]
pub(super) struct ReportArgs {
    /// Folder of a run, or its results.json
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// One of html, markdown, json, schema (the JSON Schema of results.json)
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: ReportArgs) -> anyhow::Result<Exit> {
    match args.format {
        Format::Html | Format::Markdown => {
            let summary = pipeline::read(&args.run, Summary::read)?;
            let text = report::render(&summary, args.format)?;
            put(&args, text.unwrap_or_default().as_bytes())?;
        }
        // The file itself, once all of it was found to be results.
        Format::Json => {
            let mut file = pipeline::open(&args.run)?;
            pipeline::understood(&args.run, stream::read(&file, &mut |_| {}))?;
            file.rewind().context("cannot read the results again")?;
            put(&args, file)?;
        }
        Format::Schema => put(&args, json::schema_bytes().as_slice())?,
    }
    Ok(Exit::Done)
}

fn put(args: &ReportArgs, mut document: impl Read) -> anyhow::Result<()> {
    let Some(path) = &args.out else { return out::print_bytes(document) };
    // A device or a pipe takes what is written to it and is nothing to put a file in place of; nor is what /dev/stdout
    // stands for.
    let other = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
    let is_device = other || path.starts_with("/dev");
    // Where a link leads to; what is not there yet stands for itself.
    let path = &if is_device { path.clone() } else { fs::canonicalize(path).unwrap_or_else(|_| path.clone()) };
    match path.file_name() {
        _ if is_device => {
            let written =
                OpenOptions::new().append(true).open(path).and_then(|mut pipe| io::copy(&mut document, &mut pipe));
            written.map(|_| ()).with_context(|| format!("cannot write {}", path.display()))
        }
        Some(name) => {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(files::write_run(dir, &name.to_string_lossy(), document)?)
        }
        None => anyhow::bail!("{} is no file", path.display()),
    }
}
