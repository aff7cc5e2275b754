//! The first pass: workloads, trails and bucket names of every account, what these reach in the same account, and what
//! of all that stays in memory.
//!
//! How what is reached is read, there and in other accounts, is in `second`.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::operation::describe_regions::DescribeRegionsInput;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::CollectError;
use super::again;
use super::store::{inventory_file, reached_file};
use super::sweep::{ACCOUNTS, Sweep, guarded, internal};
use crate::aws::session::Entry;
use crate::collect::listing::{malformed, required, together};
use crate::collect::organizations::Chosen;
use crate::collect::scope::{Answer, Known, Scope};
use crate::collect::{bedrock, bedrockagent, cloudtrail, s3, sagemaker};
use crate::inventory::operations::Session;
use crate::inventory::organizations::AccountEntry;
use crate::inventory::{Fact, Line, Read, not_collected};
use crate::model::ids::{AccountId, Partition, Region};
use crate::model::observed::{Told, Unknown, Why};
use crate::relate::done::Done;
use crate::relate::reach::References;

/// So much sooner than its unit is what an account reaches given up when the run is to end.
const REACH_SOONER: Duration = Duration::from_secs(1);

/// What the first pass leaves in memory: names, and who could be entered.
#[derive(Default)]
pub(super) struct Census {
    pub references: References,
    pub entered: BTreeSet<AccountId>,
    /// Regions whose workloads were read in any account.
    pub read: BTreeSet<Region>,
    /// The regions of an account were not told, for a reason that may pass.
    pub unsure_of_regions: bool,
    /// Entered accounts whose trails the first pass has read.
    pub trails_read: BTreeSet<AccountId>,
    /// Buckets that were listed without their region. AWS sends it; not every server does.
    pub unlocated: BTreeSet<(AccountId, String)>,
    /// What of the second pass was read along with the first, and the accounts that have a file of it.
    pub read_already: Done,
    pub written: BTreeSet<AccountId>,
}

/// What one account's first pass adds to it.
struct Counted {
    references: References,
    entered: bool,
    read: Vec<Region>,
    unsure_of_regions: bool,
    trails_read: bool,
    unlocated: BTreeSet<String>,
    /// What was reached in the account itself, where it was read.
    reached: Option<Done>,
}

impl Sweep {
    /// Workloads, trails and bucket names of every account, as they become known; in accounts that were not selected,
    /// bucket names alone, which tell whose a bucket is.
    pub(super) async fn first_pass(
        self: &Arc<Self>,
        accounts: UnboundedReceiver<Chosen>,
    ) -> Result<Census, CollectError> {
        let mut census = Census::default();
        let accounts = stream::unfold(accounts, |mut accounts| async { Some((accounts.recv().await?, accounts)) });
        let units = accounts.map(|account| {
            let sweep = self.clone();
            async move {
                let counted = sweep.first_pass_of(&account).await?;
                Ok(counted.map(|counted| (account.id, counted)))
            }
        });
        self.each(ACCOUNTS, units, |(account, counted)| {
            census.references.merge(counted.references);
            census.read.extend(counted.read);
            census.unsure_of_regions |= counted.unsure_of_regions;
            census.unlocated.extend(counted.unlocated.into_iter().map(|name| (account.clone(), name)));
            if let Some(reached) = counted.reached {
                census.read_already.extend(reached);
                census.written.insert(account.clone());
            }
            if counted.trails_read {
                census.trails_read.insert(account.clone());
            }
            if counted.entered {
                census.entered.insert(account);
            }
        })
        .await?;
        Ok(census)
    }

    /// None when the run ended before anything was learned that is not on disk already.
    async fn first_pass_of(&self, account: &Chosen) -> Result<Option<Counted>, CollectError> {
        let file = inventory_file(&account.id);
        let earlier = self.store.earlier(&file).await;
        if let Some(lines) = &earlier
            && (self.store.completes || !lines.iter().any(Line::may_tell_more))
        {
            return Ok(Some(self.count(account, lines)));
        }
        if self.store.completes {
            return Ok(None);
        }
        let entry = self.entry(&account.id);
        let known = Arc::new(Known::of(earlier.iter().flatten()));
        let mut lines =
            AssertUnwindSafe(self.inventory(&entry, account, &known)).catch_unwind().await.unwrap_or_else(|panic| {
                let unknown = Unknown::new("sts:AssumeRole", Why::Failed).in_account(&account.id);
                vec![not_entered(account, unknown.saying(internal(panic.as_ref())))]
            });
        if self.is_cut_short(&lines) && lines.len() == 1 {
            return Ok(None);
        }
        // What was cut short twice is further on than before: what was described is not asked for again.
        if let Some(old) = earlier {
            lines = again::inventory(&account.id, old.clone(), lines);
            // What is not written again changes no digest.
            if lines == old {
                return Ok(Some(self.count(account, &lines)));
            }
        }
        let mut counted = self.count(account, &lines);
        self.store.write(file, lines).await?;
        // What an interrupted run has read is seen to when all are known.
        if account.selected && counted.entered && !self.store.has(&reached_file(&account.id)) {
            let reach = self.own_reach(&entry, &mut counted.references, &counted.unlocated);
            // The inventory counts, however the run ends.
            let ended = async {
                self.stop().heard().await;
                let given_up = self.stop().ends().map_or_else(Instant::now, Instant::from_std);
                tokio::time::sleep_until(given_up - REACH_SOONER).await;
            };
            tokio::select! {
                biased;
                reached = reach => {
                    let reached = reached?;
                    if self.store.has(&reached_file(&account.id)) {
                        counted.references.forget(&self.home, &reached);
                        counted.reached = Some(reached);
                    }
                }
                () = ended => {}
            }
        }
        Ok(Some(counted))
    }

    fn count(&self, account: &Chosen, lines: &[Line]) -> Counted {
        let entry = lines.iter().find_map(|line| match &line.fact {
            Fact::Account(entry) => Some(entry),
            _ => None,
        });
        let entered = entry.is_some_and(|entry| entry.session.is_ok());
        let unlocated = lines.iter().filter_map(|line| match &line.fact {
            Fact::BucketName(bucket) if bucket.region.is_none() => Some(bucket.name.clone()),
            _ => None,
        });
        let passing = |unknown: Option<&Unknown>| unknown.is_some_and(|unknown| unknown.why.passing());
        Counted {
            references: References::of(lines),
            entered,
            read: entry.map_or_else(Vec::new, |entry| entry.read_regions.clone()),
            unsure_of_regions: entry.is_some_and(|entry| {
                passing(entry.session.as_ref().err()) || passing(entry.enabled_regions.as_ref().err())
            }),
            trails_read: entered && self.reads_trails(account),
            unlocated: unlocated.collect(),
            reached: None,
        }
    }

    /// The trails of the management account may record every member.
    fn reads_trails(&self, account: &Chosen) -> bool {
        account.selected || self.management.as_ref() == Some(&account.id)
    }

    async fn inventory(&self, entry: &Entry, account: &Chosen, known: &Arc<Known>) -> Vec<Line> {
        // Entered both at once; whoever asks for workloads hears why if that fails.
        let workloads = async {
            if account.selected {
                let _ = entry.ready(Session::Workloads).await;
            }
        };
        let evidence = async {
            let session = entry.ready(Session::Evidence).await?;
            let home = Scope::new(&self.frame, entry, &self.home);
            let regions = if self.reads_trails(account) {
                enabled_regions(&home).await
            } else {
                (Err(not_collected("ec2:DescribeRegions").in_account(&account.id)), Vec::new())
            };
            Ok((session, home, regions))
        };
        let (evidence, ()) = tokio::join!(evidence, workloads);
        let (session, home, (enabled, reads)) = match evidence {
            Ok(entered) => entered,
            Err(unknown) => return vec![not_entered(account, unknown)],
        };
        let told = self.allowed(&enabled);
        let read: Vec<Region> = if account.selected { told.clone() } else { Vec::new() };
        let read: Vec<Region> = read.into_iter().filter(|region| self.chosen(region)).collect();
        let trails = if self.reads_trails(account) { told } else { Vec::new() };

        let regions: BTreeSet<&Region> = read.iter().chain(&trails).collect();
        let scopes: Vec<Scope> =
            regions.iter().map(|region| Scope::new(&self.frame, entry, region).knowing(known)).collect();
        let mut units: Vec<BoxFuture<'_, Vec<Line>>> = vec![guarded(&home, "s3", s3::list(&home))];
        for scope in &scopes {
            if trails.contains(&scope.region) {
                units.push(guarded(scope, "cloudtrail", cloudtrail::collect(scope)));
            }
            if read.contains(&scope.region) {
                units.push(guarded(scope, "sagemaker", sagemaker::collect(scope)));
                units.push(guarded(scope, "bedrock", bedrock::collect(scope)));
                units.push(guarded(scope, "bedrock-agent", bedrockagent::collect(scope)));
            }
        }
        let mut lines = together(units).await;
        let fact = AccountEntry {
            session: Ok(session),
            enabled_regions: enabled,
            read_regions: read,
            workloads: account.selected,
        };
        lines.push(Line::new(&account.id, None, account.id.as_str(), reads, Fact::Account(fact)));
        lines
    }

    /// Regions of an account where something may be asked. Where they could not be told: those the run was asked
    /// for, else the home region, which every account has.
    fn allowed(&self, enabled: &Told<Vec<Region>>) -> Vec<Region> {
        let mut regions = match enabled {
            Ok(regions) => regions.clone(),
            Err(_) if self.options.regions.is_empty() => vec![self.home.clone()],
            Err(_) => self.options.regions.clone(),
        };
        regions.retain(|region| !self.options.skip_regions.contains(region));
        regions
    }

    fn chosen(&self, region: &Region) -> bool {
        self.options.regions.is_empty() || self.options.regions.contains(region)
    }
}

fn not_entered(account: &Chosen, unknown: Unknown) -> Line {
    let regions = Unknown::new("ec2:DescribeRegions", Why::NotEntered).in_account(&account.id);
    let fact = AccountEntry {
        session: Err(unknown),
        enabled_regions: Err(regions),
        read_regions: Vec::new(),
        workloads: account.selected,
    };
    Line::new(&account.id, None, account.id.as_str(), Vec::new(), Fact::Account(fact))
}

/// The regions enabled in an account, sorted, without those of other partitions.
async fn enabled_regions(home: &Scope) -> (Told<Vec<Region>>, Vec<Read>) {
    let call = "ec2:DescribeRegions";
    let request = DescribeRegionsInput::builder().all_regions(true);
    let Answer { value, read } = match home.ask(&request).await {
        Ok(answer) => answer,
        Err(unknown) => return (Err(unknown), Vec::new()),
    };
    let regions = required(home, call, "regionInfo", value.regions).and_then(|regions| {
        let mut enabled = BTreeSet::new();
        for region in regions {
            let name = required(home, call, "regionName", region.region_name)?;
            let status = required(home, call, "optInStatus", region.opt_in_status)?;
            let region = Region::new(name);
            if status != "not-opted-in" && Partition::of_region(&region) == home.partition {
                enabled.insert(region);
            }
        }
        if enabled.is_empty() {
            return Err(malformed(home, call, "no region is enabled"));
        }
        Ok(enabled.into_iter().collect())
    });
    (regions, vec![read])
}
