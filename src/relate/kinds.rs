//! The kinds of resource that checks judge, and the fields each one has. This is the published schema of checks.
//!
//! Every field that a call could fail to give is unknown then, whatever its type; nullable ones are null when AWS
//! says there is none. Traps that peers fall into are decided here once, so that checks stay one line a criterion.

use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told};
use crate::model::time::Moment;
use crate::model::value::{Judged, Type};
use crate::record;

/// A kind: its name in checks, what it is, and its type.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub doc: &'static str,
    pub ty: fn() -> Type,
    /// Instances exist once per source they carry, and a check sees the instance of its own source.
    pub carrier: bool,
}

/// Every kind, in the order of the documentation.
pub const KINDS: &[Kind] = &[
    Kind { name: "account", doc: "An account of the sweep.", ty: AccountView::ty, carrier: false },
    Kind {
        name: "account_region",
        doc: "An enabled region of an account; what CloudTrail records there.",
        ty: AccountRegion::ty,
        carrier: false,
    },
    Kind {
        name: "trail",
        doc: "A trail, judged once, in the account that owns it.",
        ty: TrailView::ty,
        carrier: false,
    },
    Kind { name: "bedrock_region", doc: "Bedrock in one region of an account.", ty: BedrockView::ty, carrier: false },
    Kind { name: "endpoint", doc: "A live SageMaker endpoint.", ty: EndpointView::ty, carrier: false },
    Kind { name: "notebook", doc: "A SageMaker notebook instance.", ty: NotebookView::ty, carrier: false },
    Kind { name: "ai_bucket", doc: "A bucket that AI workloads use.", ty: AiBucket::ty, carrier: false },
    Kind {
        name: "evidence_bucket",
        doc: "A bucket that evidence of AI workloads lands in; one instance per source it holds.",
        ty: EvidenceBucket::ty,
        carrier: true,
    },
    Kind { name: "ai_vpc", doc: "A customer VPC that AI workloads run in.", ty: AiVpc::ty, carrier: false },
    Kind {
        name: "log_group",
        doc: "A log group that evidence of AI workloads lands in; one instance per source it holds.",
        ty: LogGroupView::ty,
        carrier: true,
    },
];

/// Looks a kind up by its name in checks.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

record! {
    /// `account` in every expression, and the kind of the same name.
    pub struct AccountView {
        /// Account id.
        id: AccountId,
        /// Name in the organization.
        name: Option<String>,
        /// The account runs AI workloads or uses Bedrock models.
        has_ai: Told<bool>,
    }
}

record! {
    /// What the union of all trails records of management events in one region of one account.
    pub struct AccountRegion {
        /// Region code.
        region: Region,
        /// Logging trails record read management events, such as InvokeModel, of AI services and those they rest on.
        read_recorded: Told<bool>,
        /// Logging trails record write management events of AI services and those they rest on.
        write_recorded: Told<bool>,
        /// Event sources whose reads or writes all trails together leave out, such as kms.amazonaws.com.
        excluded_sources: Told<Vec<String>>,
        /// Events of global services (IAM, STS) are recorded for the account.
        global_recorded: Told<bool>,
        /// ARNs of the trails that record here.
        trails: Vec<String>,
    }
}

record! {
    /// A trail.
    pub struct TrailView {
        /// Trail name.
        name: String,
        /// It records accounts that run AI workloads.
        covers_ai: Told<bool>,
        /// It is an organization trail.
        organization: Told<bool>,
        /// Logging is switched on.
        logging: Told<bool>,
        /// The later of the last log and the last digest delivery; null = never delivered.
        delivered: Observed<Moment>,
        /// Error of the last delivery of logs or digests; null = none.
        delivery_error: Observed<String>,
        /// Log file validation is on.
        validation: Told<bool>,
        /// The destination bucket exists.
        bucket_exists: Told<bool>,
        /// Destination bucket name.
        bucket: Observed<String>,
        /// The key that encrypts its logs is enabled; null = no customer key.
        key_usable: Observed<bool>,
        /// Since when it logs without a stop.
        since: Observed<Moment>,
    }
}

record! {
    /// A bucket as a destination.
    pub struct BucketSink {
        /// Bucket name.
        bucket: String,
        /// The bucket exists.
        exists: Observed<bool>,
        /// It belongs to the account that writes to it.
        same_account: Observed<bool>,
        /// It is in the region that writes to it.
        same_region: Observed<bool>,
        /// Its policy denies whatever would be written to it; null = it has none.
        refused: Observed<bool>,
    }
}

record! {
    /// A log group as a destination.
    pub struct LogGroupSink {
        /// Log group name.
        log_group: String,
        /// The group exists.
        exists: Observed<bool>,
    }
}

record! {
    /// Bedrock model invocation logging as configured.
    pub struct InvocationLoggingView {
        /// Bucket that records go to.
        s3: Option<BucketSink>,
        /// Log group that records go to.
        cloudwatch: Option<LogGroupSink>,
        /// Bucket for bodies too large for CloudWatch.
        large_bodies_s3: Option<BucketSink>,
        /// Text is delivered.
        text: Option<bool>,
        /// Images are delivered.
        image: Option<bool>,
        /// Embeddings are delivered.
        embedding: Option<bool>,
        /// Video is delivered.
        video: Option<bool>,
        /// Audio is delivered.
        audio: Option<bool>,
    }
}

record! {
    /// Modalities that invoked models take or give; unknown for models not in the table.
    pub struct Modalities {
        /// Text.
        text: Told<bool>,
        /// Images.
        image: Told<bool>,
        /// Embeddings.
        embedding: Told<bool>,
        /// Video.
        video: Told<bool>,
        /// Audio.
        audio: Told<bool>,
    }
}

record! {
    /// A type of data event that resources present in the region can emit.
    pub struct DataEventType {
        /// CloudTrail resources.type, e.g. AWS::Bedrock::AgentAlias.
        resource_type: String,
        /// Trails of the account record all of its events here.
        recorded: Told<bool>,
    }
}

record! {
    /// Bedrock in one region of an account.
    pub struct BedrockView {
        /// Region code.
        region: Region,
        /// Models are invoked, resources exist, or logging is configured.
        in_use: Told<bool>,
        /// How far back use would have been seen, for messages.
        in_use_window: Option<String>,
        /// Invocation logging; null = not configured.
        logging: Observed<InvocationLoggingView>,
        /// What invoked models take and give.
        modalities: Told<Modalities>,
        /// CloudWatch lists a successful delivery of invocation records in about the last two weeks, and no configured
        /// destination only fails.
        delivery_succeeded: Observed<bool>,
        /// A configured destination is listed to fail in about the last two weeks, and never to succeed.
        delivery_failed: Observed<bool>,
        /// Data event types of agents, knowledge bases, flows, guardrails and mantle present here.
        data_events: Told<Vec<DataEventType>>,
        /// A service control policy denies Bedrock here, as far as the audit role can tell.
        denied_by_scp: Observed<bool>,
    }
}

record! {
    /// Data capture of an endpoint, live state over configuration.
    pub struct CaptureView {
        /// Switched on.
        enabled: Told<bool>,
        /// Running: CaptureStatus is Started.
        started: Told<bool>,
        /// Percent of requests captured.
        sampling: Told<i64>,
        /// Requests are captured.
        input: Told<bool>,
        /// Answers are captured.
        output: Told<bool>,
        /// Destination bucket.
        destination: Told<BucketSink>,
        /// The key that capture itself names to encrypt with is enabled; null = it names none.
        key_usable: Observed<bool>,
    }
}

record! {
    /// A live SageMaker endpoint.
    pub struct EndpointView {
        /// Endpoint name.
        name: String,
        /// EndpointStatus, e.g. InService.
        status: Option<String>,
        /// Every variant is serverless, for which AWS cannot capture.
        serverless: Told<bool>,
        /// Requests and answers pass through S3 anyway.
        asynchronous: Told<bool>,
        /// Data capture; null = never configured.
        capture: Observed<CaptureView>,
        /// Trails of the account record InvokeEndpoint (AWS::SageMaker::Endpoint) of it.
        data_events: Told<bool>,
        /// It was invoked in about the last two weeks.
        invoked: Told<bool>,
        /// Its log group /aws/sagemaker/Endpoints/<name> exists.
        log_group_exists: Told<bool>,
    }
}

record! {
    /// A SageMaker notebook instance.
    pub struct NotebookView {
        /// Notebook name.
        name: String,
        /// NotebookInstanceStatus.
        status: Option<String>,
        /// All its traffic passes a customer VPC.
        in_customer_vpc: Told<bool>,
        /// The log group /aws/sagemaker/NotebookInstances exists.
        log_group_exists: Told<bool>,
    }
}

record! {
    /// Where a bucket's server access log goes, and whether it can arrive there.
    pub struct AccessLogView {
        /// Target bucket.
        target: String,
        /// The target exists.
        target_exists: Told<bool>,
        /// The target belongs to the same account; AWS delivers nowhere else.
        same_account: Told<bool>,
        /// The target is in the same region; AWS delivers nowhere else.
        same_region: Told<bool>,
        /// The target is the bucket itself.
        itself: bool,
        /// The target has Object Lock with a default retention, which refuses access logs.
        target_locked: Told<bool>,
        /// The target is encrypted with a KMS key by default, which refuses access logs.
        target_kms: Told<bool>,
        /// Policy or ACL of the target lets the log delivery service write.
        admitted: Told<bool>,
    }
}

record! {
    /// A bucket that AI workloads use.
    pub struct AiBucket {
        /// Bucket name.
        name: String,
        /// What it holds: training, artifact, capture, app_data, log.
        roles: Vec<String>,
        /// It exists.
        exists: Told<bool>,
        /// AWS owns it: samples, JumpStart.
        aws_owned: bool,
        /// Trails of the owner record every object read.
        reads_recorded: Told<bool>,
        /// Trails of the owner record every object write.
        writes_recorded: Told<bool>,
        /// Server access logging; null = off.
        access_log: Observed<AccessLogView>,
        /// Access logs are delivered through CloudWatch Logs instead or as well.
        access_delivery: Told<bool>,
        /// Enabled or Suspended; null = never enabled.
        versioning: Observed<String>,
        /// Days a noncurrent version is kept by lifecycle rules; null = for ever.
        noncurrent_days: Observed<i64>,
        /// The key it is encrypted with is enabled; null = no customer key.
        key_usable: Observed<bool>,
    }
}

record! {
    /// A default retention of Object Lock.
    pub struct LockView {
        /// GOVERNANCE or COMPLIANCE.
        mode: String,
        /// Days.
        days: i64,
    }
}

record! {
    /// Copies of evidence that replication makes.
    pub struct CopyView {
        /// Days they live, of each prefix the copy that lives longest; null = for ever.
        retention_days: Observed<i64>,
    }
}

record! {
    /// A bucket evidence lands in, as the holder of one source.
    pub struct EvidenceBucket {
        /// Bucket name.
        name: String,
        /// The source this instance is about.
        source: String,
        /// It exists.
        exists: Told<bool>,
        /// Days an object lives at the prefixes of this source, by lifecycle and lock; null = for ever.
        retention_days: Observed<i64>,
        /// Default retention mode of Object Lock, GOVERNANCE or COMPLIANCE; null = no default retention.
        lock_mode: Observed<String>,
        /// Days of the default retention; null = no default retention.
        lock_days: Observed<i64>,
        /// It also receives server access logs or AWS Config, or is open to them: a default retention would refuse them.
        lock_impossible: Told<bool>,
        /// Versioning is enabled.
        versioned: Told<bool>,
        /// Days a noncurrent version is kept; null = for ever.
        noncurrent_days: Observed<i64>,
        /// Deleting a version needs MFA.
        mfa_delete: Told<bool>,
        /// The policy denies deletion to everyone but named roles.
        deletion_denied: Told<bool>,
        /// The weakest lock of copies of its prefixes, where enabled rules replicate them to: its own default retention if
        /// it has one, else that of the bucket they go to; null = some prefix has no locked copy.
        replica_lock: Observed<LockView>,
        /// Copies of its prefixes, where enabled rules replicate all of each to a bucket that takes them; null = some prefix
        /// has none.
        replica: Observed<CopyView>,
        /// It is out of reach of the accounts whose evidence it holds, by owner or by replication.
        other_account: Told<bool>,
        /// The key it is encrypted with is enabled; null = no customer key.
        key_usable: Observed<bool>,
    }
}

record! {
    /// A subnet AI workloads run in, and what flow logs record of it.
    pub struct AiSubnet {
        /// Subnet id.
        id: String,
        /// Active flow logs record accepted traffic.
        accept: Told<bool>,
        /// Active flow logs record rejected traffic.
        reject: Told<bool>,
        /// Logs that deliver to an existing destination record accepted traffic.
        accept_delivered: Told<bool>,
        /// Logs that deliver to an existing destination record rejected traffic.
        reject_delivered: Told<bool>,
        /// The records have the version 2 fields.
        v2_fields: Told<bool>,
        /// The records have the version 3 and 5 fields that name packets' real ends and direction.
        v5_fields: Told<bool>,
    }
}

record! {
    /// A customer VPC that AI workloads run in.
    pub struct AiVpc {
        /// VPC id.
        id: String,
        /// The subnets workloads use.
        subnets: Told<Vec<AiSubnet>>,
    }
}

record! {
    /// A bucket that holds the same records.
    pub struct BucketCopy {
        /// Bucket name.
        bucket: String,
        /// Days an object lives there; null = for ever.
        retention_days: Observed<i64>,
        /// Days of the default retention of Object Lock; null = no default retention.
        lock_days: Observed<i64>,
    }
}

record! {
    /// A log group evidence lands in, as the holder of one source.
    pub struct LogGroupView {
        /// Log group name.
        name: String,
        /// The source this instance is about.
        source: String,
        /// It exists.
        exists: Told<bool>,
        /// Days an event is kept; null = for ever.
        retention_days: Observed<i64>,
        /// Deletion protection is on.
        deletion_protection: Told<bool>,
        /// A subscription keeps a copy of every event; unknown where its end is not followed.
        subscribed: Told<bool>,
        /// A bucket that receives every record too, as Bedrock can; null = none.
        bucket_copy: Observed<BucketCopy>,
        /// The key it is encrypted with is enabled; null = no customer key.
        key_usable: Observed<bool>,
    }
}
