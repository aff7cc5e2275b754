//! What networks have though no estate writes it: default VPCs with their subnets and route table, and an interface in
//! every subnet that an estate names.
//!
//! What an estate writes of networks is in `ec2`.

use serde_json::{Value, json};

use crate::estate::{Account, Estate};
use crate::hash::Fnv;

/// What AWS always says of a kind of resource, and estates say only where it is so.
const SWITCHES: &[(&str, &[&str])] = &[("vpcs", &["IsDefault"]), ("subnets", &["DefaultForAz", "MapPublicIpOnLaunch"])];

/// A resource with its switches.
pub(super) fn whole(kind: &str, resource: &Value) -> Value {
    let mut resource = resource.clone();
    let switches = SWITCHES.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, switches)| switches);
    if let Some(members) = resource.as_object_mut() {
        for switch in switches {
            members.entry(*switch).or_insert(Value::Bool(false));
        }
    }
    resource
}

/// The resources of one kind in a region besides those of the estate. One that is written down says all there is.
pub(super) fn unwritten(estate: &Estate, account: &Account, region: &str, kind: &str) -> Vec<Value> {
    let default = default_vpc(account, region).filter(|_| estate.is_made_up());
    let vpc = default.as_deref();
    match kind {
        "vpcs" => vpc
            .map(|vpc| json!({"VpcId": vpc, "OwnerId": account.id, "State": "available", "CidrBlock": "172.31.0.0/16", "IsDefault": true}))
            .into_iter()
            .collect(),
        "subnets" => vpc.map_or_else(Vec::new, |vpc| {
            ["a", "b", "c"].iter().enumerate().map(|(at, zone)| default_subnet(account, region, vpc, zone, at)).collect()
        }),
        "route_tables" => vpc.map(|vpc| main_table(account, region, vpc)).into_iter().collect(),
        "network_interfaces" => account.all(region, "ec2", "subnets").iter().map(interface).collect(),
        _ => Vec::new(),
    }
}

/// AWS makes one in every region of a new account. Half of the accounts still have theirs: many organizations delete
/// them (<https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html>).
fn default_vpc(account: &Account, region: &str) -> Option<String> {
    Fnv::of(&[&account.id, "default VPC"]).is_multiple_of(2).then(|| id("vpc", &[&account.id, region]))
}

fn default_subnet(account: &Account, region: &str, vpc: &str, zone: &str, at: usize) -> Value {
    let id = id("subnet", &[&account.id, region, zone]);
    json!({
        "SubnetId": id,
        "SubnetArn": format!("arn:aws:ec2:{region}:{}:subnet/{id}", account.id),
        "VpcId": vpc,
        "OwnerId": account.id,
        "State": "available",
        "CidrBlock": format!("172.31.{}.0/20", at * 16),
        "AvailabilityZone": format!("{region}{zone}"),
        "DefaultForAz": true,
        "MapPublicIpOnLaunch": true,
    })
}

fn main_table(account: &Account, region: &str, vpc: &str) -> Value {
    let table = id("rtb", &[&account.id, region]);
    json!({
        "RouteTableId": table,
        "VpcId": vpc,
        "OwnerId": account.id,
        "Associations": [{"Main": true, "RouteTableId": table, "RouteTableAssociationId": id("rtbassoc", &[&table])}],
        "Routes": [
            {"DestinationCidrBlock": "172.31.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"},
            {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": id("igw", &[&table]), "Origin": "CreateRoute", "State": "active"},
        ],
    })
}

/// Estates name subnets because workloads run in them.
fn interface(subnet: &Value) -> Value {
    let text = |member: &str| subnet.get(member).and_then(Value::as_str).unwrap_or_default();
    json!({
        "NetworkInterfaceId": id("eni", &[text("SubnetId")]),
        "SubnetId": text("SubnetId"),
        "VpcId": text("VpcId"),
        "OwnerId": text("OwnerId"),
        "Status": "in-use",
    })
}

fn id(kind: &str, of: &[&str]) -> String {
    format!("{kind}-0{:016x}", Fnv::of(of))
}
