//! `locard report`: the results of a run in another format.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::{out, pipeline};
use crate::files;
use crate::report::{self, Format};

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
    let results = pipeline::results(&args.run)?;
    let bytes = report::render(&results, args.format)?;
    match args.out.as_deref().map(|path| (path, path.file_name())) {
        Some((path, Some(name))) => {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            files::write_run(dir, &name.to_string_lossy(), &bytes)?;
        }
        _ => out::print_bytes(&bytes)?,
    }
    Ok(Exit::Done)
}
