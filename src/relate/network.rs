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

/// The fields of a log's records.
fn fields(log: &FlowLog) -> BTreeSet<&str> {
    match &log.format {
        // The default format is version 2, in its order.
        None => V2_FIELDS.iter().copied().collect(),
        Some(format) => format
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(|field| field.trim_matches(['$', '{', '}']))
            .collect(),
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
    let unasked = || {
        let unread = index.unread(account, CALL).in_region(region);
        Err(match unread.why {
            Why::Foreign => unread.saying("the subnet is shared: its owner's flow logs are not visible"),
            _ => unread,
        })
    };
    index.flow_logs_listed(account, region).cloned().unwrap_or_else(unasked)
}

/// Which connections records must show.
const DIRECTIONS: [&str; 2] = ["ACCEPT", "REJECT"];
/// Fields that records must have: none in particular, those of an ordinary investigation, and those beyond version 2.
const NEEDS: [&[&str]; 3] =
    [&[], &["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "bytes", "start", "end", "action"], V5_FIELDS];
const ANYTHING: usize = 0;
const V2: usize = 1;
const V5: usize = 2;

/// Whether something records each direction, without and with arriving anywhere, with what records must have.
pub(super) struct Votes([[[Told<bool>; NEEDS.len()]; 2]; DIRECTIONS.len()]);

impl Votes {
    /// Those of a flow log, on what it watches.
    fn of(index: &Index<'_>, logger: &AccountId, region: &Region, log: &FlowLog) -> Self {
        let (arrives, fields) = (delivers(index, logger, region, log), fields(log));
        // Whose an interface is locard does not read: it may be that of a workload.
        let covers = match is_of_interface(log) {
            true => Err(Unknown::new(CALL, Why::Undecidable).in_account(logger).in_region(region).saying(format!(
                "whether interface {} of flow log {} is a workload's is not read",
                log.resource, log.id
            ))),
            false => Ok(true),
        };
        Self(DIRECTIONS.map(|direction| {
            let traffic = log.traffic.clone().map(|traffic| traffic == "ALL" || traffic == direction);
            [Ok(true), arrives.clone()].map(|arrives| {
                NEEDS.map(|wanted| {
                    let has = Ok(wanted.iter().all(|field| fields.contains(field)));
                    all([log.active.clone(), traffic.clone(), arrives.clone(), has, covers.clone()])
                })
            })
        }))
    }

    /// Whether any of them does, or `unlisted` may.
    fn any(votes: &[&Self], unlisted: &Told<bool>) -> Self {
        let at = |direction: usize, arriving: usize, needs: usize| {
            any(votes.iter().map(|votes| votes.0[direction][arriving][needs].clone()).chain([unlisted.clone()]))
        };
        Self(std::array::from_fn(|direction| {
            std::array::from_fn(|arriving| std::array::from_fn(|needs| at(direction, arriving, needs)))
        }))
    }

    fn get(&self, direction: usize, delivered: bool, needs: usize) -> Told<bool> {
        self.0[direction][usize::from(delivered)][needs].clone()
    }

    /// Each direction that is recorded needs the fields, in records that arrive where any do.
    fn has(&self, needs: usize) -> Told<bool> {
        let each = (0..DIRECTIONS.len()).flat_map(|direction| [(direction, false), (direction, true)]);
        all(each.map(|(direction, delivered)| {
            any([not(self.get(direction, delivered, ANYTHING)), self.get(direction, delivered, needs)])
        }))
    }
}

/// What the flow logs of single interfaces of the account may record in a region.
pub(super) fn of_interfaces(index: &Index<'_>, region: &Region) -> Votes {
    let logs = index.flow_logs(index.account, region);
    let logs = logs.into_iter().map(|seen| seen.fact).filter(|log| is_of_interface(log) && possible(&log.active));
    let votes: Vec<Votes> = logs.map(|log| Votes::of(index, index.account, region, log)).collect();
    Votes::any(&votes.iter().collect::<Vec<_>>(), &Ok(false))
}

fn is_of_interface(log: &FlowLog) -> bool {
    log.resource.starts_with("eni-")
}

/// A VPC as checks see it; what is told of single interfaces is the same for all.
pub(super) fn view(
    index: &Index<'_>,
    region: &Region,
    vpc: &str,
    subnets: &BTreeSet<String>,
    interfaces: &Votes,
) -> AiVpc {
    let listed = |account: &AccountId| listed(index, account, region);
    let account = index.account;
    let logs = logs_of(index, region, vpc, subnets);
    let votes: Vec<(&str, Votes)> = logs
        .iter()
        .map(|(logger, seen)| (seen.fact.resource.as_str(), Votes::of(index, logger, region, seen.fact)))
        .collect();
    let list = subnets
        .iter()
        .map(|id| {
            // A participant of a shared VPC sees only its own flow logs, so the owner's may cover it besides.
            let complete = match sharer(index, region, id) {
                Some(owner) => listed(account).and(listed(&owner)),
                None => listed(account),
            };
            let mine = votes.iter().filter(|(resource, _)| *resource == vpc || resource == id).map(|(_, votes)| votes);
            let mine: Vec<&Votes> = mine.chain([interfaces]).collect();
            subnet(id, &Votes::any(&mine, &complete.map(|()| false)))
        })
        .collect();
    AiVpc { id: vpc.to_owned(), subnets: Ok(list) }
}

fn subnet(id: &str, votes: &Votes) -> AiSubnet {
    AiSubnet {
        id: id.to_owned(),
        accept: votes.get(0, false, ANYTHING),
        reject: votes.get(1, false, ANYTHING),
        accept_delivered: votes.get(0, true, ANYTHING),
        reject_delivered: votes.get(1, true, ANYTHING),
        v2_fields: votes.has(V2),
        v5_fields: votes.has(V5),
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
