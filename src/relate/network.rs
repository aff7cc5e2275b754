//! What flow logs record of the subnets AI workloads run in.

use std::collections::BTreeSet;

use crate::finding::{Evidence, Source};
use crate::inventory::ec2::FlowLog;
use crate::model::ids::{AccountId, Region, ResourceId};
use crate::model::observed::{Told, Unknown, Why};

use super::index::Index;
use super::kinds::{AiSubnet, AiVpc};
use super::kleene::{all, any, not, possible};
use super::location;
use super::names;
use super::own::{Holder, Own, Seen};
use super::subject::{Alternative, Carrier};

const CALL: &str = "ec2:DescribeFlowLogs";

/// Where a flow log delivers to, with the prefix in a bucket, as far as locard follows it; Firehose streams end the
/// trace.
pub(super) fn destination(account: &AccountId, region: &Region, log: &FlowLog) -> Option<(Holder, String)> {
    match log.destination_type.as_deref() {
        Some("s3") => {
            let place = log.destination.as_deref().and_then(location::parse)?;
            // <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>
            let below = match log.hive {
                Some(false) => format!("{account}/vpcflowlogs/{region}/"),
                Some(true) => format!("aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/"),
                None => String::new(),
            };
            Some((Holder::Bucket(place.bucket), format!("{}AWSLogs/{below}", location::folder(&place.prefix))))
        }
        Some("kinesis-data-firehose") => None,
        _ => {
            let key = log.destination.as_deref().and_then(names::log_group_of);
            let named = || Some((account.clone(), region.clone(), log.log_group.clone()?));
            Some((Holder::Group(key.or_else(named)?), String::new()))
        }
    }
}

/// A flow log of which it was not told where it delivers to.
pub(super) fn destination_lost(region: &Region, logs: &[(AccountId, Seen<'_, FlowLog>)]) -> Option<Unknown> {
    let lost = |(account, seen): &&(AccountId, Seen<'_, FlowLog>)| {
        let of_stream = seen.fact.destination_type.as_deref() == Some("kinesis-data-firehose");
        !of_stream && destination(account, region, seen.fact).is_none()
    };
    let (account, seen) = logs.iter().find(lost)?;
    let said = format!("where flow log {} delivers to was not told", seen.fact.id);
    Some(Unknown::new(CALL, Why::Malformed).in_account(account).in_region(region).saying(said))
}

/// How evidence got where a flow log delivers to, for people.
pub(super) fn chain(log: &FlowLog) -> String {
    format!("flow log {} of {}", log.id, log.resource)
}

/// Whether workloads of the account run in what a flow log of its own watches.
pub(super) fn runs_behind(own: &Own<'_>, region: &Region, log: &FlowLog) -> bool {
    own.subnet_uses_of(region).any(|(subnet, _)| {
        match own.subnets.get(&(region, subnet)).map(|seen| &seen.fact.place) {
            Some(Ok(Some(place))) => log.resource == place.vpc || log.resource == subnet,
            _ => false,
        }
    })
}

/// Whether a log delivers: AWS does not report a failure, and the destination is there.
fn delivers(index: &Index<'_>, account: &AccountId, region: &Region, log: &FlowLog) -> Told<bool> {
    let healthy = match log.deliver_status.as_deref() {
        Some("FAILED") => Ok(false),
        Some(_) => Ok(true),
        None => Err(Unknown::new(CALL, Why::Undecidable)
            .in_account(account)
            .in_region(region)
            .saying("AWS reports no delivery yet")),
    };
    let there = match destination(account, region, log) {
        Some((Holder::Group((owner, at, name)), _)) => super::groups::exists(index, &owner, &at, &name),
        Some((Holder::Bucket(name), _)) => index.bucket_exists(&name),
        None => Err(Unknown::new(CALL, Why::Undecidable)
            .in_account(account)
            .in_region(region)
            .saying("the destination is a Firehose stream, whose end is not followed")),
    };
    all([healthy, there])
}

/// The calls that told of the destinations of flow logs.
pub(super) fn destinations_told(
    index: &Index<'_>,
    region: &Region,
    logs: &[(AccountId, Seen<'_, FlowLog>)],
) -> Vec<Evidence> {
    let mut told: Vec<Evidence> = Vec::new();
    for (logger, seen) in logs {
        // One call a destination suffices to say that it is there.
        told.extend(match destination(logger, region, seen.fact) {
            Some((Holder::Group((owner, at, name)), _)) => {
                index.log_group(&owner, &at, &name).and_then(|seen| seen.evidence().next())
            }
            Some((Holder::Bucket(name), _)) => index.described(&name).and_then(|seen| seen.evidence().next()),
            None => None,
        });
    }
    told.dedup();
    told
}

/// Fields an investigator needs beyond the default version 2 format: the packets' real ends, what AWS service they
/// are, and which way they went. <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>
const V5_FIELDS: &[&str] = &[
    "vpc-id",
    "subnet-id",
    "instance-id",
    "tcp-flags",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "pkt-src-aws-service",
    "pkt-dst-aws-service",
    "flow-direction",
    "traffic-path",
];
const V2_FIELDS: &[&str] = &[
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
];

fn has_fields(log: &FlowLog, wanted: &[&str]) -> bool {
    match &log.format {
        // The default format is version 2, in its order.
        None => wanted.iter().all(|f| V2_FIELDS.contains(f)),
        Some(format) => {
            let fields: BTreeSet<&str> = format
                .split(|c: char| c.is_whitespace() || c == ',')
                .map(|f| f.trim_matches(['$', '{', '}']))
                .collect();
            wanted.iter().all(|f| fields.contains(f))
        }
    }
}

/// Who owns a shared VPC, where it is not the account whose workloads run in it.
fn sharer(index: &Index<'_>, region: &Region, subnet: &str) -> Option<AccountId> {
    let owner = index.subnet(region, subnet)?.fact.place.as_ref().ok()?.as_ref()?.owner.clone();
    (owner != *index.account).then_some(owner)
}

/// The flow logs of a VPC or its subnets, active or not known not to be, of the account itself and of whoever shares
/// the VPC with it, with the account that has them.
pub(super) fn logs_of<'a>(
    index: &Index<'a>,
    region: &Region,
    vpc: &str,
    subnets: &BTreeSet<String>,
) -> Vec<(AccountId, Seen<'a, FlowLog>)> {
    let mut owners: BTreeSet<AccountId> = subnets.iter().filter_map(|s| sharer(index, region, s)).collect();
    owners.insert(index.account.clone());
    owners
        .into_iter()
        .flat_map(|owner| index.flow_logs(&owner, region).into_iter().map(move |seen| (owner.clone(), seen)))
        .filter(|(_, seen)| seen.fact.resource == vpc || subnets.contains(&seen.fact.resource))
        .filter(|(_, seen)| possible(&seen.fact.active))
        .collect()
}

/// Whether the flow logs of a place are all known.
pub(super) fn listed(index: &Index<'_>, account: &AccountId, region: &Region) -> Told<()> {
    let unasked = || Err(index.unread(account, CALL).in_region(region));
    index.flow_logs_listed(account, region).cloned().unwrap_or_else(unasked)
}

/// A VPC as checks see it.
pub(super) fn view(index: &Index<'_>, region: &Region, vpc: &str, subnets: &BTreeSet<String>) -> AiVpc {
    let listed = |account: &AccountId| listed(index, account, region);
    let account = index.account;
    let mut logs = logs_of(index, region, vpc, subnets);
    let of_interfaces = index.flow_logs(account, region).into_iter().filter(|seen| is_of_interface(seen.fact));
    logs.extend(of_interfaces.filter(|seen| possible(&seen.fact.active)).map(|seen| (account.clone(), seen)));
    let list = subnets
        .iter()
        .map(|id| {
            // A participant of a shared VPC sees only its own flow logs, so the owner's may cover it besides.
            let complete = match sharer(index, region, id) {
                Some(owner) if index.flow_logs_listed(&owner, region).is_none() => {
                    let owned = Unknown::new(CALL, Why::Foreign).in_account(&owner).in_region(region);
                    Err(owned.saying("the subnet is shared: its owner's flow logs are not visible"))
                }
                Some(owner) => listed(account).and(listed(&owner)),
                None => listed(account),
            };
            subnet(index, region, id, vpc, &logs, &complete)
        })
        .collect();
    AiVpc { id: vpc.to_owned(), subnets: Ok(list) }
}

fn is_of_interface(log: &FlowLog) -> bool {
    log.resource.starts_with("eni-")
}

fn subnet(
    index: &Index<'_>,
    region: &Region,
    id: &str,
    vpc: &str,
    logs: &[(AccountId, Seen<'_, FlowLog>)],
    complete: &Told<()>,
) -> AiSubnet {
    let mine: Vec<(&AccountId, &FlowLog)> = logs
        .iter()
        .map(|(logger, seen)| (logger, seen.fact))
        .filter(|(_, log)| log.resource == vpc || log.resource == id || is_of_interface(log))
        .collect();
    // Whose an interface is locard does not read: it may be that of a workload here.
    let covers = |logger: &AccountId, log: &FlowLog| match is_of_interface(log) {
        true => Err(Unknown::new(CALL, Why::Undecidable)
            .in_account(logger)
            .in_region(region)
            .saying(format!("whether interface {} of flow log {} is a workload's is not read", log.resource, log.id))),
        false => Ok(true),
    };
    let unlisted = || complete.clone().map(|()| false);
    let records = |direction: &str, delivered: bool, fields: &[&str]| {
        any(mine
            .iter()
            .map(|(logger, log)| {
                let traffic = log.traffic.clone().map(|t| t == "ALL" || t == direction);
                let arrives = if delivered { delivers(index, logger, region, log) } else { Ok(true) };
                all([log.active.clone(), traffic, arrives, Ok(has_fields(log, fields)), covers(logger, log)])
            })
            .chain([unlisted()]))
    };
    // Each direction that is recorded needs them, in records that arrive where any do.
    let fields = |wanted: &[&str]| {
        all(["ACCEPT", "REJECT"].map(|direction| {
            let anywhere = any([not(records(direction, false, &[])), records(direction, false, wanted)]);
            let arriving = any([not(records(direction, true, &[])), records(direction, true, wanted)]);
            all([anywhere, arriving])
        }))
    };
    AiSubnet {
        id: id.to_owned(),
        accept: records("ACCEPT", false, &[]),
        reject: records("REJECT", false, &[]),
        accept_delivered: records("ACCEPT", true, &[]),
        reject_delivered: records("REJECT", true, &[]),
        v2_fields: fields(&["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "bytes", "start", "end", "action"]),
        v5_fields: fields(V5_FIELDS),
    }
}

/// Alternatives that carry the flows of a VPC: each log of the whole VPC that records all traffic, and all together.
pub(super) fn alternatives(
    index: &Index<'_>,
    region: &Region,
    vpc: &str,
    subnets: &BTreeSet<String>,
) -> Vec<Alternative> {
    let own = Carrier {
        resource: names::vpc(&index.shared.partition, region, index.account, vpc),
        judged_as: Source::NetworkFlows,
        certain: true,
    };
    let logs = logs_of(index, region, vpc, subnets);
    let carrier = |logger: &AccountId, log: &FlowLog, certain: bool| {
        let resource: ResourceId = match destination(logger, region, log)? {
            (Holder::Group((owner, at, name)), _) => names::log_group(&index.shared.partition, &at, &owner, &name),
            (Holder::Bucket(name), _) => index.bucket_id(&name),
        };
        Some(Carrier { resource, judged_as: Source::NetworkFlows, certain })
    };
    let mut found = Vec::new();
    for (logger, seen) in &logs {
        let log = seen.fact;
        let whole = all([
            log.active.clone(),
            log.traffic.clone().map(|t| t == "ALL"),
            Ok(log.resource == vpc),
            delivers(index, logger, region, log),
        ]);
        if possible(&whole) {
            let carriers = std::iter::once(own.clone()).chain(carrier(logger, log, true)).collect();
            found.push(Alternative { carriers, certain: whole == Ok(true), since: log.created.map(|m| m.at) });
        }
    }
    if !found.iter().any(|a| a.certain) {
        let mut together = vec![own.clone()];
        together.extend(logs.iter().filter_map(|(logger, s)| carrier(logger, s.fact, s.fact.active == Ok(true))));
        together.sort();
        together.dedup();
        let since = logs.iter().filter_map(|(_, s)| s.fact.created.map(|m| m.at)).max();
        found.push(Alternative { carriers: together, certain: true, since });
    }
    if listed(index, index.account, region).is_err() {
        found.push(Alternative::unseen(own));
    }
    found
}
