//! Pages that lie: tokens are spoilt on their way out and understood on their way in, so that services know nothing
//! of it.

use serde_json::Value;

use super::Kind;
use crate::services::Answer;

/// How an operation hands out pages: the members of its input and of its output that hold the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paged {
    asking: &'static str,
    answering: &'static str,
}

const fn paged(asking: &'static str, answering: &'static str) -> Paged {
    Paged { asking, answering }
}

const UPPER: Paged = paged("NextToken", "NextToken");
const LOWER: Paged = paged("nextToken", "nextToken");

/// Of the operations answered here, those that AWS hands out in pages: their inputs and outputs have tokens in the API
/// models (<https://github.com/boto/botocore/tree/develop/botocore/data>). DescribeFeatureGroup, which pages only the
/// features of its one group, is none of them.
#[rustfmt::skip]
const PAGED: &[(&str, Paged, &[&str])] = &[
    ("organizations", UPPER, &["ListAccounts", "ListAccountsForParent", "ListAWSServiceAccessForOrganization",
        "ListDelegatedAdministrators", "ListOrganizationalUnitsForParent", "ListParents", "ListPolicies", "ListRoots",
        "ListTagsForResource"]),
    ("account", UPPER, &["ListRegions"]),
    ("sagemaker", UPPER, &["ListAutoMLJobs", "ListDomains", "ListEndpointConfigs", "ListEndpoints",
        "ListFeatureGroups", "ListHyperParameterTuningJobs", "ListModelPackageGroups", "ListModels",
        "ListMonitoringSchedules", "ListNotebookInstances", "ListProcessingJobs", "ListTags", "ListTrainingJobs",
        "ListTransformJobs", "Search"]),
    ("bedrock", LOWER, &["ListCustomModels", "ListEvaluationJobs", "ListGuardrails", "ListImportedModels",
        "ListModelCustomizationJobs", "ListModelInvocationJobs"]),
    ("bedrock-agent", LOWER, &["ListAgents", "ListDataSources", "ListFlows", "ListKnowledgeBases", "ListPrompts"]),
    ("cloudtrail", UPPER, &["ListTags", "ListTrails", "LookupEvents"]),
    ("cloudwatch", UPPER, &["DescribeAlarms", "ListMetrics"]),
    ("logs", LOWER, &["DescribeAccountPolicies", "DescribeDeliveries", "DescribeDeliveryDestinations",
        "DescribeDeliverySources", "DescribeLogGroups", "DescribeMetricFilters", "DescribeResourcePolicies",
        "DescribeSubscriptionFilters"]),
    ("kms", paged("Marker", "NextMarker"), &["ListAliases", "ListKeys"]),
    ("ec2", paged("NextToken", "nextToken"), &["DescribeFlowLogs", "DescribeInstances", "DescribeNetworkAcls",
        "DescribeNetworkInterfaces", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets",
        "DescribeVpcEndpointServices", "DescribeVpcEndpoints", "DescribeVpcPeeringConnections", "DescribeVpcs"]),
    ("s3", paged("ContinuationToken", "ContinuationToken"), &["ListBuckets"]),
    ("s3", paged("ContinuationToken", "NextContinuationToken"), &["ListObjectsV2"]),
];

/// Members of inputs that hold tokens.
pub(crate) const TOKENS: &[&str] = &["NextToken", "nextToken", "ContinuationToken", "Marker"];

/// How an operation hands out pages, if AWS hands it out in pages.
pub(crate) fn of(service: &str, operation: &str) -> Option<Paged> {
    let found = PAGED.iter().find(|(of, _, operations)| *of == service && operations.contains(&operation));
    found.map(|(_, paged, _)| *paged)
}

/// What tokens made here begin with.
const MARK: &str = "simulated-fault-";

/// What a request's token says of the pages before, once it is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Came {
    /// The empty page was given already.
    after_empty: bool,
    /// How many endless pages were given already.
    endless: u32,
}

/// Takes a token made here out of an input.
pub(crate) fn untangle(input: &mut Value) -> Came {
    let Some(members) = input.as_object_mut() else { return Came::default() };
    let Some(name) = TOKENS.iter().find(|name| members.get(**name).is_some_and(made_here)) else {
        return Came::default();
    };
    let token = members.shift_remove(*name);
    let rest = token.as_ref().and_then(Value::as_str).and_then(|token| token.strip_prefix(MARK)).unwrap_or("");
    if let Some(number) = rest.strip_prefix("endless-") {
        return Came { after_empty: false, endless: number.parse().unwrap_or(0) };
    }
    let before = rest.strip_prefix("empty-");
    if let Some(real) = before.filter(|real| !real.is_empty()) {
        members.insert((*name).to_owned(), Value::from(real));
    }
    Came { after_empty: before.is_some(), endless: 0 }
}

/// The token a request came with, to give back after an empty page.
pub(crate) fn token(input: &Value) -> &str {
    TOKENS.iter().find_map(|name| input.get(name)?.as_str()).unwrap_or("")
}

fn made_here(token: &Value) -> bool {
    token.as_str().is_some_and(|token| token.starts_with(MARK))
}

/// Spoils a page that was asked for with a token. Answers of operations without pages pass as they are.
pub(crate) fn tangle(answer: &mut Answer, kind: Kind, came: Came, paged: Option<Paged>, asked_with: &str) {
    let Some(paged) = paged else { return };
    let token = match kind {
        Kind::EmptyPageWithToken if !came.after_empty => format!("empty-{asked_with}"),
        Kind::RepeatToken => "again".to_owned(),
        Kind::EndlessToken => format!("endless-{}", came.endless + 1),
        _ => return,
    };
    let empty = kind == Kind::EmptyPageWithToken || came.endless > 0;
    let token = format!("{MARK}{token}");
    match answer {
        Answer::Json(Value::Object(members)) => {
            if empty {
                members.values_mut().filter_map(Value::as_array_mut).for_each(Vec::clear);
            }
            // KMS says of each page whether it is the last.
            if let Some(more) = members.get_mut("Truncated") {
                *more = Value::Bool(true);
            }
            members.insert(paged.answering.to_owned(), Value::from(token));
        }
        Answer::Xml(element) => element.page(empty, paged.answering, token),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::xml::Element;

    fn tangled(answer: Value, kind: Kind, came: Came, (service, operation): (&str, &str), asked_with: &str) -> Value {
        let mut answer = Answer::Json(answer);
        tangle(&mut answer, kind, came, of(service, operation), asked_with);
        let Answer::Json(answer) = answer else { panic!("another kind of answer") };
        answer
    }

    #[test]
    fn an_empty_page_comes_once_and_then_the_real_one() {
        let whole = json!({"Endpoints": [{}]});
        let list = ("sagemaker", "ListEndpoints");
        let page = tangled(whole.clone(), Kind::EmptyPageWithToken, Came::default(), list, "");
        assert_eq!(page["Endpoints"], json!([]));
        let mut input = json!({"NextToken": page["NextToken"], "MaxResults": 10});
        let came = untangle(&mut input);
        assert_eq!(input, json!({"MaxResults": 10}));
        assert_eq!(tangled(whole.clone(), Kind::EmptyPageWithToken, came, list, ""), whole);
    }

    #[test]
    fn tokens_are_in_the_members_that_aws_has_them_in() {
        let endless = |answer, of| tangled(answer, Kind::EndlessToken, Came::default(), of, "");
        let filters = endless(json!({"metricFilters": []}), ("logs", "DescribeMetricFilters"));
        assert!(filters["nextToken"].is_string(), "{filters}");
        let keys = endless(json!({"Keys": [], "Truncated": false}), ("kms", "ListKeys"));
        assert!(keys["NextMarker"].is_string() && keys["Truncated"] == true, "{keys}");
        let mut input = json!({"Marker": keys["NextMarker"]});
        assert_eq!(untangle(&mut input), Came { after_empty: false, endless: 1 });
    }

    #[test]
    fn pages_in_xml_lie_too() {
        let item = |name: &'static str| Element::new(name).with("Id", "1");
        let objects = Element::new("").with("KeyCount", "1").with("IsTruncated", "false").child(item("Contents"));
        let mut told = String::new();
        for (operation, answer) in [
            (("ec2", "DescribeSubnets"), Element::new("").child(Element::new("subnetSet").child(item("item")))),
            (("s3", "ListBuckets"), Element::new("").child(Element::new("Buckets").child(item("Bucket")))),
            (("s3", "ListObjectsV2"), objects),
            (("ec2", "DescribeRegions"), Element::new("").child(Element::new("regionInfo").child(item("item")))),
        ] {
            let mut answer = Answer::Xml(answer);
            let (service, operation) = operation;
            tangle(&mut answer, Kind::EmptyPageWithToken, Came::default(), of(service, operation), "x");
            let Answer::Xml(element) = answer else { panic!("another kind of answer") };
            element.renamed(operation).write(&mut told);
            told.push('\n');
        }
        let wanted = "\
<DescribeSubnets><subnetSet/><nextToken>simulated-fault-empty-x</nextToken></DescribeSubnets>
<ListBuckets><Buckets/><ContinuationToken>simulated-fault-empty-x</ContinuationToken></ListBuckets>
<ListObjectsV2><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated>\
<NextContinuationToken>simulated-fault-empty-x</NextContinuationToken></ListObjectsV2>
<DescribeRegions><regionInfo><item><Id>1</Id></item></regionInfo></DescribeRegions>
";
        assert_eq!(told, wanted);
    }

    #[test]
    fn answers_without_pages_pass_as_they_are() {
        for (operation, answer) in [
            (("cloudtrail", "DescribeTrails"), json!({"trailList": [{}]})),
            (("cloudtrail", "GetEventSelectors"), json!({"EventSelectors": [{}]})),
            (("sagemaker", "DescribeEndpoint"), json!({"ProductionVariants": [{}]})),
            (("sagemaker", "DescribeTrainingJob"), json!({"InputDataConfig": [{}]})),
            (("bedrock", "ListTagsForResource"), json!({"tags": [{}]})),
        ] {
            for kind in [Kind::EmptyPageWithToken, Kind::RepeatToken, Kind::EndlessToken] {
                assert_eq!(tangled(answer.clone(), kind, Came::default(), operation, ""), answer, "{operation:?}");
            }
        }
    }
}
