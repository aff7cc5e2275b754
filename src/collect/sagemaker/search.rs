//! Search: many resources with all their members in one answer, where describing each would be a call.
//!
//! What exists the lists say. Search reads an index that may be behind, and may not be permitted: what it does not tell
//! is described by the call made for it (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Search.html>).

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sagemaker::operation::search::SearchInput;
use aws_sdk_sagemaker::types::{ResourceType, SearchRecord, SearchSortOrder};

use crate::collect::listing::{Listed, text};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{Described, Found};
use crate::inventory::Read;
use crate::model::observed::Told;

use super::PAGE;

/// Of so few, describing them is as quick.
const FEW: usize = 2;

/// What Search told of listed resources, by ARN.
pub(super) struct Searched(BTreeMap<String, Described>);

impl Searched {
    /// Asks for the newest resources of a kind, as many as are listed. `describe` tells ARN and description of one; none
    /// where the record leaves something open.
    pub(super) async fn of(
        scope: &Scope,
        resource: ResourceType,
        listed: &Listed<Found>,
        describe: impl Fn(&SearchRecord, &Read) -> Option<(String, Described)>,
    ) -> Self {
        let mut found = BTreeMap::new();
        let mut missing: BTreeSet<&str> = listed.items.iter().map(|(item, _)| item.arn.as_str()).collect();
        let mut token = None;
        // A page more than they fill: others may be newer than those that were listed.
        let pages = if missing.len() <= FEW { 0 } else { missing.len().div_ceil(PAGE as usize) + 1 };
        for _ in 0..pages {
            let request = SearchInput::builder()
                .resource(resource.clone())
                .sort_by("CreationTime")
                .sort_order(SearchSortOrder::Descending)
                .max_results(PAGE)
                .set_next_token(token);
            let Ok(Answer { value, read }) = scope.ask(&request).await else { break };
            for (arn, described) in value.results().iter().filter_map(|record| describe(record, &read)) {
                if missing.remove(arn.as_str()) {
                    found.insert(arn, described);
                }
            }
            token = text(value.next_token);
            if missing.is_empty() || token.is_none() {
                break;
            }
        }
        Self(found)
    }

    /// What is known of a resource; else what describing it tells.
    pub(super) async fn or<Fut>(&self, found: Found, describe: impl FnOnce(Found) -> Fut) -> Told<Described>
    where
        Fut: Future<Output = Told<Described>>,
    {
        match self.0.get(&found.arn) {
            Some(described) => Ok(described.clone()),
            None => describe(found).await,
        }
    }
}
