//! Trails, each read once, in its home region.
//!
//! A trail shows in every region it records, and an organization trail in every member account as well; how those
//! views are put together is `relate`'s.

use aws_sdk_cloudtrail::operation::describe_trails::DescribeTrailsInput;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsInput;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusInput;
use aws_sdk_cloudtrail::types::{AdvancedFieldSelector, EventSelector, Trail as Described};

use crate::inventory::cloudtrail::{
    AdvancedSelector, BasicSelector, DataResource, FieldSelector, Selectors, Trail, TrailStatus,
};
use crate::inventory::{Fact, Line, Read};
use crate::model::ids::{AccountId, Arn, Region};
use crate::model::observed::{Told, Why};

use super::listing::{few_at_a_time, listing, malformed, required, required_text, sorted, text};
use super::scope::{Answer, Scope};

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] =
    &["cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors"];

/// What AWS answers about a trail of another account to an account that does not own it.
const NOT_YOURS: &[&str] = &["CloudTrailARNInvalidException", "TrailNotFoundException"];

/// Trails whose home is this region. Those at home elsewhere are also read from the partition's home region: a run
/// limited to some regions may never come to theirs. Equal ARNs are the same trail.
pub(crate) async fn collect(scope: &Scope) -> Vec<Line> {
    let call = "cloudtrail:DescribeTrails";
    let Answer { value, read } = match scope.ask(&DescribeTrailsInput::builder().include_shadow_trails(true)).await {
        Ok(answer) => answer,
        Err(unknown) => return vec![listing(scope, call, Err(unknown), 0, Vec::new())],
    };
    let trails = match required(scope, call, "trailList", value.trail_list) {
        Ok(trails) => trails,
        Err(unknown) => return vec![listing(scope, call, Err(unknown), 0, vec![read])],
    };
    let named = trails.iter().all(|trail| trail.trail_arn.as_deref().is_some_and(|arn| owner(arn).is_some()));
    let count = if named { Ok(trails.len() as u64) } else { Err(malformed(scope, call, "a trail lacks its ARN")) };

    let here = trails.into_iter().filter(|trail| read_here(scope, trail));
    let mut lines = few_at_a_time(here.map(|trail| describe(scope, trail, read.clone()))).await;
    let mut lines: Vec<Line> = lines.drain(..).flatten().collect();
    lines.push(listing(scope, call, count, 0, vec![read]));
    sorted(lines)
}

/// A trail that does not say where its home is, is read wherever it shows.
fn read_here(scope: &Scope, trail: &Described) -> bool {
    match trail.home_region.as_deref() {
        Some(home) => home == scope.region.as_str() || scope.region == scope.partition.home_region(),
        None => true,
    }
}

fn owner(arn: &str) -> Option<AccountId> {
    AccountId::parse(Arn::parse(arn)?.account).ok()
}

async fn describe(scope: &Scope, trail: Described, listed: Read) -> Option<Line> {
    let call = "cloudtrail:DescribeTrails";
    let arn = trail.trail_arn?;
    let owner = owner(&arn)?;
    let foreign = owner != scope.account;
    let home_region = required_text(scope, call, "HomeRegion", trail.home_region).map(Region::new);
    // Selectors, and the times of delivery, are told only where the trail is at home.
    let there = scope.evidence_in(home_region.as_ref().unwrap_or(&scope.region));

    let mut reads = vec![listed];
    let status = status(&there, &arn, foreign, &mut reads).await;
    let selectors = selectors(&there, &arn, foreign, trail.has_custom_event_selectors, &mut reads).await;
    let fact = Trail {
        name: text(trail.name).unwrap_or_else(|| arn.clone()),
        owner,
        multi_region: required(scope, call, "IsMultiRegionTrail", trail.is_multi_region_trail),
        organization: required(scope, call, "IsOrganizationTrail", trail.is_organization_trail),
        global_service_events: required(scope, call, "IncludeGlobalServiceEvents", trail.include_global_service_events),
        log_file_validation: required(scope, call, "LogFileValidationEnabled", trail.log_file_validation_enabled),
        bucket: required_text(scope, call, "S3BucketName", trail.s3_bucket_name),
        prefix: text(trail.s3_key_prefix),
        kms_key: text(trail.kms_key_id),
        log_group_arn: text(trail.cloud_watch_logs_log_group_arn),
        status,
        selectors,
        shadow: foreign,
        arn: arn.clone(),
        home_region,
    };
    Some(Line::new(&scope.account, Some(&scope.region), arn, reads, Fact::Trail(Box::new(fact))))
}

async fn status(scope: &Scope, arn: &str, foreign: bool, reads: &mut Vec<Read>) -> Told<TrailStatus> {
    let call = "cloudtrail:GetTrailStatus";
    let absent_codes = if foreign { NOT_YOURS } else { &[] };
    let (status, read) = scope.ask_or_none(&GetTrailStatusInput::builder().name(arn), absent_codes).await?;
    reads.push(read.clone());
    let status = status.ok_or_else(|| scope.unknown(call, Why::Foreign))?;
    let moment = |member: &str, at: Option<aws_smithy_types::DateTime>| match at {
        Some(at) => required(scope, call, member, scope.moment(&at, &read)).map(Some),
        None => Ok(None),
    };
    Ok(TrailStatus {
        is_logging: required(scope, call, "IsLogging", status.is_logging)?,
        latest_delivery: moment("LatestDeliveryTime", status.latest_delivery_time)?,
        latest_delivery_error: text(status.latest_delivery_error),
        latest_digest_delivery: moment("LatestDigestDeliveryTime", status.latest_digest_delivery_time)?,
        latest_digest_delivery_error: text(status.latest_digest_delivery_error),
        started: moment("StartLoggingTime", status.start_logging_time)?,
        stopped: moment("StopLoggingTime", status.stop_logging_time)?,
    })
}

/// A trail whose selectors were never set (`HasCustomEventSelectors` is false) has those of AWS, whether AWS lists
/// them or only says so; of any other trail two empty lists tell nothing.
async fn selectors(
    scope: &Scope,
    arn: &str,
    foreign: bool,
    custom: Option<bool>,
    reads: &mut Vec<Read>,
) -> Told<Selectors> {
    let call = "cloudtrail:GetEventSelectors";
    let absent_codes = if foreign { NOT_YOURS } else { &[] };
    let request = GetEventSelectorsInput::builder().trail_name(arn);
    let (output, read) = scope.ask_or_none(&request, absent_codes).await?;
    reads.push(read);
    let Some(output) = output else {
        return if custom == Some(false) { Ok(aws_default()) } else { Err(scope.unknown(call, Why::Foreign)) };
    };
    let GetEventSelectorsOutput { event_selectors, advanced_event_selectors, .. } = output;
    let basic = event_selectors.filter(|selectors| !selectors.is_empty());
    let advanced = advanced_event_selectors.filter(|selectors| !selectors.is_empty());
    match (basic, advanced) {
        (Some(basic), None) => basic_selectors(scope, call, basic).map(Selectors::Basic),
        (None, Some(advanced)) => {
            let selectors = advanced.into_iter().map(|selector| {
                let fields = selector.field_selectors.into_iter().map(|field| field_selector(scope, call, field));
                let fields = fields.collect::<Told<Vec<_>>>()?;
                if fields.is_empty() {
                    return Err(malformed(scope, call, "an advanced selector lacks its fields"));
                }
                Ok(AdvancedSelector { name: selector.name, fields })
            });
            selectors.collect::<Told<_>>().map(Selectors::Advanced)
        }
        (None, None) if custom == Some(false) => Ok(aws_default()),
        (None, None) => Err(malformed(scope, call, "the trail has selectors of its own and the answer lists none")),
        (Some(_), Some(_)) => Err(malformed(scope, call, "the answer holds both forms of selectors")),
    }
}

/// All management events, no data events.
fn aws_default() -> Selectors {
    Selectors::Basic(vec![BasicSelector {
        read_write_type: Some("All".to_owned()),
        management_events: Some(true),
        excluded_management_sources: Vec::new(),
        data_resources: Vec::new(),
    }])
}

fn basic_selectors(scope: &Scope, call: &str, selectors: Vec<EventSelector>) -> Told<Vec<BasicSelector>> {
    let selectors = selectors.into_iter().map(|selector| {
        let resources = selector.data_resources.into_iter().flatten().map(|resource| {
            Ok(DataResource {
                resource_type: required_text(scope, call, "DataResources[].Type", resource.r#type)?,
                values: listed(resource.values),
            })
        });
        Ok(BasicSelector {
            read_write_type: selector.read_write_type.map(|kind| kind.as_str().to_owned()),
            management_events: selector.include_management_events,
            excluded_management_sources: listed(selector.exclude_management_event_sources),
            data_resources: resources.collect::<Told<_>>()?,
        })
    });
    selectors.collect()
}

/// Every condition has an operator: one without has one that this version does not know, or lost it on the way.
fn field_selector(scope: &Scope, call: &str, field: AdvancedFieldSelector) -> Told<FieldSelector> {
    let selector = FieldSelector {
        field: required_text(scope, call, "FieldSelectors[].Field", Some(field.field))?,
        equals: listed(field.equals),
        starts_with: listed(field.starts_with),
        ends_with: listed(field.ends_with),
        not_equals: listed(field.not_equals),
        not_starts_with: listed(field.not_starts_with),
        not_ends_with: listed(field.not_ends_with),
    };
    if selector == (FieldSelector { field: selector.field.clone(), ..FieldSelector::default() }) {
        return Err(malformed(scope, call, &format!("a selector of {} has no operator", selector.field)));
    }
    Ok(selector)
}

/// An operator or list that a selector leaves out selects nothing by itself, which is what an empty list means too.
fn listed(values: Option<Vec<String>>) -> Vec<String> {
    values.into_iter().flatten().collect()
}
