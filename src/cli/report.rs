//! `locard report`: the results of a run in another format.

use std::io::{Read, Seek};
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

fn put(args: &ReportArgs, document: impl Read) -> anyhow::Result<()> {
    match args.out.as_deref().map(|path| (path, path.file_name())) {
        Some((path, Some(name))) => {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(files::write_run(dir, &name.to_string_lossy(), document)?)
        }
        _ => out::print_bytes(document),
    }
}
