//! Organizations: accounts, and the tree of units they are in.
//!
//! Only the management account and delegated administrators are answered; any member may describe the organization.

use serde_json::{Value, json};

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome};
use crate::estate::{Listed, Organization, Unit};

/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>
const PAGES: Pages = Pages {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    default: 20,
    most: 20,
    refusal: "InvalidInputException",
    unknown: "InvalidInputException",
};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    let Some(organization) = &call.world.estate.organization else {
        let message = "Your account is not a member of an organization.";
        return Err(AwsError::new("AWSOrganizationsNotInUseException", 400, message));
    };
    if call.operation == "DescribeOrganization" {
        return Ok(Answer::Json(json!({"Organization": described(organization, call)})));
    }
    if organization.management != call.account && !organization.delegated.iter().any(|id| id == call.account) {
        let message = "You don't have permissions to access this resource.";
        return Err(AwsError::new("AccessDeniedException", 400, message));
    }
    let estate = &call.world.estate;
    let of = |listed: &Listed| account(organization, listed);
    match call.operation {
        "ListAccounts" => list(call, "Accounts", &estate.listed().iter().collect::<Vec<_>>(), of),
        "DescribeAccount" => {
            let id = call.text("AccountId").unwrap_or_default();
            let listed = estate.listing(id).ok_or_else(|| {
                AwsError::new("AccountNotFoundException", 400, "You specified an account that doesn't exist.")
            })?;
            Ok(Answer::Json(json!({"Account": of(listed)})))
        }
        "ListRoots" => {
            let arn = format!(
                "arn:aws:organizations::{}:root/{}/{}",
                organization.management, organization.id, organization.root
            );
            let root = json!({"Id": organization.root, "Arn": arn, "Name": "Root", "PolicyTypes": [
                {"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]});
            Ok(Answer::Json(json!({"Roots": [root]})))
        }
        "ListAccountsForParent" => {
            let parent = parent(organization, call.text("ParentId"))?;
            let inside: Vec<&Listed> = estate.listed().iter().filter(|listed| listed.unit == parent).collect();
            list(call, "Accounts", &inside, of)
        }
        "ListOrganizationalUnitsForParent" => {
            let parent = parent(organization, call.text("ParentId"))?;
            let inside: Vec<&Unit> = organization.units.iter().filter(|unit| unit.parent == parent).collect();
            list(call, "OrganizationalUnits", &inside, |unit| shown(organization, unit))
        }
        "DescribeOrganizationalUnit" => {
            let id = call.text("OrganizationalUnitId").unwrap_or_default();
            let unit = organization.units.iter().find(|unit| unit.id == id).ok_or_else(|| {
                let message = "You specified an organizational unit that doesn't exist.";
                AwsError::new("OrganizationalUnitNotFoundException", 400, message)
            })?;
            Ok(Answer::Json(json!({"OrganizationalUnit": shown(organization, unit)})))
        }
        "ListParents" => {
            let child = call.text("ChildId").unwrap_or_default();
            let unit = match estate.listing(child) {
                Some(listed) => Some(listed.unit),
                None => organization.units.iter().find(|unit| unit.id == child).map(|unit| unit.parent),
            };
            let Some(unit) = unit else {
                return Err(AwsError::new("ChildNotFoundException", 400, "You specified a child that doesn't exist."));
            };
            let parent = match unit.and_then(|at| organization.units.get(at)) {
                Some(unit) => json!({"Id": unit.id, "Type": "ORGANIZATIONAL_UNIT"}),
                None => json!({"Id": organization.root, "Type": "ROOT"}),
            };
            Ok(Answer::Json(json!({"Parents": [parent]})))
        }
        "ListDelegatedAdministrators" => {
            let delegated: Vec<&Listed> = organization.delegated.iter().filter_map(|id| estate.listing(id)).collect();
            list(call, "DelegatedAdministrators", &delegated, of)
        }
        "ListAWSServiceAccessForOrganization" => {
            Ok(Answer::Json(json!({"EnabledServicePrincipals": [{"ServicePrincipal": "cloudtrail.amazonaws.com"}]})))
        }
        "ListTagsForResource" => Ok(Answer::Json(json!({"Tags": []}))),
        "ListPolicies" => Ok(Answer::Json(json!({"Policies": []}))),
        _ => Err(AwsError::unknown_operation(call)),
    }
}

fn shown(organization: &Organization, unit: &Unit) -> Value {
    let arn = format!("arn:aws:organizations::{}:ou/{}/{}", organization.management, organization.id, unit.id);
    json!({"Id": unit.id, "Arn": arn, "Name": unit.name, "Path": path(organization, Some(unit))})
}

fn list<T>(call: &Call<'_>, member: &str, items: &[&T], shown: impl Fn(&T) -> Value) -> Outcome {
    let (offset, size) = listing::window(call, PAGES)?;
    let (page, next) = listing::page(call, items, offset, size);
    let mut output = json!({member: page.iter().map(|item| shown(item)).collect::<Vec<_>>()});
    if let Some(next) = next {
        output[PAGES.next] = Value::from(next);
    }
    Ok(Answer::Json(output))
}

fn described(organization: &Organization, call: &Call<'_>) -> Value {
    let management = &organization.management;
    let email = call.world.estate.listing(management).map(|listed| listed.email.as_str());
    json!({
        "Id": organization.id,
        "Arn": format!("arn:aws:organizations::{management}:organization/{}", organization.id),
        "FeatureSet": "ALL",
        "MasterAccountId": management,
        "MasterAccountArn": format!("arn:aws:organizations::{management}:account/{}/{management}", organization.id),
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    })
}

/// `Status` is gone since 2026-09; `State` took its place
/// (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html>).
fn account(organization: &Organization, listed: &Listed) -> Value {
    let arn = format!("arn:aws:organizations::{}:account/{}/{}", organization.management, organization.id, listed.id);
    let unit = listed.unit.and_then(|at| organization.units.get(at));
    json!({
        "Id": listed.id,
        "Arn": arn,
        "Email": listed.email,
        "Name": listed.name,
        "State": listed.state,
        "JoinedMethod": listed.joined_by,
        "JoinedTimestamp": listed.joined.as_millisecond() as f64 / 1000.0,
        "Paths": [path(organization, unit)],
    })
}

/// `o-.../r-.../ou-.../`
fn path(organization: &Organization, unit: Option<&Unit>) -> String {
    let mut ids = Vec::new();
    let mut at = unit;
    while let Some(unit) = at {
        ids.push(unit.id.as_str());
        at = unit.parent.and_then(|parent| organization.units.get(parent));
    }
    let mut path = format!("{}/{}/", organization.id, organization.root);
    for id in ids.iter().rev() {
        path.push_str(id);
        path.push('/');
    }
    path
}

/// The position of a parent among the units; none for the root.
fn parent(organization: &Organization, id: Option<&str>) -> Result<Option<usize>, AwsError> {
    let id = id.unwrap_or_default();
    if id == organization.root {
        return Ok(None);
    }
    let found = organization.units.iter().position(|unit| unit.id == id).map(Some);
    found.ok_or_else(|| {
        AwsError::new("ParentNotFoundException", 400, "You provided a root or OU identifier that doesn't exist.")
    })
}
