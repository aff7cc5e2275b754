//! Bedrock agents: agents, knowledge bases with their data sources, and flows.
//!
//! Agents have no data of their own here; what they are told and do is in no API of this service.

use super::listing::{self, BEDROCK, Describe, List};
use super::{AwsError, Call, Outcome};

/// Method, path and operation of everything answered here; `{name}` is an input member.
pub(crate) const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/agents/", "ListAgents"),
    ("GET", "/agents/{agentId}/", "GetAgent"),
    ("POST", "/knowledgebases/", "ListKnowledgeBases"),
    ("GET", "/knowledgebases/{knowledgeBaseId}", "GetKnowledgeBase"),
    ("POST", "/knowledgebases/{knowledgeBaseId}/datasources/", "ListDataSources"),
    ("GET", "/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}", "GetDataSource"),
    ("GET", "/flows/", "ListFlows"),
    ("GET", "/flows/{flowIdentifier}/", "GetFlow"),
];

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    if call.operation == "ListDataSources" {
        // A list below something that is not there is an error, not an empty list.
        let base = DESCRIPTIONS.iter().find(|describe| describe.operation == "GetKnowledgeBase");
        if let Some(base) = base {
            listing::described(call, base)?;
        }
    }
    listing::answer(call, LISTS, DESCRIPTIONS).unwrap_or_else(|| Err(AwsError::unknown_operation(call)))
}

const fn list(
    operation: &'static str,
    kind: &'static str,
    items: &'static str,
    summary: &'static [&'static str],
) -> List {
    List {
        operation,
        kind,
        items,
        summary,
        pages: BEDROCK,
        name: None,
        created: None,
        modified: None,
        status: None,
        equal: &[],
    }
}

#[rustfmt::skip]
const LISTS: &[List] = &[
    list("ListAgents", "agents", "agentSummaries",
        &["agentId", "agentName", "agentStatus", "description", "updatedAt", "latestAgentVersion",
            "guardrailConfiguration"]),
    list("ListKnowledgeBases", "knowledge_bases", "knowledgeBaseSummaries",
        &["knowledgeBaseId", "name", "description", "status", "updatedAt"]),
    List { equal: &[("knowledgeBaseId", "knowledgeBaseId")],
        ..list("ListDataSources", "data_sources", "dataSourceSummaries",
            &["knowledgeBaseId", "dataSourceId", "name", "status", "description", "updatedAt"]) },
    list("ListFlows", "flows", "flowSummaries", &["name", "description", "id", "arn", "status", "createdAt",
        "updatedAt", "version"]),
];

const fn describe(
    operation: &'static str,
    kind: &'static str,
    by: &'static [(&'static str, &'static [&'static str])],
    wrapped: Option<&'static str>,
    message: &'static str,
) -> Describe {
    Describe { operation, kind, by, wrapped, missing: ("ResourceNotFoundException", 404, message) }
}

#[rustfmt::skip]
const DESCRIPTIONS: &[Describe] = &[
    describe("GetAgent", "agents", &[("agentId", &["agentId"])], Some("agent"),
        "Failed to retrieve resource because it doesn't exist. Retry your request with a different resource \
         identifier."),
    describe("GetKnowledgeBase", "knowledge_bases", &[("knowledgeBaseId", &["knowledgeBaseId"])], Some("knowledgeBase"),
        "KnowledgeBase with id {} is not found."),
    describe("GetDataSource", "data_sources", &[("knowledgeBaseId", &["knowledgeBaseId"]), ("dataSourceId",
        &["dataSourceId"])],
        Some("dataSource"), "DataSource with id {} is not found."),
    describe("GetFlow", "flows", &[("flowIdentifier", &["id", "arn"])], None, "Flow {} is not found."),
];
