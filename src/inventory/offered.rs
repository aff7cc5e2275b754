//! Where AWS offers what AI runs on.
//!
//! A name that does not resolve, or an operation that a server does not know, may be a region without the service or
//! something in between that is broken. Where AWS does not say it offers it, such an answer is believed: there is none.
//! A region missing here costs nothing as long as the service answers there.
//!
//! Sources, as of 2026-11: <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints-region-availability.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/agents-supported.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/flows-supported.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/evaluation-support.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/custom-model-fine-tuning.html>, and for SageMaker and other
//! partitions the endpoints that botocore 1.40 lists. me-south-1 and mx-central-1, and some regions of the parts, are
//! counted in without having been seen there: too many costs an unknown, too few may hide something.

use crate::model::ids::Region;
use crate::model::observed::{Unknown, Why};

/// Regions of `bedrock:`.
const BEDROCK: &[&str] = &[
    "af-south-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-west-1",
    "us-west-2",
];

/// Of these, regions without `bedrock-agent:`.
const NO_BEDROCK_AGENT: &[&str] = &[
    "af-south-1",
    "ap-east-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "us-iso-east-1",
    "us-west-1",
];

/// Regions with it that have flows and no agents.
const NO_AGENTS: &[&str] = &["ap-northeast-3", "ap-south-2", "eu-north-1", "eu-south-1", "eu-south-2", "us-gov-east-1"];

/// Parts of Bedrock that some of its regions lack, by the calls that list what they leave, and where AWS says they are.
/// These speak for an operation that a server does not know and for nothing else: its host is there.
const PARTS: &[(&str, &[&str])] = &[
    ("bedrock:ListEvaluationJobs", EVALUATION),
    ("bedrock:ListImportedModels", IMPORT),
    ("bedrock:ListModelCustomizationJobs", CUSTOMIZATION),
];

const EVALUATION: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-central-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-2",
];

const IMPORT: &[&str] = &["eu-central-1", "us-east-1", "us-east-2", "us-gov-west-1", "us-west-2"];

/// Jobs run where models are trained; copies of models may go further.
const CUSTOMIZATION: &[&str] = &[
    "ap-northeast-1",
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-east-2",
    "us-gov-west-1",
    "us-west-2",
];

/// Regions without SageMaker, in partitions whose other regions have it.
const NO_SAGEMAKER: &[&str] = &["ap-southeast-6", "us-iso-west-1", "us-isob-west-1"];

/// Whether AWS says it offers a call in a region, `service:Operation`. Services that every region has are offered.
pub fn offered(call: &str, region: &Region) -> bool {
    let (service, operation) = call.split_once(':').unwrap_or((call, ""));
    let region = region.as_str();
    match service {
        "bedrock" => BEDROCK.contains(&region),
        "bedrock-agent" if operation.ends_with("Agents") && NO_AGENTS.contains(&region) => false,
        "bedrock-agent" => BEDROCK.contains(&region) && !NO_BEDROCK_AGENT.contains(&region),
        "sagemaker" => !NO_SAGEMAKER.contains(&region),
        _ => true,
    }
}

/// Whether an answer says that a region has nothing of what a call would have told, because it lacks the service.
pub fn lacks(region: &Region, unknown: &Unknown) -> bool {
    let part = PARTS.iter().find(|(call, _)| *call == unknown.call);
    let lacks_part = part.is_some_and(|(_, regions)| !regions.contains(&region.as_str()));
    unknown.why == Why::ServiceAbsent && (lacks_part || !offered(&unknown.call, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_service_is_believed_only_where_aws_does_not_offer_it() {
        let table = [
            ("bedrock-agent:ListFlows", "us-west-1", false),
            ("bedrock-agent:ListFlows", "eu-north-1", true),
            ("bedrock-agent:ListAgents", "eu-north-1", false),
            ("bedrock-agent:ListAgents", "eu-west-1", true),
            ("bedrock:ListGuardrails", "us-west-1", true),
            ("bedrock:ListGuardrails", "ap-east-1", false),
            ("sagemaker:ListModels", "ap-east-1", true),
            ("cloudtrail:DescribeTrails", "ap-east-1", true),
        ];
        for (call, region, offers) in table {
            let region = Region::from(region);
            assert_eq!(offered(call, &region), offers, "{call} {region}");
            assert_eq!(lacks(&region, &Unknown::new(call, Why::ServiceAbsent)), !offers, "{call} {region}");
            assert!(!lacks(&region, &Unknown::new(call, Why::Failed)), "{call} {region}");
        }
    }

    /// Bedrock answers there, so that its silence would be a failure.
    #[test]
    fn a_part_that_a_region_lacks_is_offered_and_lacking() {
        let region = Region::from("us-west-1");
        let unknown = Unknown::new("bedrock:ListEvaluationJobs", Why::ServiceAbsent);
        assert!(offered(&unknown.call, &region) && lacks(&region, &unknown));
        assert!(!lacks(&Region::from("us-west-2"), &unknown));
    }
}
