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

/// What is replicated: the prefixes of a bucket that matter, and whether some objects there are encrypted with KMS keys.
pub(super) struct Copies<'a> {
    pub index: &'a Index<'a>,
    pub bucket: &'a Bucket,
    pub prefixes: &'a BTreeSet<&'a str>,
    pub by_kms: Told<bool>,
}

impl Copies<'_> {
    /// Whether every prefix is replicated, by an enabled rule, into a bucket for which `good` holds.
    pub(super) fn all_in(&self, good: impl Fn(&str) -> Told<bool>) -> Told<bool> {
        let Some(rules) = self.bucket.replication.get()? else { return Ok(false) };
        all(self.prefixes.iter().map(|prefix| {
            any(of_prefix(rules, prefix).map(|rule| all([self.arrives(rule, prefix), good(&rule.bucket)])))
        }))
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
    fn retention_of<'a>(&'a self, copy: &'a Bucket) -> Told<Option<&'a DefaultRetention>> {
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
        let Some(rules) = self.bucket.replication.get()? else { return Ok(None) };
        let mut unknown = None;
        let mut worst = None;
        for prefix in self.prefixes {
            let (mut lost, mut best) = (None, None);
            for rule in of_prefix(rules, prefix) {
                let copy = self.arrives(rule, prefix).and_then(|arrives| match arrives {
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

    /// Whether a rule brings every object of a prefix to where it says.
    fn arrives(&self, rule: &ReplicationRule, prefix: &str) -> Told<bool> {
        let tagged =
            || Unknown::new("s3:GetBucketReplication", Why::Undecidable).saying("a tag decides what is replicated");
        let encrypted_too = rule.kms_objects.ok_or_else(|| not_collected("s3:GetBucketReplication"));
        all([
            any([not(self.by_kms.clone()), encrypted_too]),
            if rule.tag_filter { Err(tagged()) } else { Ok(true) },
            self.index.bucket_exists(&rule.bucket),
            self.let_in(rule, prefix),
        ])
    }

    /// Whether the bucket a rule names takes copies: versioned, of the account that the rule says, and with a policy
    /// that lets the role of the rule in where it is another's.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-walkthrough-2.html>
    fn let_in(&self, rule: &ReplicationRule, prefix: &str) -> Told<bool> {
        let owner = |bucket: &str| match self.index.owner(bucket) {
            Owner::In(account, _) => Ok(Some(account)),
            Owner::Nobody | Owner::Aws => Ok(None),
            Owner::Unknown(unknown) => Err(unknown),
        };
        let Some(to) = owner(&rule.bucket)? else { return Ok(false) };
        if rule.account.as_ref().is_some_and(|said| *said != to) {
            return Ok(false);
        }
        let copy = self.index.bucket(&rule.bucket)?.fact;
        // S3 puts nothing that is locked where nothing can be.
        let lockable = any([
            self.bucket.object_lock.get().map(|lock| lock.is_none()),
            copy.object_lock.get().map(|lock| lock.is_some()),
        ]);
        let from = owner(&self.bucket.name)?.unwrap_or_else(|| to.clone());
        let admitted = copy.policy.get().and_then(|document| match document {
            Some(document) => {
                let object = format!("{}/{prefix}", self.index.bucket_id(&rule.bucket));
                let organization = self.index.shared.organization.as_deref();
                let role = policy::Role { arn: rule.role.as_deref(), account: &from, organization };
                let policy::Verdict { allowed, denied } = policy::on_replication(document, &role, &object)?;
                // In an account the role's own permissions suffice.
                all([any([Ok(from == to), allowed]), not(denied)])
            }
            None => Ok(from == to),
        });
        all([super::buckets::versioned(copy), lockable, admitted])
    }
}

fn of_prefix<'a>(rules: &'a [ReplicationRule], prefix: &str) -> impl Iterator<Item = &'a ReplicationRule> {
    rules.iter().filter(move |rule| rule.enabled && prefix.starts_with(rule.prefix.as_str()))
}
