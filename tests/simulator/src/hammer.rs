//! A client that does nothing but sign, send and read to the end: how fast a sweep over this server could be at most.
//!
//! It asks what a sweep asks of a region without AI, in as many accounts and regions as it is told. What comes back is
//! counted, not understood.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::sessions::{USER_KEY, USER_SECRET, hex};
use crate::access::signature::{mac, signing_key};
use crate::estate::DEFAULT_REGIONS;

/// What is asked and how much of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://127.0.0.1:1234`
    pub url: String,
    pub requests: u64,
    /// Requests under way at a time, each on a connection of its own.
    pub connections: usize,
    /// Accounts to enter, the first of the organization.
    pub accounts: usize,
    pub regions: usize,
    /// The role to enter them with.
    pub role: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outcome {
    pub requests: u64,
    /// Answers other than 200.
    pub errors: u64,
    /// From the first request after all accounts were entered to the last answer.
    pub seconds: f64,
}

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0} is no URL")]
    Url(String),
    #[error("no connection to the server")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("the server broke off")]
    Broken(#[from] hyper::Error),
    #[error("{0} was not answered as it should be: {1}")]
    Answer(&'static str, String),
}

/// One request, unsigned.
struct Shape {
    /// The name it is signed for.
    service: &'static str,
    path: &'static str,
    query: &'static str,
    get: bool,
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
}

const AMZ_JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");

const fn sagemaker(target: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { service: "sagemaker", path: "/", query: "", get: false, headers: target, body: br#"{"MaxResults":100}"# }
}

const fn bedrock(path: &'static str, query: &'static str) -> Shape {
    Shape { service: "bedrock", path, query, get: true, headers: &[], body: b"" }
}

const fn agents(path: &'static str) -> Shape {
    let headers = &[("content-type", "application/json")];
    Shape { service: "bedrock", path, query: "", get: false, headers, body: br#"{"maxResults":100}"# }
}

const fn metrics(body: &'static [u8]) -> Shape {
    Shape {
        service: "monitoring",
        path: "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        query: "",
        get: false,
        headers: &[("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")],
        body,
    }
}

/// What a sweep asks of a region in which there turns out to be no AI.
const IDLE_REGION: &[Shape] = &[
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListEndpoints")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListModels")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListTrainingJobs")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListProcessingJobs")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListTransformJobs")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListHyperParameterTuningJobs")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListAutoMLJobs")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListNotebookInstances")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListDomains")]),
    sagemaker(&[AMZ_JSON, ("x-amz-target", "SageMaker.ListFeatureGroups")]),
    bedrock("/logging/modelinvocations", ""),
    bedrock("/model-customization-jobs", "maxResults=100"),
    bedrock("/imported-models", "maxResults=100"),
    bedrock("/model-invocation-jobs", "maxResults=100"),
    bedrock("/evaluation-jobs", "maxResults=100"),
    bedrock("/guardrails", "maxResults=100"),
    agents("/agents/"),
    agents("/knowledgebases/"),
    Shape { service: "bedrock", path: "/flows", query: "maxResults=100", get: true, headers: &[], body: b"" },
    // {"Namespace": "AWS/Bedrock"} and {"Namespace": "AWS/BedrockMantle"} in CBOR.
    metrics(b"\xa1\x69Namespace\x6bAWS/Bedrock"),
    metrics(b"\xa1\x69Namespace\x71AWS/BedrockMantle"),
    Shape {
        service: "cloudtrail",
        path: "/",
        query: "",
        get: false,
        headers: &[AMZ_JSON, ("x-amz-target", "CloudTrail_20131101.DescribeTrails")],
        body: b"{}",
    },
];

/// Credentials.
struct Keys {
    access_key: String,
    secret: String,
    token: Option<String>,
}

/// The connections, and where they lead.
struct Pool {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    host: String,
}

/// The keys derived from a secret for the services of one region.
type Derived = HashMap<&'static str, [u8; 32]>;

/// Sends the requests and measures.
///
/// # Errors
/// The server cannot be reached, or does not let the accounts be entered.
pub async fn run(plan: &Plan) -> Result<Outcome, Failure> {
    let host = plan.url.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let host = host.ok_or_else(|| Failure::Url(plan.url.clone()))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(60)).build(connector);
    let pool = Arc::new(Pool { client, url: plan.url.clone(), host });
    let sessions = Arc::new(enter(&pool, plan).await?);
    let regions = plan.regions.clamp(1, DEFAULT_REGIONS.len());
    let per_region = IDLE_REGION.len() as u64;
    let (next, sent, errors) = (Arc::new(AtomicUsize::new(0)), AtomicU64::new(0), AtomicU64::new(0));
    let counters = Arc::new((sent, errors));
    let started = Instant::now();
    let workers = (0..plan.connections).map(|_| {
        let (pool, sessions, next, counters) = (pool.clone(), sessions.clone(), next.clone(), counters.clone());
        let requests = plan.requests;
        tokio::spawn(async move {
            loop {
                let unit = next.fetch_add(1, Ordering::Relaxed);
                let before = unit as u64 * per_region;
                if before >= requests {
                    return Ok::<(), Failure>(());
                }
                let keys = &sessions[unit / regions % sessions.len()];
                let region = DEFAULT_REGIONS[unit % regions];
                let mut derived = Derived::new();
                for shape in IDLE_REGION.iter().take((requests - before).min(per_region) as usize) {
                    let (status, _) = pool.send(shape, region, keys, &mut derived).await?;
                    counters.0.fetch_add(1, Ordering::Relaxed);
                    counters.1.fetch_add(u64::from(status != 200), Ordering::Relaxed);
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.map_err(|error| Failure::Answer("a worker", error.to_string()))??;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (requests, errors) = (counters.0.load(Ordering::Relaxed), counters.1.load(Ordering::Relaxed));
    Ok(Outcome { requests, errors, seconds })
}

/// Sessions of the first accounts that can be entered.
async fn enter(pool: &Pool, plan: &Plan) -> Result<Vec<Keys>, Failure> {
    const HOME: &str = "us-east-1";
    let caller = Keys { access_key: USER_KEY.to_owned(), secret: USER_SECRET.to_owned(), token: None };
    let mut derived = Derived::new();
    let mut accounts = Vec::new();
    let mut token = Value::Null;
    while accounts.len() < plan.accounts {
        let headers = &[AMZ_JSON, ("x-amz-target", "AWSOrganizationsV20161128.ListAccounts")];
        let shape = Shape { service: "organizations", path: "/", query: "", get: false, headers, body: b"" };
        let body = if token.is_null() { "{}".to_owned() } else { serde_json::json!({"NextToken": token}).to_string() };
        let (_, answer) = pool.send_body(&shape, Bytes::from(body), HOME, &caller, &mut derived).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let listed = answer.get("Accounts").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| Failure::Answer("ListAccounts", answer.to_string()))?;
        accounts.extend(listed.iter().filter_map(|account| account.get("Id")?.as_str().map(str::to_owned)));
        token = answer.get("NextToken").cloned().unwrap_or(Value::Null);
        if token.is_null() {
            break;
        }
    }
    let mut sessions = Vec::new();
    for account in accounts.iter().take(plan.accounts) {
        let headers = &[("content-type", "application/x-www-form-urlencoded")];
        let shape = Shape { service: "sts", path: "/", query: "", get: false, headers, body: b"" };
        let role = format!("arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2F{}", plan.role);
        let body = format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=hammer&RoleArn={role}");
        let (status, answer) = pool.send_body(&shape, Bytes::from(body), HOME, &caller, &mut derived).await?;
        if status == 200 {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            sessions.push(read_keys(&answer).ok_or(Failure::Answer("AssumeRole", answer))?);
        }
    }
    if sessions.is_empty() {
        return Err(Failure::Answer("AssumeRole", "no account lets itself be entered".to_owned()));
    }
    Ok(sessions)
}

fn read_keys(answer: &str) -> Option<Keys> {
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(text, _)| text.to_owned())
    };
    let (access_key, secret) = (element("AccessKeyId")?, element("SecretAccessKey")?);
    Some(Keys { access_key, secret, token: Some(element("SessionToken")?) })
}

impl Pool {
    async fn send(
        &self,
        shape: &Shape,
        region: &str,
        keys: &Keys,
        derived: &mut Derived,
    ) -> Result<(u16, Bytes), Failure> {
        self.send_body(shape, Bytes::from_static(shape.body), region, keys, derived).await
    }

    async fn send_body(
        &self,
        shape: &Shape,
        body: Bytes,
        region: &str,
        keys: &Keys,
        derived: &mut Derived,
    ) -> Result<(u16, Bytes), Failure> {
        let request = self.signed(shape, body, region, keys, derived);
        let request = request.map_err(|error| Failure::Answer("a request", error.to_string()))?;
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    fn signed(
        &self,
        shape: &Shape,
        body: Bytes,
        region: &str,
        keys: &Keys,
        derived: &mut Derived,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &stamp[..8];
        let digest = hex(&Sha256::digest(&body));
        let mut headers: Vec<(&str, &str)> = shape.headers.to_vec();
        headers.extend([("host", &*self.host), ("x-amz-content-sha256", &*digest), ("x-amz-date", &*stamp)]);
        headers.extend(keys.token.iter().map(|token| ("x-amz-security-token", &**token)));
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = String::with_capacity(768);
        let method = if shape.get { "GET" } else { "POST" };
        canonical.extend([method, "\n", shape.path, "\n", shape.query, "\n"]);
        headers.iter().for_each(|(name, value)| canonical.extend([name, ":", value, "\n"]));
        canonical.extend(["\n", &names, "\n", &digest]);
        let scope = format!("{date}/{region}/{}/aws4_request", shape.service);
        let canonical = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}");
        let key =
            derived.entry(shape.service).or_insert_with(|| signing_key(&keys.secret, date, region, shape.service));
        let signature = hex(&mac(&*key, &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            keys.access_key
        );
        let mark = if shape.query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{mark}{}", self.url, shape.path, shape.query);
        let mut request = Request::builder().method(method).uri(uri).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(Full::new(body))
    }
}
