//! EC2, as far as networks go: regions, VPCs, subnets, flow logs. Other lists are empty.
//!
//! Resources are kept by the names of the API model; its XML has names of its own, which follow from them. What no
//! estate writes of networks is in `vpcs`.

use serde_json::Value;

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome, vpcs};
use crate::estate::{DEFAULT_REGIONS, OPT_IN_REGIONS};
use crate::wire::xml::Element;

const PAGES: Pages = Pages {
    size: "MaxResults",
    token: "NextToken",
    next: "nextToken",
    default: 1000,
    most: 1000,
    refusal: "InvalidParameterValue",
    unknown: "InvalidParameterValue",
};
/// Items a page may be limited to, and values one filter may have
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>).
const FEWEST: i64 = 5;
const MOST_VALUES: usize = 200;

/// A list of resources: operation, kind, element of the list, input member and output member of its ids, and the
/// error for an id that is nobody's.
const LISTS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("DescribeVpcs", "vpcs", "vpcSet", "VpcId", "VpcId", "InvalidVpcID.NotFound"),
    ("DescribeSubnets", "subnets", "subnetSet", "SubnetId", "SubnetId", "InvalidSubnetID.NotFound"),
    ("DescribeFlowLogs", "flow_logs", "flowLogSet", "FlowLogId", "FlowLogId", "InvalidFlowLogId.NotFound"),
    (
        "DescribeRouteTables",
        "route_tables",
        "routeTableSet",
        "RouteTableId",
        "RouteTableId",
        "InvalidRouteTableID.NotFound",
    ),
    (
        "DescribeNetworkInterfaces",
        "network_interfaces",
        "networkInterfaceSet",
        "NetworkInterfaceId",
        "NetworkInterfaceId",
        "InvalidNetworkInterfaceID.NotFound",
    ),
];

/// Lists of what no estate has.
const EMPTY: &[(&str, &str)] = &[
    ("DescribeInstances", "reservationSet"),
    ("DescribeNetworkAcls", "networkAclSet"),
    ("DescribeSecurityGroups", "securityGroupInfo"),
    ("DescribeVpcEndpoints", "vpcEndpointSet"),
    ("DescribeVpcEndpointServices", "serviceDetailSet"),
    ("DescribeVpcPeeringConnections", "vpcPeeringConnectionSet"),
    ("DescribeVpnConnections", "vpnConnectionSet"),
];

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    if call.operation == "DescribeRegions" {
        return regions(call);
    }
    if let Some((_, set)) = EMPTY.iter().find(|(operation, _)| *operation == call.operation) {
        return Ok(Answer::Xml(Element::new("").child(Element::new(*set))));
    }
    let Some((_, kind, set, by, id, unknown)) = LISTS.iter().find(|(operation, ..)| *operation == call.operation)
    else {
        return Err(AwsError::unknown_operation(call));
    };
    let account = call.world.estate.account(call.account);
    let written = account.map_or(&[][..], |account| account.all(call.region, "ec2", kind));
    let unwritten =
        account.map_or_else(Vec::new, |account| vpcs::unwritten(&call.world.estate, account, call.region, kind));
    let all: Vec<Value> = written.iter().chain(&unwritten).map(|item| vpcs::whole(kind, item)).collect();
    let mut found: Vec<&Value> = all.iter().filter(|item| filters(call).iter().all(|one| meets(item, one))).collect();
    let ids = texts(call.input.get(*by));
    refusal(call, by, !ids.is_empty())?;
    for wanted in &ids {
        if !all.iter().any(|item| item.get(*id).and_then(Value::as_str) == Some(wanted)) {
            return Err(AwsError::new(unknown, 400, format!("The ID '{wanted}' does not exist")));
        }
    }
    if !ids.is_empty() {
        found.retain(|item| item.get(*id).and_then(Value::as_str).is_some_and(|id| ids.contains(&id)));
    }
    let (offset, size) = listing::window(call, PAGES)?;
    let (page, next) = listing::page(call, &found, offset, size);
    let items = page.iter().map(|item| element("item", item));
    Ok(Answer::Xml(Element::new("").child(Element::new(*set).children(items)).maybe(PAGES.next, next)))
}

/// With `AllRegions` also those the account did not opt in to. A region without opting in that an account has not is
/// one that this AWS has not, which is how estates are kept small.
fn regions(call: &Call<'_>) -> Outcome {
    let account = call.world.estate.account(call.account);
    let enabled = |region: &str| account.is_some_and(|account| account.enabled(region));
    let names = texts(call.input.get("RegionName"));
    let all = call.flag("AllRegions") == Some(true);
    let status = |region: &str| match (DEFAULT_REGIONS.contains(&region), enabled(region)) {
        (true, _) => "opt-in-not-required",
        (false, true) => "opted-in",
        (false, false) => "not-opted-in",
    };
    let known = |region: &str| enabled(region) || (all && OPT_IN_REGIONS.contains(&region));
    let chosen = DEFAULT_REGIONS
        .iter()
        .chain(OPT_IN_REGIONS)
        .filter(|region| known(region) && (names.is_empty() || names.contains(*region)));
    let items = chosen.map(|region| {
        Element::new("item")
            .with("regionName", *region)
            .with("regionEndpoint", format!("ec2.{region}.amazonaws.com"))
            .with("optInStatus", status(region))
    });
    Ok(Answer::Xml(Element::new("").child(Element::new("regionInfo").children(items))))
}

/// What EC2 does not take: few or named items in pages, and filters of many values
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html>).
fn refusal(call: &Call<'_>, by: &str, named: bool) -> Result<(), AwsError> {
    let invalid = |code: &'static str, message: String| Err(AwsError::new(code, 400, message));
    if let Some(size) = call.integer(PAGES.size)? {
        if size < FEWEST {
            let message =
                format!("Value ( {size} ) for parameter maxResults is invalid. Expecting a value of at least 5.");
            return invalid("InvalidParameterValue", message);
        }
        if named {
            let message = format!("The parameter {by} cannot be used with the parameter maxResults");
            return invalid("InvalidParameterCombination", message);
        }
    }
    if filters(call).iter().any(|(_, values)| values.len() > MOST_VALUES) {
        let message = format!("The maximum number of filter values specified on a single call is {MOST_VALUES}");
        return invalid("FilterLimitExceeded", message);
    }
    Ok(())
}

/// The filters of a call: a name, and values of which one must be met.
fn filters<'a>(call: &'a Call<'_>) -> Vec<(&'a str, Vec<&'a str>)> {
    let given = call.input.get("Filter").and_then(Value::as_array);
    let one = |filter: &'a Value| Some((filter.get("Name")?.as_str()?, texts(filter.get("Value"))));
    given.into_iter().flatten().filter_map(one).collect()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Filters are named after members, `subnet-id` after `SubnetId`, and `association.main` after `Main` of any of the
/// `Associations`. A name that is of none finds nothing.
fn meets(item: &Value, (name, values): &(&str, Vec<&str>)) -> bool {
    if let Some(key) = name.strip_prefix("tag:") {
        let tags = item.get("Tags").and_then(Value::as_array);
        let is = |tag: &Value, member: &str, text: &str| tag.get(member).and_then(Value::as_str) == Some(text);
        return tags
            .into_iter()
            .flatten()
            .any(|tag| is(tag, "Key", key) && values.iter().any(|value| is(tag, "Value", value)));
    }
    if let Some((list, name)) = name.split_once('.') {
        let list = item.get(format!("{}s", capitalized(list))).and_then(Value::as_array);
        return list.into_iter().flatten().any(|part| meets(part, &(name, values.clone())));
    }
    let member: String = name.split('-').map(capitalized).collect();
    match item.get(&member) {
        Some(Value::String(text)) => values.contains(&text.as_str()),
        Some(other) => values.contains(&other.to_string().as_str()),
        None => false,
    }
}

fn capitalized(word: &str) -> String {
    word.chars().enumerate().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect()
}

/// A value as EC2's XML has it: names begin with a lower case letter, lists are sets of items.
fn element(name: &str, value: &Value) -> Element {
    match value {
        Value::Object(members) => Element::new(name.to_owned()).children(members.iter().map(|(name, value)| {
            let name = match value {
                Value::Array(_) => set(name),
                _ => uncapitalized(name),
            };
            element(&name, value)
        })),
        Value::Array(items) => Element::new(name.to_owned()).children(items.iter().map(|item| element("item", item))),
        Value::String(text) => Element::text(name.to_owned(), text.as_str()),
        Value::Null => Element::new(name.to_owned()),
        other => Element::text(name.to_owned(), other.to_string()),
    }
}

/// `Tags` is `tagSet`.
fn set(name: &str) -> String {
    let name = uncapitalized(name);
    match name.strip_suffix('s') {
        Some(single) => format!("{single}Set"),
        None => name,
    }
}

fn uncapitalized(name: &str) -> String {
    name.chars().enumerate().map(|(at, c)| if at == 0 { c.to_ascii_lowercase() } else { c }).collect()
}
