//! Bedrock agents, knowledge bases with their data sources, and flows of one region.
//!
//! An agent's own S3 references are schemas of its actions, which are definitions and no data; they are not read.

use aws_sdk_bedrockagent::operation::get_data_source::GetDataSourceInput;
use aws_sdk_bedrockagent::operation::get_flow::GetFlowInput;
use aws_sdk_bedrockagent::operation::get_knowledge_base::GetKnowledgeBaseInput;
use aws_sdk_bedrockagent::operation::list_agents::ListAgentsInput;
use aws_sdk_bedrockagent::operation::list_data_sources::ListDataSourcesInput;
use aws_sdk_bedrockagent::operation::list_flows::ListFlowsInput;
use aws_sdk_bedrockagent::operation::list_knowledge_bases::ListKnowledgeBasesInput;
use aws_sdk_bedrockagent::types::{
    DataSource, DataSourceType, FlowDefinition, FlowNodeConfiguration, RetrievalFlowNodeServiceConfiguration,
    StorageFlowNodeServiceConfiguration,
};

use crate::inventory::workload::{Placement, S3Role, WorkloadKind};
use crate::inventory::{Fact, Line, Listing};
use crate::model::observed::{Told, Unknown, Why};

use super::listing::{ALL, Listed, Page, absent_service, few_at_a_time, listing, pages, required, sorted, text};
use super::scope::{Answer, Scope};
use super::workloads::{Described, Found, Keys, Uses, created, describe_each};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &[
    "bedrock-agent:ListAgents",
    "bedrock-agent:ListKnowledgeBases",
    "bedrock-agent:GetKnowledgeBase",
    "bedrock-agent:ListDataSources",
    "bedrock-agent:GetDataSource",
    "bedrock-agent:ListFlows",
    "bedrock-agent:GetFlow",
];

/// Page size of the list calls.
const PAGE: i32 = 100;

/// Agents, knowledge bases, data sources and flows of the region.
pub(crate) async fn collect(scope: &Scope) -> Vec<Line> {
    let (mut lines, bases) = tokio::join!(agents(scope), knowledge_bases(scope));
    lines.extend(bases);
    // Parts of a service may reach a region at different times: the silence of one is not that of all.
    match absent_service(scope, &lines, &["bedrock-agent:ListFlows"]) {
        Some(silent) => lines.extend(silent),
        None => lines.extend(flows(scope).await),
    }
    sorted(lines)
}

async fn agents(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock-agent:ListAgents", ALL, |token| async move {
        let request = ListAgentsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: Some(value.agent_summaries), next: value.next_token, read })
    })
    .await
    .named(scope, |agent, _| {
        let arn = scope.arn("bedrock", &format!("agent/{}", text(Some(agent.agent_id))?));
        Some(Found::new(Some(arn), Some(agent.agent_name), None)?.status(Some(agent.agent_status.as_str())))
    });
    describe_each(scope, WorkloadKind::Agent, listed, async |_| Ok(Described::bare())).await
}

async fn knowledge_bases(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock-agent:ListKnowledgeBases", ALL, |token| async move {
        let request = ListKnowledgeBasesInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: Some(value.knowledge_base_summaries), next: value.next_token, read })
    })
    .await
    .named(scope, |base, _| {
        let id = text(Some(base.knowledge_base_id))?;
        let arn = scope.arn("bedrock", &format!("knowledge-base/{id}"));
        Some(Found::new(Some(arn), Some(base.name), None)?.id(id).status(Some(base.status.as_str())))
    })
    .once(|base| &base.arn);
    let bases: Vec<Found> = listed.items.iter().map(|(found, _)| found.clone()).collect();
    let whole = listed.whole.clone();
    let kind = WorkloadKind::KnowledgeBase;
    let mut lines = describe_each(scope, kind, listed, |found| describe_base(scope, found)).await;
    lines.extend(data_sources(scope, bases, whole).await);
    lines
}

/// Buckets of a knowledge base besides those of its data sources.
async fn describe_base(scope: &Scope, found: Found) -> Told<Described> {
    let call = "bedrock-agent:GetKnowledgeBase";
    let request = GetKnowledgeBaseInput::builder().knowledge_base_id(found.id);
    let Answer { value, read } = scope.ask(&request).await?;
    let base = required(scope, call, "knowledgeBase", value.knowledge_base)?;
    let mut uses = Uses::default();
    let supplemental = base
        .knowledge_base_configuration
        .as_ref()
        .and_then(|config| config.vector_knowledge_base_configuration.as_ref())
        .and_then(|vector| vector.supplemental_data_storage_configuration.as_ref());
    for (i, location) in supplemental.iter().flat_map(|storage| storage.storage_locations()).enumerate() {
        let field = format!(
            "knowledgeBaseConfiguration.vectorKnowledgeBaseConfiguration.supplementalDataStorageConfiguration\
             .storageLocations[{i}].s3Location.uri"
        );
        uses.add(S3Role::AppData, field, location.s3_location.as_ref().map(|s3| &s3.uri));
    }
    Ok(Described::new(uses, Ok(Placement::Nowhere), Keys::default(), read))
}

/// The data sources of all knowledge bases. They make one population: where the knowledge bases, or those of one of
/// them, could not be listed, it is open.
async fn data_sources(scope: &Scope, bases: Vec<Found>, whole: Told<()>) -> Vec<Line> {
    let of_bases = few_at_a_time(bases.into_iter().map(|base| data_sources_of(scope, base))).await;
    let mut lines = Vec::new();
    let mut reads = Vec::new();
    let mut count = Ok(0);
    for line in of_bases.into_iter().flatten() {
        match line.fact {
            Fact::Listing(Listing { count: one, .. }) => {
                reads.extend(line.reads);
                count = count.and_then(|sum| Ok(sum + one?));
            }
            _ => lines.push(line),
        }
    }
    // That the knowledge bases are not all known their own listing says too.
    let count = count.and_then(|count| whole.map(|()| count));
    lines.push(listing(scope, "bedrock-agent:ListDataSources", count, 0, reads));
    lines
}

async fn data_sources_of(scope: &Scope, base: Found) -> Vec<Line> {
    let base_id = base.id.as_str();
    let listed = pages(scope, "bedrock-agent:ListDataSources", ALL, |token| async move {
        let request =
            ListDataSourcesInput::builder().knowledge_base_id(base_id).max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: Some(value.data_source_summaries), next: value.next_token, read })
    })
    .await;
    let listed: Listed<Found> = listed.named(scope, |source, _| {
        let id = text(Some(source.data_source_id))?;
        // AWS gives data sources no ARN; this is the one of their knowledge base and their own id.
        let arn = format!("{}/data-source/{id}", base.arn);
        Some(Found::new(Some(arn), Some(source.name), None)?.id(id).status(Some(source.status.as_str())))
    });
    let kind = WorkloadKind::DataSource;
    describe_each(scope, kind, listed, |found| describe_source(scope, base_id.to_owned(), found)).await
}

async fn describe_source(scope: &Scope, base_id: String, found: Found) -> Told<Described> {
    let call = "bedrock-agent:GetDataSource";
    let request = GetDataSourceInput::builder().knowledge_base_id(base_id).data_source_id(found.id);
    let Answer { value, read } = scope.ask(&request).await?;
    let source = required(scope, call, "dataSource", value.data_source)?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    source_uses(scope, call, &mut uses, &source)?;
    let intermediate = source
        .vector_ingestion_configuration
        .as_ref()
        .and_then(|ingestion| ingestion.custom_transformation_configuration.as_ref())
        .and_then(|transformation| transformation.intermediate_storage.as_ref())
        .and_then(|storage| storage.s3_location.as_ref());
    uses.add(
        S3Role::AppData,
        "vectorIngestionConfiguration.customTransformationConfiguration.intermediateStorage.s3Location.uri",
        intermediate.map(|s3| &s3.uri),
    );
    keys.add(source.server_side_encryption_configuration.as_ref().and_then(|sse| sse.kms_key_arn.as_ref()));
    Ok(Described::new(uses, Ok(Placement::Nowhere), keys, read))
}

/// The bucket a data source reads. Types that are known to read elsewhere name none; of a managed connector, whose
/// parameters have no published form, and of types unheard of, it cannot be told.
fn source_uses(scope: &Scope, call: &str, uses: &mut Uses, source: &DataSource) -> Told<()> {
    let config = required(scope, call, "dataSourceConfiguration", source.data_source_configuration.as_ref())?;
    match &config.r#type {
        DataSourceType::S3 => {
            let s3 = required(scope, call, "s3Configuration", config.s3_configuration.as_ref())?;
            uses.add(S3Role::Training, "dataSourceConfiguration.s3Configuration.bucketArn", Some(&s3.bucket_arn));
            Ok(())
        }
        DataSourceType::Confluence
        | DataSourceType::Custom
        | DataSourceType::RedshiftMetadata
        | DataSourceType::Salesforce
        | DataSourceType::Sharepoint
        | DataSourceType::Web => Ok(()),
        other => Err(undecidable(scope, call, &format!("what a data source of type {} reads", other.as_str()))),
    }
}

async fn flows(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "bedrock-agent:ListFlows", ALL, |token| async move {
        let request = ListFlowsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: Some(value.flow_summaries), next: value.next_token, read })
    })
    .await
    .named(scope, |flow, read| {
        let found = Found::new(Some(flow.arn), Some(flow.name), created(scope, Some(&flow.created_at), read))?;
        Some(found.id(text(Some(flow.id))?).status(Some(flow.status.as_str())))
    });
    describe_each(scope, WorkloadKind::Flow, listed, |found| describe_flow(scope, found)).await
}

/// The working draft of a flow.
async fn describe_flow(scope: &Scope, found: Found) -> Told<Described> {
    let call = "bedrock-agent:GetFlow";
    let request = GetFlowInput::builder().flow_identifier(found.id);
    let Answer { value: flow, read } = scope.ask(&request).await?;
    let mut uses = Uses::default();
    let mut keys = Keys::default();
    if let Some(definition) = &flow.definition {
        flow_uses(scope, call, &mut uses, "definition", definition)?;
    }
    keys.add(flow.customer_encryption_key_arn.as_ref());
    Ok(Described::new(uses, Ok(Placement::Nowhere), keys, read))
}

/// Buckets that nodes of a flow write to and read from, loops within included.
fn flow_uses(scope: &Scope, call: &str, uses: &mut Uses, path: &str, flow: &FlowDefinition) -> Told<()> {
    for (i, node) in flow.nodes().iter().enumerate() {
        let path = format!("{path}.nodes[{i}].configuration");
        match &node.configuration {
            Some(FlowNodeConfiguration::Storage(storage)) => match &storage.service_configuration {
                Some(StorageFlowNodeServiceConfiguration::S3(s3)) => {
                    let field = format!("{path}.storage.serviceConfiguration.s3.bucketName");
                    uses.add(S3Role::AppData, field, Some(&s3.bucket_name));
                }
                _ => return Err(undecidable(scope, call, "where a storage node writes")),
            },
            Some(FlowNodeConfiguration::Retrieval(retrieval)) => match &retrieval.service_configuration {
                Some(RetrievalFlowNodeServiceConfiguration::S3(s3)) => {
                    let field = format!("{path}.retrieval.serviceConfiguration.s3.bucketName");
                    uses.add(S3Role::AppData, field, Some(&s3.bucket_name));
                }
                _ => return Err(undecidable(scope, call, "where a retrieval node reads")),
            },
            Some(FlowNodeConfiguration::Loop(inner)) => {
                if let Some(definition) = &inner.definition {
                    flow_uses(scope, call, uses, &format!("{path}.loop.definition"), definition)?;
                }
            }
            Some(other) if other.is_unknown() => {
                return Err(undecidable(scope, call, "what a node of a type this version does not know does"));
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn undecidable(scope: &Scope, call: &str, what: &str) -> Unknown {
    scope.unknown(call, Why::Undecidable).saying(format!("{what} cannot be told"))
}
