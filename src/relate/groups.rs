//! Log groups as holders of evidence.

use crate::finding::Source;
use crate::inventory::logs::LogGroup;
use crate::inventory::not_collected;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told};

use super::index::{Index, Seen};
use super::kinds::{LogGroupSink, LogGroupView};

fn seen<'a>(index: &'a Index, account: &AccountId, region: &Region, name: &str) -> Told<&'a Seen<LogGroup>> {
    index
        .log_groups
        .get(&(account.clone(), region.clone(), name.to_owned()))
        .ok_or_else(|| not_collected("logs:DescribeLogGroups").in_account(account).in_region(region))
}

/// Whether a group exists.
pub(super) fn exists(index: &Index, account: &AccountId, region: &Region, name: &str) -> Told<bool> {
    seen(index, account, region, name)?.fact.settings.as_ref().map(Option::is_some).map_err(Clone::clone)
}

/// A group as a destination of something in its account and region.
pub(super) fn sink(index: &Index, account: &AccountId, region: &Region, name: &str) -> LogGroupSink {
    LogGroupSink {
        log_group: name.to_owned(),
        exists: Observed::from_told(exists(index, account, region, name).map(Some)),
    }
}

/// A group as the holder of one source.
pub(super) fn view(index: &Index, account: &AccountId, region: &Region, name: &str, source: Source) -> LogGroupView {
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
        subscribed: found.clone().and_then(|s| s.fact.subscriptions.clone()).map(|list| !list.is_empty()),
        key_usable: match &settings {
            Ok(settings) => index.key_usable(account, region, settings.as_ref().and_then(|s| s.kms_key.as_deref())),
            Err(unknown) => Observed::Unknown(unknown.clone()),
        },
    }
}
