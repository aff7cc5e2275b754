//! Networks: the subnets workloads name, and all flow logs of a region.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::operation::describe_flow_logs::DescribeFlowLogsInput;
use aws_sdk_ec2::operation::describe_subnets::DescribeSubnetsInput;
use aws_sdk_ec2::types::{Filter, FlowLog as SdkFlowLog, Subnet as SdkSubnet};

use crate::inventory::ec2::{FlowLog, Subnet, SubnetPlace};
use crate::inventory::{Fact, Line, Read};
use crate::model::ids::AccountId;
use crate::model::observed::Told;

use super::listing::{ALL, Page, pages, required, required_text, sorted, text};
use super::scope::{Answer, Scope};
use super::workloads::created;

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &["ec2:DescribeSubnets", "ec2:DescribeFlowLogs"];

/// AWS throttles unpaginated calls harder.
const PAGE: i32 = 1_000;

/// How many values a filter takes.
const FILTER_VALUES: usize = 200;

/// The subnets named and every flow log of the region.
pub(crate) async fn collect(scope: &Scope, subnets: &BTreeSet<String>) -> Vec<Line> {
    let ids: Vec<String> = subnets.iter().cloned().collect();
    let mut lines = Vec::new();
    for ids in ids.chunks(FILTER_VALUES) {
        lines.extend(places(scope, ids).await);
    }
    lines.extend(flow_logs(scope).await);
    sorted(lines)
}

/// Asked by filter and not by id: one deleted subnet among the ids would fail the call for all. One that no page
/// holds does not exist, or is not shared with the account any more.
async fn places(scope: &Scope, ids: &[String]) -> Vec<Line> {
    let call = "ec2:DescribeSubnets";
    let listed = pages(scope, call, ALL, |token| async move {
        let filter = Filter::builder().name("subnet-id").set_values(Some(ids.to_vec())).build();
        let request = DescribeSubnetsInput::builder().filters(filter).max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.subnets, next: value.next_token, read })
    })
    .await
    .named(scope, |subnet, _| Some((text(subnet.subnet_id.clone())?, place(scope, call, subnet))));
    let mut found: BTreeMap<String, (Told<SubnetPlace>, Read)> =
        listed.items.into_iter().map(|((id, place), read)| (id, (place, read))).collect();
    let line = |id: &String| {
        let (place, reads) = match (found.remove(id), &listed.whole) {
            (Some((place, read)), _) => (place.map(Some), vec![read]),
            (None, Ok(())) => (Ok(None), listed.reads.clone()),
            (None, Err(unknown)) => (Err(unknown.clone()), Vec::new()),
        };
        let fact = Fact::Subnet(Subnet { id: id.clone(), place });
        Line::new(&scope.account, Some(&scope.region), id.clone(), reads, fact)
    };
    ids.iter().map(line).collect()
}

fn place(scope: &Scope, call: &str, subnet: SdkSubnet) -> Told<SubnetPlace> {
    let vpc = required_text(scope, call, "vpcId", subnet.vpc_id)?;
    let owner = required_text(scope, call, "ownerId", subnet.owner_id)?;
    Ok(SubnetPlace { vpc, owner: AccountId::new(owner) })
}

async fn flow_logs(scope: &Scope) -> Vec<Line> {
    let listed = pages(scope, "ec2:DescribeFlowLogs", ALL, |token| async move {
        let request = DescribeFlowLogsInput::builder().max_results(PAGE).set_next_token(token);
        let Answer { value, read } = scope.ask(&request).await?;
        Ok(Page { items: value.flow_logs, next: value.next_token, read })
    })
    .await
    .named(scope, |log, read| flow_log(scope, log, read))
    .once(|log| &log.id);
    let mut lines = vec![listed.line(scope)];
    lines.extend(listed.items.into_iter().map(|(log, read)| {
        Line::new(&scope.account, Some(&scope.region), log.id.clone(), vec![read], Fact::FlowLog(log))
    }));
    lines
}

/// None for a log that does not say which one it is and what it watches.
fn flow_log(scope: &Scope, log: SdkFlowLog, read: &Read) -> Option<FlowLog> {
    let call = "ec2:DescribeFlowLogs";
    Some(FlowLog {
        id: text(log.flow_log_id)?,
        resource: text(log.resource_id)?,
        active: required_text(scope, call, "flowLogStatus", log.flow_log_status).map(|status| status == "ACTIVE"),
        deliver_status: text(log.deliver_logs_status),
        deliver_error: text(log.deliver_logs_error_message),
        traffic: required(scope, call, "trafficType", log.traffic_type).map(|traffic| traffic.as_str().to_owned()),
        destination_type: log.log_destination_type.map(|kind| kind.as_str().to_owned()),
        destination: text(log.log_destination),
        log_group: text(log.log_group_name),
        hive: log.destination_options.and_then(|options| options.hive_compatible_partitions),
        format: text(log.log_format),
        created: created(scope, log.creation_time.as_ref(), read),
    })
}
