//! CloudTrail: trails, their state and selectors, and the events of the last 90 days.
//!
//! An organization trail is written once, in the management account; members see its shadow
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html>).

use serde_json::{Map, Value, json};

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "DescribeTrails" => Ok(describe_trails(call)),
        "ListTrails" => Ok(list_trails(call)),
        "GetTrail" => find(call, "Name").map(|seen| object("Trail", seen.shown())),
        "GetTrailStatus" => find(call, "Name").map(|seen| {
            let status = seen.trail.get("Status").cloned();
            Answer::Json(status.unwrap_or_else(|| json!({ "IsLogging": false })))
        }),
        "GetEventSelectors" => event_selectors(call),
        "GetInsightSelectors" => insight_selectors(call),
        "ListTags" => Ok(list_tags(call)),
        "LookupEvents" => lookup_events(call),
        _ => Err(AwsError::unknown_operation(call)),
    }
}

/// Members of a trail that other calls than DescribeTrails tell.
const ASIDE: &[&str] = &["Status", "EventSelectors", "AdvancedEventSelectors", "InsightSelectors", "TagsList"];

/// A trail as it is seen from one account and region.
struct Seen<'a> {
    trail: &'a Value,
    /// Of the account itself, or of the management account.
    own: bool,
    at_home: bool,
}

impl Seen<'_> {
    fn text(&self, member: &str) -> &str {
        self.trail.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// What DescribeTrails says, with what AWS says of settings never made.
    fn shown(&self) -> Value {
        let mut shown = Map::new();
        for (member, usual) in [
            ("IncludeGlobalServiceEvents", true),
            ("IsMultiRegionTrail", false),
            ("LogFileValidationEnabled", false),
            ("HasInsightSelectors", self.trail.get("InsightSelectors").is_some()),
            ("IsOrganizationTrail", false),
            ("HasCustomEventSelectors", self.has_selectors()),
        ] {
            shown.insert(member.to_owned(), Value::from(usual));
        }
        if let Some(members) = self.trail.as_object() {
            let members = members.iter().filter(|(member, _)| !ASIDE.contains(&member.as_str()));
            shown.extend(members.map(|(member, value)| (member.clone(), value.clone())));
        }
        Value::Object(shown)
    }

    fn has_selectors(&self) -> bool {
        ["EventSelectors", "AdvancedEventSelectors"].iter().any(|member| self.trail.get(*member).is_some())
    }
}

/// Trails that show in the account and region: its own, those of other regions that record this one too, and those of
/// the organization.
fn seen<'a>(call: &Call<'a>) -> Vec<Seen<'a>> {
    let world = call.world;
    let mut trails = Vec::new();
    let mut see = |owner: &str, own: bool| {
        let Some(account) = world.estate.account(owner) else { return };
        for (home, trail) in account.everywhere("cloudtrail", "trails") {
            let at_home = home == call.region;
            let records = at_home || flag(trail, "IsMultiRegionTrail");
            if records && (own || flag(trail, "IsOrganizationTrail")) {
                trails.push(Seen { trail, own, at_home });
            }
        }
    };
    see(call.account, true);
    if let Some(organization) = &world.estate.organization
        && organization.management != call.account
    {
        see(&organization.management, false);
    }
    trails
}

fn flag(trail: &Value, member: &str) -> bool {
    trail.get(member).and_then(Value::as_bool) == Some(true)
}

fn describe_trails(call: &Call<'_>) -> Answer {
    let shadows = call.flag("includeShadowTrails") != Some(false);
    let wanted = call.input.get("trailNameList").and_then(Value::as_array).filter(|names| !names.is_empty());
    let trails = seen(call).into_iter().filter(|trail| shadows || (trail.own && trail.at_home)).filter(|trail| {
        let is =
            |name: &Value| [trail.text("Name"), trail.text("TrailARN")].contains(&name.as_str().unwrap_or_default());
        wanted.is_none_or(|names| names.iter().any(is))
    });
    object("trailList", trails.map(|trail| trail.shown()).collect::<Vec<_>>().into())
}

fn list_trails(call: &Call<'_>) -> Answer {
    let members = ["TrailARN", "Name", "HomeRegion"];
    let trails: Vec<Value> = seen(call).iter().map(|trail| listing::summary(trail.trail, &members)).collect();
    object("Trails", trails.into())
}

/// A trail by name, at home alone, or by ARN wherever it shows.
fn find<'a>(call: &Call<'a>, member: &str) -> Result<Seen<'a>, AwsError> {
    let name = call.text(member).ok_or_else(|| listing::missing_parameter(member))?;
    let found = seen(call).into_iter().find(|trail| match name.starts_with("arn:") {
        true => trail.text("TrailARN") == name,
        false => trail.own && trail.at_home && trail.text("Name") == name,
    });
    found.ok_or_else(|| {
        let message = format!("Unknown trail: {name} for the user: {}", call.account);
        AwsError::new("TrailNotFoundException", 400, message)
    })
}

/// Only the owner of a trail may read what it selects, and of the organization's its delegated administrators
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html>).
fn owned<'a>(call: &Call<'a>) -> Result<Seen<'a>, AwsError> {
    let trail = find(call, "TrailName")?;
    let delegated = call.world.estate.organization.as_ref().map_or(&[][..], |organization| &organization.delegated);
    if trail.own || delegated.iter().any(|id| id == call.account) {
        return Ok(trail);
    }
    Err(AwsError::new("CloudTrailARNInvalidException", 400, "The AccountID in the trail ARN is wrong."))
}

fn event_selectors(call: &Call<'_>) -> Outcome {
    let trail = owned(call)?;
    let mut output = Map::new();
    output.insert("TrailARN".to_owned(), trail.text("TrailARN").into());
    for member in ["EventSelectors", "AdvancedEventSelectors"] {
        if let Some(selectors) = trail.trail.get(member) {
            output.insert(member.to_owned(), selectors.clone());
        }
    }
    if !trail.has_selectors() {
        let usual = json!([{
            "ReadWriteType": "All",
            "IncludeManagementEvents": true,
            "DataResources": [],
            "ExcludeManagementEventSources": [],
        }]);
        output.insert("EventSelectors".to_owned(), usual);
    }
    Ok(Answer::Json(Value::Object(output)))
}

fn insight_selectors(call: &Call<'_>) -> Outcome {
    let trail = owned(call)?;
    let arn = trail.text("TrailARN");
    let selectors = trail.trail.get("InsightSelectors").ok_or_else(|| {
        let message = format!("Trail {arn} does not have Insights enabled.");
        AwsError::new("InsightNotEnabledException", 400, message)
    })?;
    Ok(Answer::Json(json!({ "TrailARN": arn, "InsightSelectors": selectors })))
}

fn list_tags(call: &Call<'_>) -> Answer {
    let trails = seen(call);
    let wanted = call.input.get("ResourceIdList").and_then(Value::as_array);
    let tags = wanted.into_iter().flatten().filter_map(Value::as_str).map(|arn| {
        let trail = trails.iter().find(|trail| trail.text("TrailARN") == arn);
        let tags = trail.and_then(|trail| trail.trail.get("TagsList")).cloned();
        json!({ "ResourceId": arn, "TagsList": tags.unwrap_or_else(|| json!([])) })
    });
    object("ResourceTagList", tags.collect::<Vec<_>>().into())
}

const EVENTS: Pages = Pages {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    default: 50,
    most: 50,
    refusal: "InvalidMaxResultsException",
    unknown: "InvalidNextTokenException",
};

/// Management events, newest first, that meet the one attribute asked for.
fn lookup_events(call: &Call<'_>) -> Outcome {
    let (offset, size) = listing::window(call, EVENTS)?;
    let attributes = call.input.get("LookupAttributes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let attribute = match attributes {
        [] => None,
        [one] => one.get("AttributeKey").zip(one.get("AttributeValue")),
        _ => {
            let message = "You can only specify one lookup attribute.";
            return Err(AwsError::new("InvalidLookupAttributesException", 400, message));
        }
    };
    let time = |member: &str| call.input.get(member).and_then(listing::seconds);
    let (from, to) = (time("StartTime"), time("EndTime"));
    let account = call.world.estate.account(call.account);
    let events = account.map_or(&[][..], |account| account.all(call.region, "cloudtrail", "events"));
    let at = |event: &Value| event.get("EventTime").and_then(listing::seconds).unwrap_or_default();
    let mut found: Vec<&Value> = events
        .iter()
        .filter(|event| {
            from.is_none_or(|from| at(event) >= from)
                && to.is_none_or(|to| at(event) <= to)
                && attribute.is_none_or(|(key, value)| has(event, key.as_str().unwrap_or_default(), value))
        })
        .collect();
    found.sort_by(|a, b| at(b).total_cmp(&at(a)));
    let (page, next) = listing::page(call, &found, offset, size);
    let mut output = json!({ "Events": page });
    if let (Some(next), Some(output)) = (next, output.as_object_mut()) {
        output.insert("NextToken".to_owned(), next.into());
    }
    Ok(Answer::Json(output))
}

fn has(event: &Value, key: &str, value: &Value) -> bool {
    let of_resource = |member: &str| {
        let resources = event.get("Resources").and_then(Value::as_array);
        resources.into_iter().flatten().any(|resource| resource.get(member) == Some(value))
    };
    match key {
        "ResourceName" => of_resource("ResourceName"),
        "ResourceType" => of_resource("ResourceType"),
        member => event.get(member) == Some(value),
    }
}

fn object(member: &str, value: Value) -> Answer {
    Answer::Json(Value::Object(Map::from_iter([(member.to_owned(), value)])))
}
