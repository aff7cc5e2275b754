//! Search: many resources with all their members in one answer, where describing each would be a call.
//!
//! What exists the lists say. Search reads an index that may be behind, and may not be permitted: what it does not tell,
//! or tells of an earlier state, is described by the call made for it (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Search.html>).

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sagemaker::operation::search::SearchInput;
use aws_sdk_sagemaker::types::{ResourceType, SearchRecord, SearchSortOrder};
use aws_smithy_types::DateTime;

use crate::collect::listing::{Listed, text};
use crate::collect::scope::{Answer, Scope};
use crate::collect::workloads::{Described, Found};
use crate::inventory::Read;
use crate::model::observed::Told;

use super::PAGE;

/// Of so few, describing them is as quick.
const FEW: usize = 2;

/// A search that takes longer is given up: to be told that the service does not answer would cost the other calls theirs.
const LONGEST: Duration = Duration::from_secs(20);

/// A resource as the index has it.
pub(super) struct Record<'a> {
    pub arn: Option<&'a str>,
    pub created: Option<&'a DateTime>,
    /// None for kinds whose lists tell none.
    pub status: Option<&'a str>,
    pub described: Described,
}

impl Record<'_> {
    /// Whether it is the listed resource, in the state that was listed: names come back after a resource is deleted.
    fn is(&self, found: &Found) -> bool {
        let created = self.created.map(DateTime::secs);
        created.is_some() && created == found.created.map(|at| at.at.unix()) && self.status == found.status.as_deref()
    }
}

/// What Search told of listed resources, by ARN.
pub(super) struct Searched(BTreeMap<String, Described>);

impl Searched {
    /// Asks for the newest resources of a kind, as many as are listed. `describe` is none where a record leaves something
    /// open.
    pub(super) async fn of(
        scope: &Scope,
        resource: ResourceType,
        listed: &Listed<Found>,
        describe: impl for<'r> Fn(&'r SearchRecord, &Read) -> Option<Record<'r>>,
    ) -> Self {
        // As few as most lists hold take no room for it.
        if listed.items.len() <= FEW {
            Self(BTreeMap::new())
        } else {
            Box::pin(Self::ask(scope, resource, listed, describe)).await
        }
    }

    async fn ask(
        scope: &Scope,
        resource: ResourceType,
        listed: &Listed<Found>,
        describe: impl for<'r> Fn(&'r SearchRecord, &Read) -> Option<Record<'r>>,
    ) -> Self {
        let mut found = BTreeMap::new();
        let mut missing: BTreeMap<&str, &Found> =
            listed.items.iter().map(|(item, _)| (item.arn.as_str(), item)).collect();
        let mut token = None;
        // A page more than they fill: others may be newer than those that were listed.
        for _ in 0..missing.len().div_ceil(PAGE as usize) + 1 {
            let request = SearchInput::builder()
                .resource(resource.clone())
                .sort_by("CreationTime")
                .sort_order(SearchSortOrder::Descending)
                .max_results(PAGE)
                .set_next_token(token);
            let Ok(Ok(Answer { value, read })) = tokio::time::timeout(LONGEST, scope.ask(&request)).await else {
                break;
            };
            for record in value.results().iter().filter_map(|record| describe(record, &read)) {
                let Some(arn) = record.arn else { continue };
                let whole = record.described.uses.is_ok() && record.described.placement.is_ok();
                if whole && missing.get(arn).is_some_and(|listed| record.is(listed)) {
                    missing.remove(arn);
                    found.insert(arn.to_owned(), record.described);
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
