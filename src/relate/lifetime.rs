//! How long objects live in a bucket, by its lifecycle rules and by Object Lock.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::collections::BTreeSet;

use crate::inventory::s3::{Bucket, LifecycleRule};
use crate::model::observed::{Told, Unknown, Why};
use crate::model::time::Timestamp;

use super::location::meet;

const BY_FILTER: &str = "a tag or size filter decides what expires";
const BY_NUMBER: &str = "so many newer versions are kept whatever their age";

/// Days after which a rule may delete something, and why it may not.
type Term = (i64, Option<&'static str>);

/// Days a former version is kept after another took its place; none = for ever. A lock counts from when a version was
/// made, which may be as long ago as the lock lasts, so it adds nothing.
pub(super) fn noncurrent(bucket: &Bucket, prefixes: &BTreeSet<&str>) -> Told<Option<i64>> {
    shortest(acting(bucket, prefixes)?.filter_map(|rule| {
        let by_number = rule.newer_noncurrent_versions.is_some_and(|kept| kept > 0).then_some(BY_NUMBER);
        Some((i64::from(rule.noncurrent_days?), by_filter(rule).or(by_number)))
    }))
}

/// Days evidence lives in a bucket, at the prefix where that is shortest; none = for ever.
pub(super) fn kept(bucket: &Bucket, prefixes: &BTreeSet<&str>, as_of: Timestamp) -> Told<Option<i64>> {
    let lock = bucket.object_lock.get().map(|lock| lock.and_then(|lock| lock.default_retention.as_ref()));
    let locked = lock.map(|lock| lock.map(|lock| i64::from(lock.days)));
    let mut shortest = None;
    for prefix in prefixes {
        let days = written_once(bucket, &BTreeSet::from([*prefix]), &locked, as_of)?;
        shortest = shortest.into_iter().chain(days).min();
    }
    Ok(shortest)
}

/// Days something lives that is written once, as evidence is; none = for ever. Until it expires when the bucket is
/// unversioned, until the noncurrent version that expiry leaves is deleted when it is versioned, and never less than
/// the days it is locked for, which count from its creation.
pub(super) fn written_once(
    bucket: &Bucket,
    prefix: &BTreeSet<&str>,
    locked: &Told<Option<i64>>,
    as_of: Timestamp,
) -> Told<Option<i64>> {
    let expires = acting(bucket, prefix)?.filter_map(|rule| {
        let days = match (rule.expiration_days, rule.expiration_date) {
            (Some(days), _) => i64::from(days),
            // From that date on everything goes as soon as it comes.
            (None, Some(date)) if date <= as_of => 0,
            (None, Some(date)) => date.since(as_of) / 86_400,
            (None, None) => return None,
        };
        Some((days, by_filter(rule)))
    });
    let Some(current) = shortest(expires)? else { return Ok(None) };
    let days = if super::buckets::versioned(bucket)? {
        // What is written once has one such version, and it is among the newest.
        let rules = acting(bucket, prefix)?.filter(|rule| rule.newer_noncurrent_versions.is_none_or(|kept| kept == 0));
        shortest(rules.filter_map(|rule| Some((i64::from(rule.noncurrent_days?), by_filter(rule)))))?
    } else {
        Some(0)
    };
    // For what is kept for ever no lock is asked after.
    let Some(days) = days else { return Ok(None) };
    Ok(Some((current + days).max(locked.clone()?.unwrap_or(0))))
}

/// Rules of a lifecycle configuration that are on and about keys of a prefix.
fn acting<'a>(
    bucket: &'a Bucket,
    prefixes: &'a BTreeSet<&str>,
) -> Told<impl Iterator<Item = &'a LifecycleRule> + use<'a>> {
    let rules = bucket.lifecycle.get()?.map_or(&[][..], Vec::as_slice);
    Ok(rules.iter().filter(|rule| rule.enabled && prefixes.iter().any(|prefix| meet(&rule.prefix, prefix))))
}

fn by_filter(rule: &LifecycleRule) -> Option<&'static str> {
    rule.tag_or_size_filter.then_some(BY_FILTER)
}

/// The shortest of some terms. One that may not delete leaves it unknown only where it would be the shortest.
fn shortest(terms: impl Iterator<Item = Term>) -> Told<Option<i64>> {
    // Of equal ones, one that certainly deletes comes first.
    match terms.min_by_key(|(days, unsure)| (*days, unsure.is_some())) {
        Some((_, Some(why))) => Err(Unknown::new("s3:GetBucketLifecycleConfiguration", Why::Undecidable).saying(why)),
        Some((days, None)) => Ok(Some(days)),
        None => Ok(None),
    }
}
