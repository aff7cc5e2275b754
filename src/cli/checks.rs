//! `locard checks`: what is judged, and tools for those who write checks.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::check::{CheckSet, cases, diagnostic, schema};
use crate::cli::args::Rules;
use crate::cli::exit::{Exit, Refused};
use crate::cli::{out, pipeline};
use crate::config;

#[derive(Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct ChecksArgs {
    #[command(subcommand)]
    command: ChecksCommand,
}

#[derive(Subcommand)]
enum ChecksCommand {
    /// List checks: id, severity, source, title
    List(ListArgs),
    /// Print a check as it is written
    Show(ShowArgs),
    /// Check files for mistakes without running them
    Lint(LintArgs),
    /// Run the cases inside check files
    Test(TestArgs),
    /// Print a JSON Schema, for editors
    Schema(SchemaArgs),
}

#[derive(Args)]
struct ListArgs {
    /// Checks of a folder as well; repeatable
    #[arg(long = "checks", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ShowArgs {
    #[arg(value_name = "ID")]
    id: String,
    /// Checks of a folder as well; repeatable
    #[arg(long = "checks", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

#[derive(Args)]
struct LintArgs {
    /// Folders of checks; none: the built-in ones
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

#[derive(Args)]
struct TestArgs {
    /// Folders of checks, or ids of checks; none: the built-in ones
    #[arg(value_name = "DIR|ID")]
    what: Vec<PathBuf>,
    /// Checks of a folder as well, to test by id; repeatable
    #[arg(long = "checks", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

#[derive(Args)]
struct SchemaArgs {
    /// Whose: a check file's, the kinds with their fields, or locard.yaml's
    #[arg(long, value_name = "FILE", value_enum, default_value_t = Of::Check)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    Check,
    Kinds,
    Config,
}

pub(super) fn run(args: ChecksArgs) -> anyhow::Result<Exit> {
    match args.command {
        ChecksCommand::List(args) => list(args),
        ChecksCommand::Show(args) => show(args),
        ChecksCommand::Lint(args) => lint(args),
        ChecksCommand::Test(args) => test(args),
        ChecksCommand::Schema(args) => print_schema(args.of),
    }
}

fn load(dirs: Vec<PathBuf>) -> anyhow::Result<CheckSet> {
    Ok(pipeline::rules(&Rules { only: Vec::new(), dirs })?.checks)
}

fn list(args: ListArgs) -> anyhow::Result<Exit> {
    let set = load(args.dirs)?;
    if args.json {
        let infos: Vec<_> = set.checks.iter().map(|check| check.info()).collect();
        out::print(&format!("{:#}\n", serde_json::to_value(infos)?))?;
        return Ok(Exit::Done);
    }
    let width = set.checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    for check in &set.checks {
        let (severity, source) = (check.severity.word(), check.source.id());
        let origin = if check.builtin { "" } else { "  (yours)" };
        out::print(&format!("{:<width$}  {severity:<8}  {source:<17}  {}{origin}\n", check.id, check.title))?;
    }
    Ok(Exit::Done)
}

fn show(args: ShowArgs) -> anyhow::Result<Exit> {
    let set = load(args.dirs)?.select(&[args.id])?;
    for check in &set.checks {
        out::print(&format!("# {}\n{}", check.file, check.text))?;
    }
    Ok(Exit::Done)
}

fn lint(args: LintArgs) -> anyhow::Result<Exit> {
    let asked = args.dirs.clone();
    let set = load(args.dirs)?;
    let of_asked = |file: &str| asked.is_empty() || asked.iter().any(|dir| PathBuf::from(file).starts_with(dir));
    let warnings: Vec<_> = set.warnings.iter().filter(|warning| of_asked(&warning.file)).cloned().collect();
    if !warnings.is_empty() {
        out::print(&format!("{}\n\n", diagnostic::render(&warnings, false)))?;
    }
    let checks = set.checks.iter().filter(|check| of_asked(&check.file)).count();
    out::print(&format!("{checks} checks, no errors, {} warnings\n", warnings.len()))?;
    for id in &set.replaced {
        out::print(&format!("{id} replaces the built-in check\n"))?;
    }
    Ok(Exit::Done)
}

fn test(args: TestArgs) -> anyhow::Result<Exit> {
    let (folders, ids): (Vec<PathBuf>, Vec<PathBuf>) = args.what.into_iter().partition(|path| path.is_dir());
    let ids: Vec<String> = ids.iter().map(|id| id.to_string_lossy().into_owned()).collect();
    let set = load(args.dirs.iter().chain(&folders).cloned().collect())?;
    let mut chosen = set.select(&ids)?;
    if !folders.is_empty() && ids.is_empty() {
        chosen.checks.retain(|check| folders.iter().any(|folder| PathBuf::from(&check.file).starts_with(folder)));
    }
    let report = cases::run(&chosen, &[]);
    for check in &report.checks {
        for failed in &check.failed {
            out::print(&format!(
                "FAIL {}:{}: {}: {}\n     expected {}\n     got      {}\n     because  {}\n",
                check.file, failed.line, check.check, failed.name, failed.expected, failed.got, failed.reason
            ))?;
        }
    }
    out::print(&format!(
        "{} checks, {} cases passed, {} failed\n",
        report.checks.len(),
        report.passed(),
        report.failed()
    ))?;
    if report.failed() == 0 {
        return Ok(Exit::Done);
    }
    Err(Refused::usage(format!("{} cases failed", report.failed()), "correct the check, or what the case expects"))
}

fn print_schema(of: Of) -> anyhow::Result<Exit> {
    let schema = match of {
        Of::Check => schema::check_schema(),
        Of::Kinds => schema::kinds_json(),
        Of::Config => config::schema(),
    };
    out::print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
