//! Account management: which regions an account has.
//!
//! Only an account's own; asking about another needs trusted access, which no estate has.

use serde_json::{Value, json};

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome};
use crate::estate::{Account, DEFAULT_REGIONS, OPT_IN_REGIONS};

/// <https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>
const PAGES: Pages = Pages {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    default: 50,
    most: 50,
    refusal: "ValidationException",
    unknown: "ValidationException",
};

/// Method, path and operation of everything answered here.
pub(crate) const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/listRegions", "ListRegions"),
    ("POST", "/getRegionOptStatus", "GetRegionOptStatus"),
    ("POST", "/getContactInformation", "GetContactInformation"),
    ("POST", "/getAlternateContact", "GetAlternateContact"),
];

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    if call.text("AccountId").is_some_and(|id| id != call.account) {
        let message = "User is not authorized to perform this operation on another account";
        return Err(AwsError::new("AccessDeniedException", 403, message));
    }
    let Some(account) = call.world.estate.account(call.account) else {
        return Err(AwsError::new("ResourceNotFoundException", 404, "there is no such account"));
    };
    match call.operation {
        "ListRegions" => {
            let wanted = call.input.get("RegionOptStatusContains").and_then(Value::as_array);
            let regions: Vec<Value> = DEFAULT_REGIONS
                .iter()
                .chain(OPT_IN_REGIONS)
                .filter(|region| account.enabled(region) || OPT_IN_REGIONS.contains(region))
                .map(|region| (region, status(account, region)))
                .filter(|(_, status)| wanted.is_none_or(|wanted| wanted.iter().any(|one| one == status)))
                .map(|(region, status)| json!({"RegionName": region, "RegionOptStatus": status}))
                .collect();
            let (offset, size) = listing::window(call, PAGES)?;
            let (page, next) = listing::page(call, &regions, offset, size);
            let mut output = json!({"Regions": page});
            if let Some(next) = next {
                output[PAGES.next] = Value::from(next);
            }
            Ok(Answer::Json(output))
        }
        "GetRegionOptStatus" => {
            let region = call.text("RegionName").unwrap_or_default();
            Ok(Answer::Json(json!({"RegionName": region, "RegionOptStatus": status(account, region)})))
        }
        "GetContactInformation" => Ok(Answer::Json(json!({"ContactInformation": {
            "FullName": "Simulated", "AddressLine1": "1 Simulated Street", "City": "Lyon", "PostalCode": "69000",
            "CountryCode": "FR", "PhoneNumber": "+33400000000"}}))),
        "GetAlternateContact" => Err(AwsError::new(
            "ResourceNotFoundException",
            404,
            "No contact of the inputted alternate contact type found.",
        )),
        _ => Err(AwsError::unknown_operation(call)),
    }
}

fn status(account: &Account, region: &str) -> &'static str {
    match (DEFAULT_REGIONS.contains(&region), account.enabled(region)) {
        (true, _) => "ENABLED_BY_DEFAULT",
        (false, true) => "ENABLED",
        (false, false) => "DISABLED",
    }
}
