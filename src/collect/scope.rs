//! Where a collector stands: one account, one region, and the way to ask there.
//!
//! What is asked is the collectors' business; how sessions are made is in `aws`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::aws::call::{Failure, call};
use crate::aws::classify::code;
use crate::aws::ground::Ground;
use crate::aws::request::Request;
use crate::aws::session::{Entry, Keys};
use crate::inventory::workload::WorkloadKind;
use crate::inventory::{Fact, Line, Read};
use crate::model::ids::{AccountId, Partition, Region, ResourceId};
use crate::model::observed::{Told, Unknown, Why};
use crate::model::time::{Moment, Timestamp};

/// One account and region, with a session for workloads and one for evidence.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub account: AccountId,
    pub partition: Partition,
    pub region: Region,
    /// Start of the run; look-back counts from here.
    pub as_of: Timestamp,
    pub lookback_days: u32,
    /// Jobs of a kind to describe.
    pub max_jobs: usize,
    known: Arc<Known>,
    entry: Entry,
    /// Where requests go; the same as `region` but for [`Scope::evidence_in`].
    ground: Arc<Ground>,
}

/// Workloads that an earlier, interrupted run has described to the end, by kind and ARN.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<(WorkloadKind, ResourceId), Line>);

impl Known {
    pub(crate) fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Self {
        let described = lines.filter(|line| !line.may_tell_more()).filter_map(|line| match &line.fact {
            Fact::Workload(workload) => Some(((workload.kind, line.id.clone()), line.clone())),
            _ => None,
        });
        Self(described.collect())
    }
}

/// A value and the call that told it.
#[derive(Clone, Debug)]
pub(crate) struct Answer<T> {
    pub value: T,
    /// Its time is when the answer arrived.
    pub read: Read,
}

/// What is the same in all regions and accounts of a run.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub partition: Partition,
    pub as_of: Timestamp,
    pub lookback_days: u32,
    pub max_jobs: usize,
}

impl Scope {
    pub(crate) fn new(frame: &Frame, entry: &Entry, region: &Region) -> Self {
        Self {
            account: entry.account.clone(),
            partition: frame.partition.clone(),
            region: region.clone(),
            as_of: frame.as_of,
            lookback_days: frame.lookback_days,
            max_jobs: frame.max_jobs,
            known: Arc::default(),
            entry: entry.clone(),
            ground: entry.ground(region),
        }
    }

    /// The same, when some workloads are known already.
    pub(crate) fn knowing(self, known: &Arc<Known>) -> Self {
        Self { known: known.clone(), ..self }
    }

    /// The line of a workload of this kind and ARN, if it was described to the end.
    pub(crate) fn known(&self, kind: WorkloadKind, arn: &str) -> Option<&Line> {
        if self.known.0.is_empty() { None } else { self.known.0.get(&(kind, ResourceId::new(arn))) }
    }

    /// The same, asking in another region of the account, for what is told only there. Facts and
    /// unknowns stay those of this region.
    pub(crate) fn evidence_in(&self, region: &Region) -> Self {
        Self { ground: self.entry.ground(region), ..self.clone() }
    }

    /// Runs one call, in the session its operation needs. An error becomes an unknown with account and region.
    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Told<Answer<R::Output>> {
        let (value, read) = self.ask_or_none(request, &[]).await?;
        match value {
            Some(value) => Ok(Answer { value, read }),
            None => panic!("internal error: {} has no codes that mean none", R::codec().operation.name),
        }
    }

    /// The same where some error codes mean "there is none": then `Ok(None)`, with the read.
    pub(crate) async fn ask_or_none<R: Request>(
        &self,
        request: &R,
        absent_codes: &[&str],
    ) -> Told<(Option<R::Output>, Read)> {
        let (answer, read) = self.ask_or_code(request, absent_codes).await?;
        Ok((answer.ok(), read))
    }

    /// The same where some error codes are answers.
    pub(crate) async fn ask_or_code<'c, R: Request>(
        &self,
        request: &R,
        codes: &[&'c str],
    ) -> Told<(Result<R::Output, &'c str>, Read)> {
        let operation = R::codec().operation;
        let outcome = call(&self.ground, Keys::Session(self.entry.door(operation.session)), request).await;
        let told = |error: &_| codes.iter().copied().find(|known| code(error) == Some(known));
        let answer = match outcome {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Refused(error)) => match told(&error) {
                Some(code) => Ok(Err(code)),
                None => Err(Failure::Refused(error)),
            },
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => {
                let read = Read { call: format!("{}:{}", operation.service, operation.name), at: now() };
                Ok((answer, read))
            }
            Err(failure) => {
                let unknown = failure.unknown(&self.ground, operation).in_region(&self.region);
                self.ground.common.ledger.note_lost(unknown.why);
                Err(unknown)
            }
        }
    }

    /// An unknown of this account and region.
    pub(crate) fn unknown(&self, call: &str, why: Why) -> Unknown {
        Unknown::new(call, why).in_account(&self.account).in_region(&self.region)
    }

    /// An instant AWS told, with when it was read; none of what is no instant of our calendar.
    pub(crate) fn moment(&self, at: &aws_smithy_types::DateTime, read: &Read) -> Option<Moment> {
        Some(Moment { at: Timestamp::told(at.secs())?, read: read.at })
    }

    /// `arn:<partition>:<service>:<region>:<account>:<resource>`; buckets have neither region nor account in theirs.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        match service {
            "s3" => format!("arn:{}:s3:::{resource}", self.partition),
            _ => format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account),
        }
    }
}

/// The host's clock, in whole seconds.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(aws_smithy_types::DateTime::from(SystemTime::now()).secs())
}
