//! Plans of faults: each kind alone, and kinds mixed at random from a seed.

use std::collections::BTreeSet;

use locard::inventory::operations::OPERATIONS;
use locard_simulator::faults::{KINDS, Kind, Plan, Rule};

use super::lab::patience;
use crate::dice::Dice;

/// Services asked inside accounts.
pub(super) const INSIDE: &str = "sagemaker|bedrock|bedrock-agent|cloudtrail|cloudwatch|s3|ec2|logs|kms";
/// Calls that say of one resource that it is not there, where it is not. Of lists that leave it out and filters that
/// do not find it, absence is the right answer, and no fault.
const TELL_GONE: &str = "DescribeEndpoint*|DescribeModel|Describe*Job*|DescribeNotebookInstance|DescribeDomain|\
     DescribeFeatureGroup|GetModelCustomizationJob|GetImportedModel|GetEvaluationJob|GetKnowledgeBase|GetDataSource|\
     GetFlow|ListDataSources|GetBucket*|GetObjectLockConfiguration|DescribeKey|GetTrailStatus|GetEventSelectors|\
     DescribeSubscriptionFilters";
/// Lists that AWS hands out in pages.
const PAGED: &str = "ListEndpoints|ListModels|List*Jobs|ListNotebookInstances|ListDomains|ListFeatureGroups|\
     Search|ListImportedModels|ListGuardrails|ListAgents|ListKnowledgeBases|ListDataSources|ListFlows|DescribeSubnets|\
     DescribeFlowLogs|DescribeLogGroups|DescribeSubscriptionFilters|DescribeAccountPolicies|DescribeDelivery*|DescribeDeliveries|ListMetrics|\
     ListBuckets|ListAccounts|ListRoots|ListOrganizationalUnitsForParent";
/// In times of what is waited.
const TOO_LONG: f64 = 3.0;

/// A kind alone, strewn over everything that is asked inside accounts, and at the door of two of them.
pub(super) fn alone(kind: Kind) -> Plan {
    let inside = Rule { service: Some(INSIDE.to_owned()), ..rule(kind) };
    let rules = match kind {
        Kind::AccountClosed => vec![Rule { account: Some("100000000004".to_owned()), from: Some(60), ..inside }],
        Kind::ExpiredSession | Kind::RevokedSession => {
            vec![Rule { probability: 0.6, from: Some(12), times: Some(2), ..inside }]
        }
        Kind::Slow | Kind::Hang | Kind::EndlessToken => vec![Rule { probability: 0.04, ..inside }],
        Kind::EmptyPageWithToken => vec![Rule { service: None, ..inside }],
        // Within what signatures allow.
        Kind::Skew => vec![Rule { service: None, seconds: Some(-200.0), ..inside }],
        // Policies deny neither the door nor anything in the management account.
        Kind::ScpDenied => vec![Rule { account: Some("100000000004|100000000012".to_owned()), ..inside }],
        _ => vec![
            Rule { probability: 0.2, ..inside.clone() },
            Rule { service: Some("sts".to_owned()), account: Some("100000000003|100000000006".to_owned()), ..inside },
        ],
    };
    Plan { seed: 1, rules }
}

/// A kind that strikes whatever is asked of the organization; some of it, for an odd seed.
pub(super) fn organization(kind: Kind, operation: &str) -> Plan {
    let rule = Rule { service: Some("organizations".to_owned()), operation: Some(operation.to_owned()), ..rule(kind) };
    Plan { seed: 1, rules: vec![rule] }
}

/// Two to five rules, each about this or that.
pub(super) fn mixed(seed: u64) -> Plan {
    let mut dice = Dice(seed);
    let rules = (0..dice.between(2, 5)).map(|_| random(&mut dice)).collect();
    Plan { seed, rules }
}

fn random(dice: &mut Dice) -> Rule {
    let kind = dice.pick(KINDS);
    let mut rule = rule(kind);
    let operations: BTreeSet<(&str, &str)> =
        OPERATIONS.iter().map(|operation| (operation.service, operation.name)).collect();
    let inside: Vec<(&str, &str)> =
        operations.iter().copied().filter(|(service, _)| !matches!(*service, "sts" | "organizations")).collect();
    let narrow = match dice.between(0, 10) {
        0 => {
            rule.service = Some("sts".to_owned());
            rule.account = Some(account(dice));
            true
        }
        1 => {
            rule.service = Some("organizations".to_owned());
            rule.operation =
                Some(dice.pick(&["ListAccounts", "ListRoots", "ListOrganizationalUnitsForParent", "*"]).to_owned());
            // Else most of these runs would end here.
            rule.times = Some(1);
            return rule;
        }
        2 | 3 => {
            rule.service = Some(dice.pick(&inside).0.to_owned());
            false
        }
        4..=6 => {
            let (service, operation) = dice.pick(&inside);
            rule.service = Some(service.to_owned());
            rule.operation.get_or_insert(operation.to_owned());
            true
        }
        _ => {
            rule.service = Some(INSIDE.to_owned());
            false
        }
    };
    // Of one operation few requests are made as it is.
    if !narrow && dice.between(0, 2) == 0 {
        rule.account = Some(account(dice));
    }
    if !narrow && dice.between(0, 3) == 0 {
        rule.region = Some(dice.pick(&["us-east-1", "eu-west-1"]).to_owned());
    }
    rule.probability = match (kind, narrow) {
        (Kind::Slow | Kind::Hang | Kind::EndlessToken, false) => 0.03,
        (_, true) => dice.pick(&[0.5, 1.0]),
        (_, false) => dice.pick(&[0.05, 0.2, 0.5]),
    };
    rule.times = dice.pick(&[None, None, Some(1), Some(2)]);
    if matches!(kind, Kind::AccountClosed | Kind::ExpiredSession | Kind::RevokedSession) {
        rule.from = Some(u32::try_from(dice.between(1, 80)).unwrap());
        rule.account.get_or_insert_with(|| account(dice));
        rule.probability = 1.0;
    }
    rule
}

/// A rule of a kind, with what that kind always needs here.
fn rule(kind: Kind) -> Rule {
    let mut rule = Rule::new(kind);
    match kind {
        Kind::Vanished => rule.operation = Some(TELL_GONE.to_owned()),
        Kind::EmptyObject => rule.operation = Some("List*|Describe*".to_owned()),
        Kind::EmptyPageWithToken | Kind::RepeatToken | Kind::EndlessToken => rule.operation = Some(PAGED.to_owned()),
        Kind::Slow | Kind::Hang => rule.seconds = Some(TOO_LONG * patience()),
        _ => {}
    }
    rule
}

/// An account that can be entered: the eleventh lets nobody in anyway.
fn account(dice: &mut Dice) -> String {
    format!("1000000000{:02}", dice.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]))
}
