//! How collectors of AI services write a workload: found by a list, described by a second call, or not.
//!
//! Which fields hold S3 locations, networks and keys is said where each resource is described.

use std::future::Future;

use aws_smithy_types::DateTime;

use crate::inventory::workload::{Placement, S3Role, S3Use, Workload, WorkloadKind, undescribed};
use crate::inventory::{Fact, Line, Read, sagemaker::Endpoint};
use crate::model::observed::{Told, Unknown, Why};
use crate::model::time::Moment;

use super::listing::{Listed, few_at_a_time, malformed, sorted, text};
use super::scope::Scope;

/// A workload as a list shows it.
#[derive(Clone)]
pub(crate) struct Found {
    pub arn: String,
    /// What the call that describes it takes.
    pub id: String,
    pub name: String,
    pub created: Option<Moment>,
    pub status: Option<String>,
}

impl Found {
    /// Something described by its name; none when the list left out what names it.
    pub(crate) fn new(arn: Option<String>, name: Option<String>, created: Option<Moment>) -> Option<Self> {
        let name = text(name)?;
        Some(Self { arn: text(arn)?, id: name.clone(), name, created, status: None })
    }

    /// Something described by an id.
    pub(crate) fn id(mut self, id: String) -> Self {
        self.id = id;
        self
    }

    pub(crate) fn status(mut self, status: Option<&str>) -> Self {
        self.status = status.map(str::to_owned);
        self
    }
}

/// What describing a workload adds.
#[derive(Clone)]
pub(crate) struct Described {
    pub uses: Told<Vec<S3Use>>,
    pub placement: Told<Placement>,
    pub keys: Vec<String>,
    pub endpoint: Option<Box<Endpoint>>,
    /// The calls that described it.
    pub reads: Vec<Read>,
}

impl Described {
    /// Uses, placement and keys; `read` is the call that told them.
    pub(crate) fn new(uses: Uses, placement: Told<Placement>, keys: Keys, read: Read) -> Self {
        let uses = uses.told(&read.call);
        Self { uses, placement, keys: keys.sorted(), endpoint: None, reads: vec![read] }
    }

    /// A workload that has no bucket, key or network of its own, as the list alone tells.
    pub(crate) fn bare() -> Self {
        Self {
            uses: Ok(Vec::new()),
            placement: Ok(Placement::Nowhere),
            keys: Vec::new(),
            endpoint: None,
            reads: Vec::new(),
        }
    }
}

/// The line of the list, and a line for each workload it found, described a few at a time.
pub(crate) async fn describe_each<F, Fut>(
    scope: &Scope,
    kind: WorkloadKind,
    listed: Listed<Found>,
    describe: F,
) -> Vec<Line>
where
    F: Fn(Found) -> Fut,
    Fut: Future<Output = Told<Described>>,
{
    let listed = listed.once(|found| &found.arn);
    let mut lines = vec![listed.line(scope)];
    // Most lists are empty, and thousands are asked for at a time: only what is described takes the room for it.
    if !listed.items.is_empty() {
        let described = listed.items.into_iter().map(|(found, read)| {
            let description = match scope.known(kind, &found.arn).filter(|line| stands(line, &found)) {
                Some(known) => Err(known.clone()),
                None => Ok(describe(found.clone())),
            };
            async move {
                match description {
                    Ok(description) => line(scope, kind, found, read, description.await),
                    Err(known) => known,
                }
            }
        });
        lines.extend(Box::pin(few_at_a_time(described)).await);
    }
    sorted(lines)
}

/// Whether what an earlier run described is what the list shows now: the same one, in the same state, and that no passing
/// one.
fn stands(line: &Line, found: &Found) -> bool {
    let Fact::Workload(known) = &line.fact else { return false };
    let created = |moment: Option<Moment>| moment.map(|moment| moment.at);
    let passing = |status: &str| {
        let status = status.to_ascii_lowercase();
        status.ends_with("ing") || status.ends_with("inprogress") || status.ends_with("in_progress")
    };
    created(known.created) == created(found.created)
        && known.status == found.status
        && !found.status.as_deref().is_some_and(passing)
}

/// The line of one workload.
pub(crate) fn line(scope: &Scope, kind: WorkloadKind, found: Found, listed: Read, described: Told<Described>) -> Line {
    let Found { arn, name, created, status, .. } = found;
    let mut reads = vec![listed];
    let workload = match described {
        Ok(Described { uses, placement, keys, endpoint, reads: more }) => {
            reads.extend(more);
            let uses = uses.map_err(|unknown| unknown.in_account(&scope.account).in_region(&scope.region));
            Workload { kind, name, created, status, uses, placement, keys, endpoint }
        }
        Err(unknown) => Workload { created, status, ..undescribed(kind, name, unknown) },
    };
    Line::new(&scope.account, Some(&scope.region), arn, reads, Fact::Workload(workload))
}

/// S3 locations gathered field by field.
#[derive(Default)]
pub(crate) struct Uses {
    pub all: Vec<S3Use>,
    /// A field that AWS always sends and did not.
    lacks: Option<String>,
}

impl Uses {
    /// A field that is absent or empty names none.
    pub(crate) fn add(&mut self, role: S3Role, field: impl Into<String>, location: Option<&String>) {
        if let Some(location) = location.filter(|location| !location.is_empty()) {
            self.all.push(S3Use { location: location.clone(), role, field: field.into() });
        }
    }

    /// One that AWS always sends: without it, where the data is is not known.
    pub(crate) fn must(&mut self, role: S3Role, field: impl Into<String>, location: Option<&String>) {
        let field = field.into();
        if location.is_none_or(String::is_empty) {
            self.lacks.get_or_insert_with(|| field.clone());
        }
        self.add(role, field, location);
    }

    /// What a call told of them.
    pub(crate) fn told(self, call: &str) -> Told<Vec<S3Use>> {
        match self.lacks {
            Some(field) => Err(Unknown::new(call, Why::Malformed).saying(format!("the answer lacks {field}"))),
            None => Ok(self.all),
        }
    }
}

/// KMS keys gathered field by field.
#[derive(Default)]
pub(crate) struct Keys(Vec<String>);

impl Keys {
    pub(crate) fn add(&mut self, key: Option<&String>) {
        self.0.extend(key.filter(|key| !key.is_empty()).cloned());
    }

    pub(crate) fn sorted(mut self) -> Vec<String> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// In the subnets a VPC setting names, or `elsewhere` when there is no such setting. A setting without subnets is
/// malformed: it says there is a network and not which.
pub(crate) fn placement(
    scope: &Scope,
    call: &str,
    subnets: Option<Option<&[String]>>,
    elsewhere: Placement,
) -> Told<Placement> {
    match subnets {
        None => Ok(elsewhere),
        Some(Some(subnets)) if !subnets.is_empty() => {
            let mut subnets = subnets.to_vec();
            subnets.sort();
            subnets.dedup();
            Ok(Placement::Subnets(subnets))
        }
        Some(_) => Err(malformed(scope, call, "the VPC setting names no subnet")),
    }
}

/// When something was created, if it is told. The SDK stands the epoch in for some missing times.
pub(crate) fn created(scope: &Scope, at: Option<&DateTime>, read: &Read) -> Option<Moment> {
    at.filter(|at| at.secs() != 0).and_then(|at| scope.moment(at, read))
}

/// From which creation time on finished jobs count.
pub(crate) fn lookback(scope: &Scope) -> DateTime {
    DateTime::from_secs(scope.as_of.unix() - i64::from(scope.lookback_days) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::AccountId;
    use crate::model::time::Timestamp;

    #[test]
    fn a_description_stands_only_for_what_is_still_as_it_was() {
        let moment =
            |at: i64, read: i64| Moment { at: Timestamp::told(at).unwrap(), read: Timestamp::told(read).unwrap() };
        let found = |at: i64, read: i64, status: &str| Found {
            created: Some(moment(at, read)),
            ..Found::new(Some("arn".into()), Some("e".into()), None).unwrap().status(Some(status))
        };
        let line = |found: &Found| {
            let lost = Unknown::new("sagemaker:DescribeEndpoint", Why::Denied);
            let told = undescribed(WorkloadKind::Endpoint, found.name.clone(), lost);
            let told = Workload { created: found.created, status: found.status.clone(), ..told };
            Line::new(&AccountId::new("111122223333"), None, "arn", Vec::new(), Fact::Workload(told))
        };
        let earlier = line(&found(100, 1_000, "InService"));
        assert!(stands(&earlier, &found(100, 2_000, "InService")));
        assert!(!stands(&earlier, &found(500, 2_000, "InService")), "made anew under the same name");
        assert!(!stands(&line(&found(100, 1_000, "Creating")), &found(100, 2_000, "InService")));
        assert!(!stands(&line(&found(100, 1_000, "Updating")), &found(100, 2_000, "Updating")));
    }
}
