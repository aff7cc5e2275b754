//! How long judging a snapshot takes, whole and by its steps: `cargo bench --bench judge`. Numbers by size show whether
//! the time grows as the accounts do. Memory is another matter: see `benches/snapshot.rs`.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use locard::assess::{self, Input};
use locard::check::{self, CheckSet};
use locard::config::{Config, Requirements};
use locard::files::SnapshotReader;
use locard::finding::Finding;
use locard::inventory::AccountFacts;
use locard::model::ids::{AccountId, Partition};
use locard::relate::graph;
use locard::relate::shared::Shared;
use locard::relate::subject::AccountGraph;
use locard::results::CheckInfo;
use locard::score::{self, AccountInput, scenarios};
use synthetic::Synthetic;

const SIZES: [usize; 3] = [50, 100, 200];

fn builtin() -> CheckSet {
    check::load(&check::builtin_files()).expect("built-in checks load")
}

fn load(organization: Synthetic) -> impl Fn(&AccountId) -> Result<AccountFacts, Infallible> + Sync {
    move |account| Ok(organization.facts(account))
}

fn related(organization: Synthetic) -> Shared {
    let (partition, ids) = (Partition::new("aws"), organization.ids());
    let Ok(shared) = Shared::build(
        &organization.organization(),
        partition,
        Synthetic::as_of(),
        &ids,
        Synthetic::absent,
        load(organization),
    );
    shared
}

/// Facts to results, from memory to memory.
fn evaluate(criterion: &mut Criterion) {
    let (checks, scenarios, config) = (builtin(), scenarios::builtin(), Config::default());
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10);
    for size in SIZES {
        let organization = Synthetic::new(size);
        let (listed, manifest, ids) = (organization.organization(), organization.manifest(), organization.ids());
        let input = Input {
            manifest: &manifest,
            manifest_digest: "",
            organization: &listed,
            config: &config,
            checks: &checks,
            scenarios: &scenarios,
            ruleset_digest: "",
            selected_checks: false,
            as_of: Synthetic::as_of(),
        };
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| assess::assess(&input, &ids, load(organization)));
        });
    }
    group.finish();
}

/// What accounts must know of each other, out of the facts of all; and the graph of each.
fn relate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relate");
    group.sample_size(10);
    for size in SIZES {
        let organization = Synthetic::new(size);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("shared", size), |bencher| bencher.iter(|| related(organization)));
        let (shared, facts) = (related(organization), all_facts(organization));
        group.bench_function(BenchmarkId::new("graphs", size), |bencher| {
            bencher.iter(|| facts.iter().map(|facts| graph::account(&shared, facts).resources.len()).sum::<usize>());
        });
    }
    group.finish();
}

fn all_facts(organization: Synthetic) -> Vec<AccountFacts> {
    organization.ids().iter().map(|id| organization.facts(id)).collect()
}

/// Findings to scores.
fn scores(criterion: &mut Criterion) {
    let (checks, scenarios, requirements) = (builtin(), scenarios::builtin(), Requirements::default());
    let infos: Vec<CheckInfo> = checks.checks.iter().map(|check| check.info()).collect();
    let mut group = criterion.benchmark_group("score");
    group.sample_size(10);
    for size in SIZES {
        let organization = Synthetic::new(size);
        let (shared, partition) = (related(organization), Partition::new("aws"));
        let graphs: Vec<AccountGraph> =
            all_facts(organization).iter().map(|facts| graph::account(&shared, facts)).collect();
        let judged = graphs.iter().map(|graph| check::evaluate::evaluate(&checks, graph, &requirements, &partition));
        let findings: Vec<Finding> = judged.flat_map(|judged| judged.findings).collect();
        let accounts: Vec<AccountInput<'_>> = graphs.iter().map(AccountInput::from).collect();
        let excluded = BTreeMap::new();
        let input = score::Input {
            accounts: &accounts,
            findings: &findings,
            checks: &infos,
            scenarios: &scenarios,
            requirements: &requirements,
            excluded: &excluded,
            unentered: &[],
            as_of: Synthetic::as_of(),
        };
        group.throughput(Throughput::Elements(findings.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| bencher.iter(|| score::score(input)));
    }
    group.finish();
}

fn snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10);
    let organization = Synthetic::new(50);
    let ids = organization.ids();
    group.throughput(Throughput::Elements(ids.len() as u64));
    group.bench_function("write", |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().expect("a scratch folder"),
            |folder| organization.write(&folder.path().join("snapshot")).expect("the disk takes it"),
            BatchSize::PerIteration,
        );
    });
    let folder = tempfile::tempdir().expect("a scratch folder");
    let dir = folder.path().join("snapshot");
    organization.write(&dir).expect("the disk takes it");
    group.bench_function("open", |bencher| bencher.iter(|| SnapshotReader::open(&dir, None).expect("sound")));
    let reader = SnapshotReader::open(&dir, None).expect("sound");
    group.bench_function("read", |bencher| {
        bencher.iter(|| reader.accounts().iter().all(|id| black_box(reader.account(id)).is_ok()));
    });
    group.finish();
}

criterion_group!(judge, evaluate, relate, scores, snapshot);
criterion_main!(judge);
