//! Buckets: as data of AI workloads, and as holders of evidence.

use std::collections::BTreeSet;

use crate::finding::{Evidence, Source};
use crate::inventory::not_collected;
use crate::inventory::s3::Bucket;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::copies::Copies;
use super::index::{Held, Index, Owner};
use super::kinds::{AccessLogView, AiBucket, BucketSink, EvidenceBucket};
use super::kleene::{all, any, not, possible};
use super::location::Location;
use super::outward::Uses;
use super::own::{Encrypted, Holder, Seen};
use super::policy::Writer;
use super::shared::Lent;
use super::subject::{Alternative, Carrier};
use super::trails::DataEvents;
use super::{lifetime, location, names, policy};

/// A bucket that something in `account` and `region` writes to, below a prefix.
pub(super) fn sink(
    index: &Index<'_>,
    account: &AccountId,
    region: &Region,
    place: &Location,
    writer: &Writer<'_>,
) -> BucketSink {
    let bucket = place.bucket.as_str();
    let owner = index.owner(bucket);
    let same_region = match &owner {
        Owner::In(_, Some(at)) => Observed::Known(at == region),
        Owner::In(owner, None) => {
            Observed::Unknown(Unknown::new("s3:GetBucketLocation", Why::NotCollected).in_account(owner))
        }
        Owner::Nobody => Observed::Known(false),
        Owner::Aws => Observed::Absent,
        Owner::Unknown(unknown) => Observed::Unknown(unknown.clone()),
    };
    BucketSink {
        bucket: bucket.to_owned(),
        exists: Observed::from_told(index.bucket_exists(bucket).map(Some)),
        same_account: Observed::from_told(owned_by(index, bucket, account).map(Some)),
        same_region,
        refused: refused(index, place, writer),
    }
}

/// Whether the policy of a bucket refuses whoever writes there; absent where it has none or nobody owns it.
fn refused(index: &Index<'_>, place: &Location, writer: &Writer<'_>) -> Observed<bool> {
    if matches!(index.owner(&place.bucket), Owner::Nobody | Owner::Aws) {
        return Observed::Absent;
    }
    let object = format!("{}/{}", index.bucket_id(&place.bucket), place.prefix);
    let told = index.bucket(&place.bucket).and_then(|seen| {
        let document = seen.fact.policy.get()?;
        document.map(|document| policy::refuses(document, writer, &object)).transpose()
    });
    Observed::from_told(told)
}

/// Whether something in `account` and `region` can write to a bucket where AWS delivers nowhere else.
pub(super) fn receives(index: &Index<'_>, account: &AccountId, region: &Region, bucket: &str) -> Told<bool> {
    let same_region = match index.owner(bucket) {
        Owner::In(_, Some(at)) => Ok(at == *region),
        Owner::In(owner, None) => Err(Unknown::new("s3:GetBucketLocation", Why::NotCollected).in_account(&owner)),
        Owner::Nobody | Owner::Aws => Ok(false),
        Owner::Unknown(unknown) => Err(unknown),
    };
    all([index.bucket_exists(bucket), owned_by(index, bucket, account), same_region])
}

/// Whether the account owns the bucket. Its own complete list decides a "no", whoever else may have it.
pub(super) fn owned_by(index: &Index<'_>, bucket: &str, account: &AccountId) -> Told<bool> {
    match index.owner(bucket) {
        Owner::In(owner, _) => Ok(owner == *account),
        Owner::Nobody | Owner::Aws => Ok(false),
        Owner::Unknown(_) if account == index.account && index.buckets_listed.is_ok() => Ok(false),
        Owner::Unknown(unknown) => Err(unknown),
    }
}

/// A bucket that workloads use, as checks see it.
pub(super) fn ai_view(index: &Index<'_>, name: &str, uses: &Uses) -> AiBucket {
    let roles: BTreeSet<&str> = uses.roles.iter().map(|role| role.word()).collect();
    let details = index.bucket(name);
    let field = |pick: fn(&Bucket) -> Observed<String>| match &details {
        Ok(seen) => pick(seen.fact),
        Err(unknown) => Observed::Unknown(unknown.clone()),
    };
    let events = data_events_of(index, name, uses);
    let events = |which: fn(&DataEvents<'_>, &Index<'_>) -> Told<bool>| match &events {
        Ok((account, region, arns)) => {
            which(&DataEvents { account, region, resource_type: "AWS::S3::Object", arns }, index)
        }
        Err(unknown) => Err(unknown.clone()),
    };
    AiBucket {
        name: name.to_owned(),
        roles: roles.into_iter().map(str::to_owned).collect(),
        exists: index.bucket_exists(name),
        aws_owned: index.owner(name) == Owner::Aws,
        reads_recorded: events(|e, i| e.reads(i)),
        writes_recorded: events(|e, i| e.writes(i)),
        access_log: match &details {
            Ok(seen) => access_log(index, seen.fact),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        access_delivery: deliveries(index, name)
            .and_then(|list| any(list.iter().map(|destination| takes_delivery(index, destination)))),
        versioning: field(|b| b.versioning.clone().map(|v| v.status)),
        noncurrent_days: match &details {
            Ok(seen) => days(lifetime::noncurrent(seen.fact, &uses.prefixes.iter().map(String::as_str).collect())),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        key_usable: details
            .as_ref()
            .map_or_else(|u| Observed::Unknown(u.clone()), |seen| key_usable(index, name, seen.fact)),
    }
}

/// Owner, region and object ARN prefixes that data events of a bucket are judged by.
pub(super) fn data_events_of(index: &Index<'_>, name: &str, uses: &Uses) -> Told<(AccountId, Region, Vec<String>)> {
    let (account, region) = match index.owner(name) {
        Owner::In(account, Some(region)) => (account, region),
        Owner::In(account, None) => {
            return Err(Unknown::new("s3:GetBucketLocation", Why::NotCollected).in_account(&account));
        }
        Owner::Unknown(unknown) => return Err(unknown),
        Owner::Nobody | Owner::Aws => return Err(Unknown::new("s3:ListBuckets", Why::Foreign)),
    };
    let arn = index.bucket_id(name);
    let arns: BTreeSet<String> = uses.prefixes.iter().map(|prefix| format!("{arn}/{prefix}")).collect();
    Ok((account, region, arns.into_iter().collect()))
}

/// The calls about other resources that what is said of a bucket rests on: trails that record its objects, and the
/// bucket that takes its access log.
pub(super) fn told_elsewhere(index: &Index<'_>, name: &str, uses: &Uses) -> Vec<Evidence> {
    let mut told = Vec::new();
    if let Ok((account, region, arns)) = data_events_of(index, name, uses) {
        let (account, region) = (&account, &region);
        let events = DataEvents { account, region, resource_type: "AWS::S3::Object", arns: &arns };
        told.extend(events.evidence(index));
        told.extend(index.deliveries(account, region).into_iter().flat_map(Seen::evidence));
    }
    let logging = index.described(name).and_then(|seen| seen.fact.access_logging.known());
    let target = logging.and_then(|logging| index.described(&logging.target_bucket));
    told.extend(target.into_iter().flat_map(Seen::evidence));
    told
}

fn access_log(index: &Index<'_>, bucket: &Bucket) -> Observed<AccessLogView> {
    let logging = match bucket.access_logging.get() {
        Ok(Some(logging)) => logging,
        Ok(None) => return Observed::Absent,
        Err(unknown) => return Observed::Unknown(unknown),
    };
    let target = logging.target_bucket.as_str();
    let owner = match index.owner(&bucket.name) {
        Owner::In(owner, _) => owner,
        Owner::Unknown(unknown) => return Observed::Unknown(unknown),
        Owner::Nobody | Owner::Aws => return Observed::Unknown(Unknown::new("s3:ListBuckets", Why::Foreign)),
    };
    let details = index.bucket(target);
    let of_target = |pick: &dyn Fn(&Bucket) -> Told<bool>| match &details {
        Ok(seen) => pick(seen.fact),
        Err(unknown) => Err(unknown.clone()),
    };
    let same_region = match (index.owner(target), &bucket.region) {
        (Owner::In(_, Some(at)), Ok(region)) => Ok(at == *region),
        (Owner::In(_, None), _) => Err(Unknown::new("s3:GetBucketLocation", Why::NotCollected)),
        (Owner::Nobody | Owner::Aws, _) => Ok(false),
        (Owner::Unknown(unknown), _) => Err(unknown),
        (_, Err(unknown)) => Err(unknown.clone()),
    };
    Observed::Known(AccessLogView {
        target: target.to_owned(),
        target_exists: index.bucket_exists(target),
        same_account: owned_by(index, target, &owner),
        same_region,
        itself: target == bucket.name,
        target_locked: of_target(&|b| Ok(b.object_lock.get()?.is_some_and(|l| l.default_retention.is_some()))),
        target_kms: of_target(&|b| Ok(b.encryption.get()?.is_some_and(|e| e.algorithm.starts_with("aws:kms")))),
        admitted: of_target(&|b| admitted(index, &bucket.name, &owner, b, &logging.target_prefix)),
    })
}

/// Whether policy or ACL of a target let the log delivery service write.
fn admitted(index: &Index<'_>, source: &str, owner: &AccountId, target: &Bucket, prefix: &str) -> Told<bool> {
    let verdict = target.policy.get().and_then(|document| match document {
        Some(document) => policy::on_access_logs(
            document,
            &policy::Delivery {
                source_bucket_arn: index.bucket_id(source).as_str(),
                source_account: owner.as_str(),
                target_bucket_arn: index.bucket_id(&target.name).as_str(),
                target_prefix: prefix,
            },
        ),
        None => Ok(policy::Verdict { allowed: Ok(false), denied: Ok(false) }),
    });
    let policy::Verdict { allowed, denied } =
        verdict.unwrap_or_else(|unknown| policy::Verdict { allowed: Err(unknown.clone()), denied: Err(unknown) });
    let by_acl = all([
        target.acl_log_delivery.clone(),
        target.ownership.get().map(|o| o.is_none_or(|o| o != "BucketOwnerEnforced")),
    ]);
    // What is denied no ACL grants.
    all([not(denied), any([allowed, by_acl])])
}

/// Whether access logs of a bucket can arrive where they are sent.
fn deliverable(view: &AccessLogView) -> Told<bool> {
    all([
        view.target_exists.clone(),
        view.same_account.clone(),
        view.same_region.clone(),
        Ok(!view.itself),
        not(view.target_locked.clone()),
        not(view.target_kms.clone()),
        view.admitted.clone(),
    ])
}

/// Destinations of vended deliveries of a bucket's access logs that are active.
fn deliveries(index: &Index<'_>, name: &str) -> Told<Vec<String>> {
    let place = match index.owner(name) {
        Owner::In(account, Some(region)) => (account, region),
        Owner::In(account, None) => {
            return Err(Unknown::new("s3:GetBucketLocation", Why::NotCollected).in_account(&account));
        }
        Owner::Unknown(unknown) => return Err(unknown),
        Owner::Nobody | Owner::Aws => return Ok(Vec::new()),
    };
    let list = match index.deliveries(&place.0, &place.1) {
        Some(seen) => seen.fact.s3_access.clone()?,
        None => {
            return Err(not_collected("logs:DescribeDeliverySources").in_account(&place.0).in_region(&place.1));
        }
    };
    let arn = index.bucket_id(name);
    Ok(list
        .into_iter()
        .filter(|d| d.active && d.bucket_arn.trim_end_matches("/*") == arn.as_str())
        .map(|d| d.destination_arn)
        .collect())
}

/// What keeps it from being known where access logs of a bucket go.
pub(super) fn access_unknown(index: &Index<'_>, name: &str) -> Vec<Unknown> {
    let logging = index.bucket(name).and_then(|seen| seen.fact.access_logging.get().map(|_| ()));
    let nobodys = matches!(index.owner(name), Owner::Nobody | Owner::Aws);
    [logging.err(), deliveries(index, name).err()].into_iter().flatten().filter(|_| !nobodys).collect()
}

/// Where a vended delivery ends, with the prefix in a bucket; none where that is not followed.
pub(super) fn delivered_to(destination: &str) -> Option<(Holder, String)> {
    if let Some(key) = names::log_group_of(destination) {
        return Some((Holder::Group(key), String::new()));
    }
    location::parse(destination).map(|place| (Holder::Bucket(place.bucket), place.prefix))
}

/// How the record of who read a bucket got where it is, for people.
pub(super) fn access_chain(bucket: &str) -> String {
    format!("access log of bucket {bucket}")
}

/// Whether the destination of a vended delivery is there.
fn takes_delivery(index: &Index<'_>, destination: &str) -> Told<bool> {
    match delivered_to(destination) {
        Some((Holder::Group((account, region, group)), _)) => super::groups::exists(index, &account, &region, &group),
        Some((Holder::Bucket(name), _)) => index.bucket_exists(&name),
        None => Err(Unknown::new("logs:DescribeDeliveryDestinations", Why::Undecidable)
            .saying("the destination is a stream, whose end is not followed")),
    }
}

/// What the owner of a bucket says to the accounts whose workloads use it.
pub(super) fn lent(index: &Index<'_>, name: &str) -> Lent {
    let alone = Uses::default();
    let uses = index.uses.get(name).map_or(&alone, |used| &*used.all);
    Lent { events: event_alternatives(index, name, uses), access: access_alternatives(index, name, uses) }
}

/// Alternatives that carry the data events of a bucket.
pub(super) fn event_alternatives(index: &Index<'_>, name: &str, uses: &Uses) -> Vec<Alternative> {
    let own = Carrier { resource: index.bucket_id(name), judged_as: Source::DataEvents, certain: true };
    match data_events_of(index, name, uses) {
        Ok((account, region, arns)) => {
            DataEvents { account: &account, region: &region, resource_type: "AWS::S3::Object", arns: &arns }
                .alternatives(index, own)
        }
        Err(_) => vec![Alternative { carriers: vec![own], certain: true, since: None }],
    }
}

/// Alternatives that carry object access of a bucket: access logs, vended deliveries, or data events.
pub(super) fn access_alternatives(index: &Index<'_>, name: &str, uses: &Uses) -> Vec<Alternative> {
    let own = Carrier { resource: index.bucket_id(name), judged_as: Source::ObjectAccess, certain: true };
    let with = |other: Carrier, truth: &Told<bool>| Alternative {
        carriers: vec![own.clone(), other],
        certain: *truth == Ok(true),
        since: None,
    };
    let mut found = Vec::new();
    let log = index.described(name).map(|seen| access_log(index, seen.fact));
    if let Some(Observed::Known(view)) = log {
        let arrives = deliverable(&view);
        if possible(&arrives) {
            let target = index.bucket_id(&view.target);
            found.push(with(Carrier { resource: target, judged_as: Source::ObjectAccess, certain: true }, &arrives));
        }
    }
    for destination in deliveries(index, name).into_iter().flatten() {
        let there = takes_delivery(index, &destination);
        if !possible(&there) {
            continue;
        }
        let resource = match delivered_to(&destination) {
            Some((Holder::Group((account, region, group)), _)) => {
                names::log_group(&index.shared.partition, &region, &account, &group)
            }
            Some((Holder::Bucket(name), _)) => index.bucket_id(&name),
            None => crate::model::ids::ResourceId::new(destination),
        };
        found.push(with(Carrier { resource, judged_as: Source::ObjectAccess, certain: true }, &there));
    }
    if let Ok((account, region, arns)) = data_events_of(index, name, uses) {
        let events = DataEvents { account: &account, region: &region, resource_type: "AWS::S3::Object", arns: &arns };
        let recorded = all([events.reads(index), events.writes(index)]);
        if possible(&recorded) {
            found.extend(
                events
                    .alternatives(index, own.clone())
                    .into_iter()
                    .map(|a| Alternative { certain: a.certain && recorded == Ok(true), ..a }),
            );
        }
    }
    if !found.iter().any(|a| a.certain) {
        found.push(Alternative { carriers: vec![own.clone()], certain: true, since: None });
    }
    if !access_unknown(index, name).is_empty() {
        found.push(Alternative::unseen(own));
    }
    found
}

fn key_usable(index: &Index<'_>, name: &str, bucket: &Bucket) -> Observed<bool> {
    let encryption = match bucket.encryption.get() {
        Ok(Some(encryption)) => encryption,
        Ok(None) => return Observed::Absent,
        Err(unknown) => return Observed::Unknown(unknown),
    };
    match index.owner(name) {
        Owner::In(account, Some(region)) => index.key_usable(&account, &region, encryption.kms_key.as_deref()),
        Owner::In(..) | Owner::Nobody | Owner::Aws | Owner::Unknown(_) if encryption.kms_key.is_none() => {
            Observed::Absent
        }
        Owner::Unknown(unknown) => Observed::Unknown(unknown),
        Owner::In(account, None) => {
            Observed::Unknown(Unknown::new("s3:GetBucketLocation", Why::NotCollected).in_account(&account))
        }
        Owner::Nobody | Owner::Aws => Observed::Absent,
    }
}

/// A bucket as the holder of one source. `held` are its holdings of that source.
pub(super) fn evidence_view(index: &Index<'_>, name: &str, source: Source, held: &[&Held]) -> EvidenceBucket {
    let details: Told<Seen<'_, Bucket>> = index.bucket(name);
    let prefixes: BTreeSet<&str> = held.iter().map(|h| h.prefix.as_str()).collect();
    let told = |pick: &dyn Fn(&Bucket) -> Told<bool>| match &details {
        Ok(seen) => pick(seen.fact),
        Err(unknown) => Err(unknown.clone()),
    };
    let lock = |b: &Bucket| b.object_lock.get().map(|l| l.and_then(|l| l.default_retention.clone()));
    let locked = match &details {
        Ok(seen) => Observed::from_told(lock(seen.fact)),
        Err(unknown) => Observed::Unknown(unknown.clone()),
    };
    let counts_for: BTreeSet<&AccountId> = held.iter().flat_map(|h| &h.counts_for).collect();
    // An account of which it is not known whether it runs AI may come not to be among those whose evidence it is.
    let apart = |bucket: &str| match index.owner(bucket) {
        Owner::In(owner, _) if counts_for.contains(&owner) => not(index.shared.has_ai(&owner)),
        Owner::In(..) => Ok(true),
        Owner::Nobody | Owner::Aws => Ok(false),
        Owner::Unknown(unknown) => Err(unknown),
    };
    let copies = details.as_ref().map_err(Unknown::clone);
    let copies = copies.map(|seen| Copies::of(index, seen.fact, &prefixes, &by_kms(seen.fact, held)));
    let replicated = |what: &dyn Fn(&Copies<'_>) -> Told<bool>| copies.as_ref().map_err(Unknown::clone).and_then(what);
    EvidenceBucket {
        name: name.to_owned(),
        source: source.id().to_owned(),
        exists: index.bucket_exists(name),
        retention_days: match &details {
            Ok(seen) => days(lifetime::kept(seen.fact, &prefixes, index.shared.as_of)),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        lock_mode: locked.clone().map(|l| l.mode),
        lock_days: locked.map(|l| i64::from(l.days)),
        // Where a default retention is, nothing will ask for one.
        lock_impossible: any([
            index.receives_access_logs(name),
            all([
                told(&|b| Ok(lock(b)?.is_none())),
                told(&|b| b.policy.get()?.map_or(Ok(false), |document| policy::admits_what_no_lock_lets_in(document))),
            ]),
        ]),
        versioned: told(&versioned),
        noncurrent_days: match &details {
            Ok(seen) => days(lifetime::noncurrent(seen.fact, &prefixes)),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        mfa_delete: told(&|b| Ok(b.versioning.get()?.is_some_and(|v| v.mfa_delete))),
        deletion_denied: told(&|b| match b.policy.get()? {
            Some(document) => all(prefixes
                .iter()
                .map(|prefix| policy::denies_deletion(document, &format!("{}/{prefix}", index.bucket_id(name))))),
            None => Ok(false),
        }),
        replica_lock: Observed::from_told(copies.as_ref().map_err(Unknown::clone).and_then(Copies::lock)),
        replica: copies.as_ref().map_or_else(|unknown| Observed::Unknown(unknown.clone()), Copies::kept),
        other_account: any([apart(name), replicated(&|copies| copies.all_in(apart))]),
        key_usable: details
            .as_ref()
            .map_or_else(|u| Observed::Unknown(u.clone()), |seen| key_usable(index, name, seen.fact)),
    }
}

/// How long objects of a prefix live in a bucket, and the days of its default retention; none = for ever, no lock.
pub(super) fn kept(index: &Index<'_>, name: &str, prefix: &str) -> (Observed<i64>, Observed<i64>) {
    match index.bucket(name) {
        Ok(seen) => {
            let lock = seen.fact.object_lock.get().map(|l| l.and_then(|l| l.default_retention.as_ref()));
            let prefixes = BTreeSet::from([prefix]);
            (
                days(lifetime::kept(seen.fact, &prefixes, index.shared.as_of)),
                Observed::from_told(lock.map(|l| l.map(|l| i64::from(l.days)))),
            )
        }
        Err(unknown) => (Observed::Unknown(unknown.clone()), Observed::Unknown(unknown)),
    }
}

pub(super) fn versioned(bucket: &Bucket) -> Told<bool> {
    Ok(bucket.versioning.get()?.is_some_and(|v| v.status == "Enabled"))
}

/// Whether some of the evidence in a bucket is encrypted with a KMS key.
fn by_kms(bucket: &Bucket, held: &[&Held]) -> Told<bool> {
    let by_default =
        || Ok(bucket.encryption.get()?.is_some_and(|encryption| encryption.algorithm.starts_with("aws:kms")));
    let undecidable = |said: &str| Unknown::new("s3:GetBucketEncryption", Why::Undecidable).saying(said);
    any(held.iter().map(|held| match (held.encrypted, held.source) {
        (Encrypted::ByOwnKey, _) => Ok(true),
        (Encrypted::Either, _) => {
            Err(undecidable("which of its keys a workload encrypts the evidence with is not known"))
        }
        // CloudTrail may ask for SSE-S3 where the trail has no key.
        (Encrypted::AsBucket, Source::ApiActivity) => match by_default()? {
            true => Err(undecidable("whether CloudTrail takes up the key of the bucket is not known")),
            false => Ok(false),
        },
        (Encrypted::AsBucket, _) => by_default(),
    }))
}

/// Days as expressions see them; none = for ever.
fn days(told: Told<Option<i64>>) -> Observed<i64> {
    Observed::from_told(told)
}

/// The region a bucket is in, if known.
pub(super) fn region_of(index: &Index<'_>, name: &str) -> Option<Region> {
    match index.owner(name) {
        Owner::In(_, region) => region,
        Owner::Nobody | Owner::Aws | Owner::Unknown(_) => None,
    }
}
