//! Buckets: the names of all, the region of one, and the configuration of those that are reached.
//!
//! Every detail call names the expected owner, so that a bucket that changed hands is an error and not a finding.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclInput;
use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionInput;
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationInput;
use aws_sdk_s3::operation::get_bucket_location::GetBucketLocationInput;
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingInput;
use aws_sdk_s3::operation::get_bucket_ownership_controls::GetBucketOwnershipControlsInput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyInput;
use aws_sdk_s3::operation::get_bucket_replication::GetBucketReplicationInput;
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningInput;
use aws_sdk_s3::operation::get_object_lock_configuration::GetObjectLockConfigurationInput;
use aws_sdk_s3::operation::list_buckets::ListBucketsInput;
use aws_sdk_s3::types::{
    BucketLocationConstraint, DefaultRetention as SdkRetention, LifecycleRule as SdkLifecycleRule, MfaDeleteStatus,
    Permission, ReplicationRule as SdkReplicationRule,
};

use crate::aws::request::Request;
use crate::inventory::s3::{
    AccessLogging, Bucket, BucketName, BucketProbe, DefaultRetention, Encryption, LifecycleRule, ObjectLock,
    ReplicationRule, Versioning,
};
use crate::inventory::{Fact, Line, Listing, Read};
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, Unknown, Why};
use crate::model::time::Timestamp;

use super::listing::{ALL, Page, few_at_a_time, malformed, pages, required, required_text, sorted, text};
use super::scope::{Answer, Scope};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &[
    "s3:ListBuckets",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetObjectLockConfiguration",
    "s3:GetBucketLogging",
    "s3:GetBucketPolicy",
    "s3:GetBucketEncryption",
    "s3:GetBucketLifecycleConfiguration",
    "s3:GetBucketReplication",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketAcl",
];

/// AWS tells the region of a bucket only in answers to a request with a parameter, and refuses unpaginated requests
/// of accounts with more buckets than this.
const MAX_BUCKETS: i32 = 10_000;

/// The group that writes server access logs the legacy way, through an ACL.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// The names of all buckets of the account, whatever their region, and one listing for the account.
pub(crate) async fn list(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "s3:ListBuckets", ALL, |token| async move {
        let request = ListBucketsInput::builder().max_buckets(MAX_BUCKETS).set_continuation_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.buckets, next: value.continuation_token, read })
    })
    .await
    .named(scope, |bucket, _| {
        let region = text(bucket.bucket_region).map(Region::new);
        Some(BucketName { name: text(bucket.name)?, region })
    })
    .once(|bucket| &bucket.name);
    let count = listed.whole.map(|()| listed.total);
    let listing = Fact::Listing(Listing { call: listed.call.to_owned(), count, capped: 0 });
    let id = format!("{}:{}", listed.call, scope.account);
    let mut lines = vec![Line::new(&scope.account, None, id, listed.reads, listing)];
    lines.extend(listed.items.into_iter().map(|(bucket, read)| {
        let arn = bucket_arn(scope, &bucket.name);
        Line::new(&scope.account, None, arn, vec![read], Fact::BucketName(bucket))
    }));
    sorted(lines)
}

/// The region of a bucket whose name came without one. Asked in the partition's home region, which answers for all.
pub(crate) async fn locate(scope: &Scope, name: &str) -> Told<Region> {
    let scope = &scope.evidence_in(&scope.partition.home_region());
    let request = GetBucketLocationInput::builder().bucket(name).expected_bucket_owner(scope.account.as_str());
    let Answer { value, .. } = scope.ask(&request).await?;
    Ok(match value.location_constraint {
        Some(BucketLocationConstraint::Eu) => Region::new("eu-west-1"),
        Some(constraint) if !constraint.as_str().is_empty() => Region::new(constraint.as_str()),
        Some(_) | None => Region::new("us-east-1"),
    })
}

/// How S3 says that there is no bucket of a name.
const NO_BUCKET: &str = "NoSuchBucket";
/// And that there is one in another region, be it one that the account has not enabled
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const ELSEWHERE: &[&str] = &["PermanentRedirect", "IllegalLocationConstraintException"];

/// Whether buckets that no account of the sweep lists exist at all: `NoSuchBucket` says no to whoever may ask.
pub(crate) async fn probe(scope: &Scope, buckets: &BTreeSet<String>) -> Vec<Line> {
    let lines = few_at_a_time(buckets.iter().cloned().map(|name| async move {
        let request = GetBucketLocationInput::builder().bucket(&name);
        let codes = [ELSEWHERE, &[NO_BUCKET]].concat();
        let (exists, reads) = match scope.ask_or_code(&request, &codes).await {
            Ok((answer, read)) => (Ok(answer.err() != Some(NO_BUCKET)), vec![read]),
            // Whoever asks for another account's bucket is refused, whatever the role allows: no permission would tell
            // more. Whether the bucket is there that does not tell. That the role lacks one AWS says in these words.
            Err(unknown)
                if unknown.call == "s3:GetBucketLocation"
                    && unknown.why == Why::Denied
                    && !unknown.message.as_ref().is_some_and(|said| said.contains("identity-based policy")) =>
            {
                (Err(Unknown { why: Why::Foreign, ..unknown }), Vec::new())
            }
            Err(unknown) => (Err(unknown), Vec::new()),
        };
        let arn = bucket_arn(scope, &name);
        let fact = Fact::BucketProbe(BucketProbe { name, exists });
        Line::new(&scope.account, Some(&scope.region), arn, reads, fact)
    }))
    .await;
    sorted(lines)
}

/// The configuration of buckets of this account in this region.
pub(crate) async fn read(scope: &Scope, buckets: &BTreeSet<String>) -> Vec<Line> {
    let lines = few_at_a_time(buckets.iter().cloned().map(|name| read_one(scope, name))).await;
    sorted(lines)
}

/// A reached bucket of which nothing could be read, for whoever knows why: its region is unknown, its owner's
/// account cannot be entered.
pub(crate) fn unread(name: &str, unknown: &Unknown) -> Bucket {
    Bucket {
        name: name.to_owned(),
        region: Err(unknown.clone()),
        versioning: Observed::Unknown(unknown.clone()),
        object_lock: Observed::Unknown(unknown.clone()),
        access_logging: Observed::Unknown(unknown.clone()),
        policy: Observed::Unknown(unknown.clone()),
        encryption: Observed::Unknown(unknown.clone()),
        lifecycle: Observed::Unknown(unknown.clone()),
        replication: Observed::Unknown(unknown.clone()),
        ownership: Observed::Unknown(unknown.clone()),
        acl_log_delivery: Err(unknown.clone()),
    }
}

async fn read_one(scope: &Scope, name: String) -> Line {
    let asker = Asker { scope, bucket: &name, reads: Mutex::default() };
    let (versioning, object_lock, access_logging, policy, encryption, lifecycle, replication, ownership, acl) = tokio::join!(
        asker.versioning(),
        asker.object_lock(),
        asker.access_logging(),
        asker.policy(),
        asker.encryption(),
        asker.lifecycle(),
        asker.replication(),
        asker.ownership(),
        asker.acl_log_delivery(),
    );
    let mut reads = asker.reads.into_inner().unwrap_or_else(PoisonError::into_inner);
    reads.sort_by(|a, b| a.call.cmp(&b.call));
    let bucket = Bucket {
        region: Ok(scope.region.clone()),
        versioning: Observed::from_told(versioning),
        object_lock: Observed::from_told(object_lock),
        access_logging: Observed::from_told(access_logging),
        policy: Observed::from_told(policy),
        encryption: Observed::from_told(encryption),
        lifecycle: Observed::from_told(lifecycle),
        replication: Observed::from_told(replication),
        ownership: Observed::from_told(ownership),
        acl_log_delivery: acl,
        name: name.clone(),
    };
    Line::new(&scope.account, Some(&scope.region), bucket_arn(scope, &name), reads, Fact::Bucket(Box::new(bucket)))
}

fn bucket_arn(scope: &Scope, name: &str) -> String {
    scope.arn("s3", name)
}

/// Asks about one bucket and remembers what answered. `Ok(None)` is AWS saying that there is no such configuration.
struct Asker<'a> {
    scope: &'a Scope,
    bucket: &'a str,
    reads: Mutex<Vec<Read>>,
}

impl Asker<'_> {
    async fn versioning(&self) -> Told<Option<Versioning>> {
        let request = GetBucketVersioningInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let answer = self.scope.ask(&request).await?;
        let versioning = self.take(answer);
        Ok(versioning.status.map(|status| Versioning {
            status: status.as_str().to_owned(),
            // The element is sent only for a bucket where it was ever set.
            mfa_delete: versioning.mfa_delete == Some(MfaDeleteStatus::Enabled),
        }))
    }

    async fn object_lock(&self) -> Told<Option<ObjectLock>> {
        let call = "s3:GetObjectLockConfiguration";
        let request =
            GetObjectLockConfigurationInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let absent = &["ObjectLockConfigurationNotFoundError"];
        let Some(answer) = self.maybe(&request, absent).await? else { return Ok(None) };
        let lock = required(self.scope, call, "ObjectLockConfiguration", answer.object_lock_configuration)?;
        required(self.scope, call, "ObjectLockEnabled", lock.object_lock_enabled)?;
        let default = lock.rule.and_then(|rule| rule.default_retention);
        let default_retention = default.map(|default| default_retention(self.scope, call, &default)).transpose()?;
        Ok(Some(ObjectLock { default_retention: default_retention.flatten() }))
    }

    async fn access_logging(&self) -> Told<Option<AccessLogging>> {
        let call = "s3:GetBucketLogging";
        let request = GetBucketLoggingInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let answer = self.scope.ask(&request).await?;
        let logging = self.take(answer).logging_enabled;
        let logging = logging.map(|logging| {
            Ok(AccessLogging {
                target_bucket: required_text(self.scope, call, "TargetBucket", Some(logging.target_bucket))?,
                target_prefix: logging.target_prefix,
            })
        });
        logging.transpose()
    }

    async fn policy(&self) -> Told<Option<String>> {
        let call = "s3:GetBucketPolicy";
        let request = GetBucketPolicyInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let Some(answer) = self.maybe(&request, &["NoSuchBucketPolicy"]).await? else {
            return Ok(None);
        };
        let policy = required_text(self.scope, call, "the policy", answer.policy)?;
        // The SDK hands on whatever came.
        let document = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&policy);
        let Ok(document) = document else {
            return Err(malformed(self.scope, call, "the policy is no JSON document"));
        };
        match document.get("Statement") {
            Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Ok(Some(policy)),
            _ => Err(malformed(self.scope, call, "the policy has no statements")),
        }
    }

    /// A rule without an algorithm leaves AWS's own default, like no rule.
    async fn encryption(&self) -> Told<Option<Encryption>> {
        let call = "s3:GetBucketEncryption";
        let request = GetBucketEncryptionInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let absent = &["ServerSideEncryptionConfigurationNotFoundError"];
        let Some(answer) = self.maybe(&request, absent).await? else { return Ok(None) };
        let member = "ServerSideEncryptionConfiguration";
        let config = required(self.scope, call, member, answer.server_side_encryption_configuration)?;
        if config.rules.is_empty() {
            return Err(malformed(self.scope, call, "the answer holds no rule"));
        }
        let default = config.rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
        Ok(default.map(|default| Encryption {
            algorithm: default.sse_algorithm.as_str().to_owned(),
            kms_key: text(default.kms_master_key_id),
        }))
    }

    async fn lifecycle(&self) -> Told<Option<Vec<LifecycleRule>>> {
        let call = "s3:GetBucketLifecycleConfiguration";
        let request =
            GetBucketLifecycleConfigurationInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let absent = &["NoSuchLifecycleConfiguration"];
        let Some(answer) = self.maybe(&request, absent).await? else { return Ok(None) };
        let rules = required(self.scope, call, "Rule", answer.rules)?;
        let rules = rules.into_iter().map(|rule| lifecycle_rule(self.scope, call, rule));
        rules.collect::<Told<_>>().map(Some)
    }

    async fn replication(&self) -> Told<Option<Vec<ReplicationRule>>> {
        let call = "s3:GetBucketReplication";
        let request = GetBucketReplicationInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let absent = &["ReplicationConfigurationNotFoundError"];
        let Some(answer) = self.maybe(&request, absent).await? else { return Ok(None) };
        let config = required(self.scope, call, "ReplicationConfiguration", answer.replication_configuration)?;
        if config.rules.is_empty() {
            return Err(malformed(self.scope, call, "the answer holds no rule"));
        }
        let rules = config.rules.into_iter().map(|rule| replication_rule(self.scope, call, rule, &config.role));
        rules.collect::<Told<_>>().map(Some)
    }

    async fn ownership(&self) -> Told<Option<String>> {
        let call = "s3:GetBucketOwnershipControls";
        let request =
            GetBucketOwnershipControlsInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let absent = &["OwnershipControlsNotFoundError"];
        let Some(answer) = self.maybe(&request, absent).await? else { return Ok(None) };
        let controls = required(self.scope, call, "OwnershipControls", answer.ownership_controls)?;
        let rule = required(self.scope, call, "OwnershipControls.Rule", controls.rules.into_iter().next())?;
        Ok(Some(rule.object_ownership.as_str().to_owned()))
    }

    async fn acl_log_delivery(&self) -> Told<bool> {
        let call = "s3:GetBucketAcl";
        let request = GetBucketAclInput::builder().bucket(self.bucket).expected_bucket_owner(self.owner());
        let answer = self.scope.ask(&request).await?;
        let grants = required(self.scope, call, "AccessControlList", self.take(answer).grants)?;
        Ok(grants.iter().any(|grant| {
            grant.grantee.as_ref().is_some_and(|grantee| grantee.uri.as_deref() == Some(LOG_DELIVERY))
                && matches!(grant.permission, Some(Permission::Write | Permission::FullControl))
        }))
    }

    fn owner(&self) -> &str {
        self.scope.account.as_str()
    }

    fn take<T>(&self, answer: Answer<T>) -> T {
        self.note(answer.read);
        answer.value
    }

    async fn maybe<R: Request>(&self, request: &R, absent: &[&str]) -> Told<Option<R::Output>> {
        let (value, read) = self.scope.ask_or_none(request, absent).await?;
        self.note(read);
        Ok(value)
    }

    fn note(&self, read: Read) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).push(read);
    }
}

/// None for a rule that holds only for events, which locks nothing by default. Zero stands for the unit not used.
fn default_retention(scope: &Scope, call: &str, default: &SdkRetention) -> Told<Option<DefaultRetention>> {
    let positive = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0);
    let days = match (positive(default.days), positive(default.years)) {
        (Some(days), None) => days,
        (None, Some(years)) => years.saturating_mul(365),
        (None, None) if default.mode.is_none() => return Ok(None),
        _ => return Err(malformed(scope, call, "the default retention has not one of days and years")),
    };
    let mode = required(scope, call, "DefaultRetention.Mode", default.mode.as_ref())?;
    Ok(Some(DefaultRetention { mode: mode.as_str().to_owned(), days }))
}

fn lifecycle_rule(scope: &Scope, call: &str, rule: SdkLifecycleRule) -> Told<LifecycleRule> {
    let days = |value: Option<i32>| {
        value.map(|v| u32::try_from(v).map_err(|_| malformed(scope, call, "a negative number of days"))).transpose()
    };
    #[expect(deprecated, reason = "AWS still sends it for rules written before filters existed")]
    let old_prefix = rule.prefix;
    let filter = rule.filter;
    let and = filter.as_ref().and_then(|filter| filter.and.as_ref());
    let tag_or_size_filter = filter.as_ref().is_some_and(|filter| {
        filter.tag.is_some() || filter.object_size_greater_than.is_some() || filter.object_size_less_than.is_some()
    }) || and.is_some_and(|and| {
        !and.tags().is_empty() || and.object_size_greater_than.is_some() || and.object_size_less_than.is_some()
    });
    let prefix =
        [filter.as_ref().and_then(|filter| filter.prefix.clone()), and.and_then(|and| and.prefix.clone()), old_prefix];
    let expiration = rule.expiration.as_ref();
    let noncurrent = rule.noncurrent_version_expiration.as_ref();
    Ok(LifecycleRule {
        id: text(rule.id),
        enabled: enabled(scope, call, rule.status.as_str())?,
        prefix: whole_bucket_unless(prefix),
        tag_or_size_filter,
        expiration_days: days(expiration.and_then(|expiration| expiration.days))?,
        expiration_date: match expiration.and_then(|expiration| expiration.date) {
            Some(at) => Some(required(scope, call, "Expiration.Date", Timestamp::told(at.secs()))?),
            None => None,
        },
        noncurrent_days: match noncurrent {
            Some(noncurrent) => {
                let member = "NoncurrentVersionExpiration.NoncurrentDays";
                days(Some(required(scope, call, member, noncurrent.noncurrent_days)?))?
            }
            None => None,
        },
        newer_noncurrent_versions: days(noncurrent.and_then(|noncurrent| noncurrent.newer_noncurrent_versions))?,
    })
}

fn replication_rule(scope: &Scope, call: &str, rule: SdkReplicationRule, role: &str) -> Told<ReplicationRule> {
    #[expect(deprecated, reason = "AWS still sends it for rules written before filters existed")]
    let old_prefix = rule.prefix;
    let filter = rule.filter;
    let and = filter.as_ref().and_then(|filter| filter.and.as_ref());
    let prefix =
        [filter.as_ref().and_then(|filter| filter.prefix.clone()), and.and_then(|and| and.prefix.clone()), old_prefix];
    let destination = required(scope, call, "Destination", rule.destination)?;
    let bucket = required_text(scope, call, "Destination.Bucket", Some(destination.bucket))?;
    Ok(ReplicationRule {
        enabled: enabled(scope, call, rule.status.as_str())?,
        prefix: whole_bucket_unless(prefix),
        tag_filter: filter.as_ref().is_some_and(|filter| filter.tag.is_some())
            || and.is_some_and(|and| !and.tags().is_empty()),
        kms_objects: Some(
            rule.source_selection_criteria
                .and_then(|criteria| criteria.sse_kms_encrypted_objects)
                .is_some_and(|objects| objects.status.as_str() == "Enabled"),
        ),
        // AWS gives the ARN of the bucket.
        bucket: bucket.rsplit(":::").next().map(str::to_owned).unwrap_or(bucket),
        account: text(destination.account).map(AccountId::new),
        role: text(Some(role.to_owned())),
    })
}

/// The one prefix of a rule; a rule without any holds for the whole bucket.
fn whole_bucket_unless(prefixes: [Option<String>; 3]) -> String {
    prefixes.into_iter().flatten().next().unwrap_or_default()
}

fn enabled(scope: &Scope, call: &str, status: &str) -> Told<bool> {
    match status {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        other => Err(malformed(scope, call, &format!("the status of a rule is {other}"))),
    }
}
