//! Reports and the gate of a made-up organization: what reading `results.json` and rendering it cost.
//!
//! `cargo bench --no-default-features --bench report` measures 200 accounts. To look at larger ones, and at their
//! memory, `cargo bench --no-default-features --bench report -- --write 1000 100 DIR` leaves a results.json of 1,000
//! accounts with 100 checks for `locard report DIR` and `locard gate DIR`.

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use criterion::{Criterion, Throughput};
use locard::gate::Tally;
use locard::report::{Summary, html, markdown, terminal};
use samples::Many;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--write") {
        let [accounts, checks, dir] = &args[at + 1..] else { panic!("--write ACCOUNTS CHECKS DIR") };
        let number = |text: &str| text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        let many = Many { accounts: number(accounts), checks: number(checks) };
        write(many, Path::new(dir)).unwrap_or_else(|e| panic!("cannot write to {dir}: {e}"));
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    measure(&mut criterion, Many { accounts: 200, checks: 60 });
    criterion.final_summary();
}

fn write(many: Many, dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut out = BufWriter::new(File::create(dir.join("results.json"))?);
    many.write(&mut out)?;
    out.flush()
}

fn measure(criterion: &mut Criterion, many: Many) {
    let mut bytes = Vec::new();
    many.write(&mut bytes).expect("memory takes everything");
    let summary = Summary::read(Cursor::new(&bytes)).expect("these are results");
    let mut group = criterion.benchmark_group(format!("{} accounts, {} checks", many.accounts, many.checks));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("read for reports", |b| b.iter(|| Summary::read(Cursor::new(&bytes)).map(black_box).is_ok()));
    group.bench_function("read for the gate", |b| b.iter(|| Tally::read(Cursor::new(&bytes)).map(black_box).is_ok()));
    group.throughput(Throughput::Elements(many.accounts as u64));
    group.bench_function("html", |b| b.iter(|| html::html(&summary).map(|html| html.len())));
    group.bench_function("markdown", |b| b.iter(|| markdown::markdown(&summary).map(|text| text.len())));
    group.bench_function("terminal", |b| b.iter(|| terminal::terminal(&summary, Some(100)).len()));
    group.finish();
}
