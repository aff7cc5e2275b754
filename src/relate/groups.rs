//! Log groups as holders of evidence.

use crate::finding::Source;
use crate::inventory::logs::LogGroup;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, Unknown, Why};

use super::index::Index;
use super::kinds::{BucketCopy, LogGroupSink, LogGroupView};
use super::kleene::any;
use super::own::Seen;
use super::{buckets, location};

fn seen<'a>(index: &Index<'a>, account: &AccountId, region: &Region, name: &str) -> Told<Seen<'a, LogGroup>> {
    index
        .log_group(account, region, name)
        .ok_or_else(|| index.unread(account, "logs:DescribeLogGroups").in_region(region))
}

/// Whether a group exists.
pub(super) fn exists(index: &Index<'_>, account: &AccountId, region: &Region, name: &str) -> Told<bool> {
    seen(index, account, region, name)?.fact.settings.as_ref().map(Option::is_some).map_err(Clone::clone)
}

/// A group as a destination of something in its account and region.
pub(super) fn sink(index: &Index<'_>, account: &AccountId, region: &Region, name: &str) -> LogGroupSink {
    LogGroupSink {
        log_group: name.to_owned(),
        exists: Observed::from_told(exists(index, account, region, name).map(Some)),
    }
}

/// A group as the holder of one source.
pub(super) fn view(
    index: &Index<'_>,
    account: &AccountId,
    region: &Region,
    name: &str,
    source: Source,
) -> LogGroupView {
    let copy = if source == Source::ModelInvocations { index.bucket_beside(account, region, name) } else { None };
    let found = seen(index, account, region, name);
    let settings = found.clone().and_then(|s| s.fact.settings.clone());
    LogGroupView {
        name: name.to_owned(),
        source: source.id().to_owned(),
        exists: settings.clone().map(|s| s.is_some()),
        retention_days: match &settings {
            // The DELIVERY class keeps events a day whatever the retention says.
            Ok(Some(s)) if s.class.as_deref() == Some("DELIVERY") => Observed::Known(1),
            Ok(Some(s)) => Observed::from_option(s.retention_days.map(i64::from)),
            // What does not exist keeps nothing; checks ask for existence first.
            Ok(None) => Observed::Known(0),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
        // An answer without the field is from before the feature: protection was not switched on.
        deletion_protection: settings.clone().map(|s| s.is_some_and(|s| s.deletion_protection == Some(true))),
        subscribed: found.clone().and_then(|s| {
            let all = [&s.fact.subscriptions, &s.fact.account_subscriptions];
            any(all.map(|destinations| subscribed(destinations, account, region)))
        }),
        bucket_copy: match copy.map(|sink| (sink, buckets::receives(index, account, region, &sink.bucket))) {
            None | Some((_, Ok(false))) => Observed::Absent,
            Some((_, Err(unknown))) => Observed::Unknown(unknown),
            Some((sink, Ok(true))) => {
                let held = buckets::kept(index, &sink.bucket, &location::invocation_records(sink, account));
                Observed::Known(BucketCopy { bucket: sink.bucket.clone(), retention_days: held.0, lock_days: held.1 })
            }
        },
        key_usable: match &settings {
            Ok(settings) => index.key_usable(account, region, settings.as_ref().and_then(|s| s.kms_key.as_deref())),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
    }
}

/// Whether a subscription copies every event to a place that keeps it. A function keeps nothing; where a stream or a
/// destination of another account ends is not followed, so that is unknown and never taken for a copy.
fn subscribed(destinations: &Told<Vec<String>>, account: &AccountId, region: &Region) -> Told<bool> {
    let destinations = destinations.as_ref().map_err(Clone::clone)?;
    if destinations.iter().all(|arn| arn.contains(":lambda:")) {
        return Ok(false);
    }
    Err(Unknown::new("logs:DescribeSubscriptionFilters", Why::Undecidable)
        .in_account(account)
        .in_region(region)
        .saying("where its subscription ends is not followed"))
}
