//! What S3 replication makes of a bucket's objects elsewhere: whether copies arrive, how they are locked, how long they
//! live.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html>

use std::collections::BTreeSet;

use crate::inventory::not_collected;
use crate::inventory::s3::{Bucket, DefaultRetention, ReplicationRule};
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::index::{Index, Owner};
use super::kinds::{CopyView, LockView};
use super::kleene::{all, any, not};
use super::{lifetime, policy};

/// The enabled rules about all of a prefix, and whether they bring it to where they say.
type Rules<'a> = Vec<(&'a ReplicationRule, Told<bool>)>;

/// Where a bucket's objects are replicated to.
pub(super) struct Copies<'a> {
    index: &'a Index<'a>,
    bucket: &'a Bucket,
    /// By prefix.
    rules: Told<Vec<(&'a str, Rules<'a>)>>,
}

impl<'a> Copies<'a> {
    /// Those of the prefixes that matter. `by_kms`: whether some objects there are encrypted with KMS keys.
    pub(super) fn of(
        index: &'a Index<'a>,
        bucket: &'a Bucket,
        prefixes: &BTreeSet<&'a str>,
        by_kms: &Told<bool>,
    ) -> Self {
        let rules = bucket.replication.get().map(|rules| {
            let rules = rules.map_or(&[][..], Vec::as_slice);
            let of_prefix = |prefix: &'a str| {
                let rules = rules.iter().filter(|rule| rule.enabled && prefix.starts_with(rule.prefix.as_str()));
                (prefix, rules.map(|rule| (rule, arrives(index, bucket, by_kms, rule, prefix))).collect())
            };
            prefixes.iter().copied().map(of_prefix).collect()
        });
        Self { index, bucket, rules }
    }

    /// Whether every prefix is replicated into a bucket for which `good` holds.
    pub(super) fn all_in(&self, good: impl Fn(&str) -> Told<bool>) -> Told<bool> {
        let rules = self.rules.as_ref().map_err(Unknown::clone)?;
        all(rules
            .iter()
            .map(|(_, rules)| any(rules.iter().map(|(rule, arrives)| all([arrives.clone(), good(&rule.bucket)])))))
    }

    /// The weakest lock that copies of the prefixes get, of each prefix the copy locked longest; none = a prefix has no
    /// locked copy.
    pub(super) fn lock(&self) -> Told<Option<LockView>> {
        self.worst_of_best(
            |_, copy| {
                let retention = self.retention_of(copy)?;
                Ok(retention.map(|lock| LockView { mode: lock.mode.clone(), days: i64::from(lock.days) }))
            },
            |_| false,
            |a, b| if (a.days, a.mode == "COMPLIANCE") >= (b.days, b.mode == "COMPLIANCE") { a } else { b },
            |a, b| LockView { mode: if a.mode == "COMPLIANCE" { b.mode } else { a.mode }, days: a.days.min(b.days) },
        )
    }

    /// How long copies of the prefixes live, of each prefix the copy that lives longest; none = a prefix has no copy.
    /// What lifecycle rules delete in the bucket stays in its copies.
    pub(super) fn kept(&self) -> Observed<CopyView> {
        let days = self.worst_of_best(
            |prefix, copy| {
                let locked = self.retention_of(copy).map(|lock| lock.map(|lock| i64::from(lock.days)));
                lifetime::written_once(copy, &BTreeSet::from([prefix]), &locked, self.index.shared.as_of).map(Some)
            },
            Option::is_none,
            |a: Option<i64>, b| a.zip(b).map(|(a, b)| a.max(b)),
            |a, b| a.into_iter().chain(b).min(),
        );
        Observed::from_told(days.map(|days| days.map(|days| CopyView { retention_days: Observed::from_option(days) })))
    }

    /// The default retention that a copy gets: that of what is copied stays with it, and the one of the bucket it goes to
    /// is for what has none.
    fn retention_of<'c>(&'c self, copy: &'c Bucket) -> Told<Option<&'c DefaultRetention>> {
        let Some(lock) = copy.object_lock.get()? else { return Ok(None) };
        let own = self.bucket.object_lock.get()?.and_then(|lock| lock.default_retention.as_ref());
        Ok(own.or(lock.default_retention.as_ref()))
    }

    /// A rule that cannot be followed may lead to a better copy, so it leaves all unknown unless one is known that none
    /// is better than.
    fn worst_of_best<T>(
        &self,
        of: impl Fn(&str, &Bucket) -> Told<Option<T>>,
        is_best: impl Fn(&T) -> bool,
        better: impl Fn(T, T) -> T,
        worse: impl Fn(T, T) -> T,
    ) -> Told<Option<T>> {
        let mut unknown = None;
        let mut worst = None;
        for (prefix, rules) in self.rules.as_ref().map_err(Unknown::clone)? {
            let (mut lost, mut best) = (None, None);
            for (rule, arrives) in rules {
                let copy = arrives.clone().and_then(|arrives| match arrives {
                    true => of(prefix, self.index.bucket(&rule.bucket)?.fact),
                    false => Ok(None),
                });
                match (copy, best.take()) {
                    (Ok(Some(copy)), Some(known)) => best = Some(better(copy, known)),
                    (Ok(copy), known) => best = copy.or(known),
                    (Err(why), known) => (lost, best) = (Some(why), known),
                }
            }
            match (best, lost) {
                (Some(best), lost) if lost.is_none() || is_best(&best) => {
                    worst = Some(match worst {
                        Some(worst) => worse(worst, best),
                        None => best,
                    });
                }
                (_, Some(why)) => unknown = Some(why),
                (_, None) => return Ok(None),
            }
        }
        unknown.map_or(Ok(worst), Err)
    }
}

/// Whether a rule brings every object of a prefix to where it says.
fn arrives(
    index: &Index<'_>,
    bucket: &Bucket,
    by_kms: &Told<bool>,
    rule: &ReplicationRule,
    prefix: &str,
) -> Told<bool> {
    let tagged =
        || Unknown::new("s3:GetBucketReplication", Why::Undecidable).saying("a tag decides what is replicated");
    let encrypted_too = rule.kms_objects.ok_or_else(|| not_collected("s3:GetBucketReplication"));
    all([
        any([not(by_kms.clone()), encrypted_too]),
        if rule.tag_filter { Err(tagged()) } else { Ok(true) },
        index.bucket_exists(&rule.bucket),
        let_in(index, bucket, rule, prefix),
    ])
}

/// Whether the bucket a rule names takes copies: versioned, of the account that the rule says, and with a policy
/// that lets the role of the rule in where it is another's.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-walkthrough-2.html>
fn let_in(index: &Index<'_>, bucket: &Bucket, rule: &ReplicationRule, prefix: &str) -> Told<bool> {
    let owner = |name: &str| match index.owner(name) {
        Owner::In(account, _) => Ok(Some(account)),
        Owner::Nobody | Owner::Aws => Ok(None),
        Owner::Unknown(unknown) => Err(unknown),
    };
    let Some(to) = owner(&rule.bucket)? else { return Ok(false) };
    if rule.account.as_ref().is_some_and(|said| *said != to) {
        return Ok(false);
    }
    let copy = index.bucket(&rule.bucket)?.fact;
    // S3 puts nothing that is locked where nothing can be.
    let lockable =
        any([bucket.object_lock.get().map(|lock| lock.is_none()), copy.object_lock.get().map(|lock| lock.is_some())]);
    let from = owner(&bucket.name)?.unwrap_or_else(|| to.clone());
    let admitted = copy.policy.get().and_then(|document| match document {
        Some(document) => {
            let object = format!("{}/{prefix}", index.bucket_id(&rule.bucket));
            let organization = index.shared.organization.as_deref();
            let role = policy::Role { arn: rule.role.as_deref(), account: &from, organization };
            let policy::Verdict { allowed, denied } = policy::on_replication(document, &role, &object)?;
            // In an account the role's own permissions suffice.
            all([any([Ok(from == to), allowed]), not(denied)])
        }
        None => Ok(from == to),
    });
    all([super::buckets::versioned(copy), lockable, admitted])
}
