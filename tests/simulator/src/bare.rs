//! A bare client: signs, sends, reads, and does nothing with what it read. It shows how many calls a second this
//! machine can make of this server at all, and what one costs; sweeps are compared with it.
//!
//! It asks what a sweep asks of every region, or the very requests that a sweep made, as sessions of the audit role, and
//! does not repeat what failed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::method::InvalidMethod;
use hyper::{HeaderMap, Method};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;

use crate::access::sessions::{USER_KEY, USER_SECRET};
use crate::access::signature::{Key, sign};
use crate::estate::DEFAULT_REGIONS;
use crate::server::recording::{Recorded, member};
use crate::wire::Request;

/// What to ask, and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// Of the server.
    pub url: String,
    /// Role to enter accounts by.
    pub role: String,
    /// Accounts to spread the calls over; the first ones listed.
    pub accounts: usize,
    /// Regions of each, the first of the default ones.
    pub regions: usize,
    /// Make the requests that were recorded here instead.
    pub replay: Option<PathBuf>,
    /// Requests under way at a time.
    pub at_a_time: usize,
    pub threads: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub calls: u64,
    pub failed: u64,
    pub elapsed: Duration,
    /// Of this process, where the system tells.
    pub cpu: Option<Duration>,
}

/// A call: what it is signed for, method, path, its target or else its type, and body.
struct Ask {
    service: &'static str,
    method: Method,
    path: &'static str,
    target: Option<&'static str>,
    kind: &'static str,
    body: &'static [u8],
}

const JSON: &str = "application/x-amz-json-1.1";

const fn json(service: &'static str, target: &'static str) -> Ask {
    Ask { service, method: Method::POST, path: "/", target: Some(target), kind: JSON, body: b"{}" }
}

const fn rest(method: Method, path: &'static str) -> Ask {
    let body: &[u8] = if matches!(method, Method::POST) { b"{}" } else { b"" };
    Ask { service: "bedrock", method, path, target: None, kind: "application/json", body }
}

/// What a sweep asks of every region, most of them the first page of a list.
static ASKS: &[Ask] = &[
    json("sagemaker", "SageMaker.ListEndpoints"),
    json("sagemaker", "SageMaker.ListModels"),
    json("sagemaker", "SageMaker.ListTrainingJobs"),
    json("sagemaker", "SageMaker.ListProcessingJobs"),
    json("sagemaker", "SageMaker.ListTransformJobs"),
    json("sagemaker", "SageMaker.ListHyperParameterTuningJobs"),
    json("sagemaker", "SageMaker.ListAutoMLJobs"),
    json("sagemaker", "SageMaker.ListNotebookInstances"),
    json("sagemaker", "SageMaker.ListDomains"),
    json("sagemaker", "SageMaker.ListFeatureGroups"),
    rest(Method::GET, "/logging/modelinvocations"),
    rest(Method::GET, "/model-customization-jobs"),
    rest(Method::GET, "/imported-models"),
    rest(Method::GET, "/model-invocation-jobs"),
    rest(Method::GET, "/evaluation-jobs"),
    rest(Method::GET, "/guardrails"),
    rest(Method::POST, "/agents/"),
    rest(Method::POST, "/knowledgebases/"),
    rest(Method::GET, "/flows/"),
    json("cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails"),
    json("monitoring", "GraniteServiceVersion20100801.ListMetrics"),
];

/// A session of the role, or the user who starts.
#[derive(Clone, Debug)]
struct Credentials {
    access_key: String,
    secret: String,
    token: Option<String>,
}

/// A request to be made.
struct Prepared {
    key: Arc<Credentials>,
    service: Arc<str>,
    region: Arc<str>,
    request: Request,
}

struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    url: String,
    host: HeaderValue,
}

/// Makes all calls and says how long it took. Accounts are entered before the clock starts.
pub fn run(load: &Load) -> Result<Measured, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(load.threads.max(1))
        .enable_all()
        .build()
        .map_err(|error| format!("no threads: {error}"))?;
    runtime.block_on(measure(load))
}

async fn measure(load: &Load) -> Result<Measured, String> {
    let client = Arc::new(Client::new(&load.url)?);
    let user = Credentials { access_key: USER_KEY.to_owned(), secret: USER_SECRET.to_owned(), token: None };
    let all = Arc::new(match &load.replay {
        Some(path) => recorded(&client, user, path).await?,
        None => listed(&client, user, load).await?,
    });
    let (next, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let (started, cpu) = (Instant::now(), cpu());
    let calls = all.len();
    let workers = (0..load.at_a_time.max(1)).map(|_| {
        let (client, all, next, failed) = (client.clone(), all.clone(), next.clone(), failed.clone());
        tokio::spawn(async move {
            while let Some(Prepared { key, service, region, request }) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                match client.send(key, service, region, request.clone()).await {
                    Ok((200, _)) => {}
                    _ => _ = failed.fetch_add(1, Ordering::Relaxed),
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.map_err(|error| error.to_string())?;
    }
    Ok(Measured {
        calls: calls as u64,
        failed: failed.load(Ordering::Relaxed),
        elapsed: started.elapsed(),
        cpu: self::cpu().zip(cpu).map(|(after, before)| after.saturating_sub(before)),
    })
}

/// What a sweep asks of every region, most of it first pages. Regions go round fastest, so that no account is asked
/// everything at once.
async fn listed(client: &Client, user: Credentials, load: &Load) -> Result<Vec<Prepared>, String> {
    let sessions: Vec<Arc<Credentials>> = sessions(client, &user, load).await?.into_iter().map(Arc::new).collect();
    let mut all = Vec::new();
    for region in DEFAULT_REGIONS.iter().take(load.regions) {
        let region: Arc<str> = Arc::from(*region);
        for key in &sessions {
            all.extend(ASKS.iter().map(|ask| {
                let body = Bytes::from_static(ask.body);
                let request = client.request(ask.method.clone(), ask.path, ask.target, ask.kind, body);
                Prepared { key: key.clone(), service: Arc::from(ask.service), region: region.clone(), request }
            }));
        }
    }
    Ok(all)
}

/// The requests of a recording, in its order. The sessions that it made are made anew, before the clock starts.
async fn recorded(client: &Client, user: Credentials, path: &Path) -> Result<Vec<Prepared>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let mut keys = HashMap::from([(USER_KEY.to_owned(), Arc::new(user))]);
    let mut all = Vec::new();
    for line in text.lines() {
        let recorded: Recorded = serde_json::from_str(line).map_err(|error| failed(&error))?;
        let mut headers = HeaderMap::new();
        headers.insert("host", client.host.clone());
        for (name, value) in &recorded.headers {
            let name = HeaderName::try_from(name).map_err(|error| failed(&error))?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|error| failed(&error))?);
        }
        let request = Request {
            method: recorded.method.parse().map_err(|error: InvalidMethod| failed(&error))?,
            path: recorded.path,
            query: recorded.query,
            headers,
            body: Bytes::from(recorded.body),
        };
        // In the order of their answers: who asks in a session comes after whoever made it.
        let Some(key) = keys.get(&recorded.access_key).cloned() else {
            return Err(failed(&format!("nobody made the session {}", recorded.access_key)));
        };
        let (service, region) = (Arc::from(recorded.service), Arc::from(recorded.region));
        if let Some(made) = recorded.made {
            let (_, answer) = client.send(&key, &service, &region, request.clone()).await?;
            keys.insert(made, Arc::new(entered(&answer).ok_or("an account lets nobody in any more")?));
        }
        all.push(Prepared { key, service, region, request });
    }
    Ok(all)
}

/// A session in each of the first accounts that can be entered.
async fn sessions(client: &Client, user: &Credentials, load: &Load) -> Result<Vec<Credentials>, String> {
    let mut sessions = Vec::new();
    let mut token = None;
    loop {
        let body = token.map_or_else(|| "{}".to_owned(), |token| format!("{{\"NextToken\":\"{token}\"}}"));
        let target = Some("AWSOrganizationsV20161128.ListAccounts");
        let request = client.request(Method::POST, "/", target, JSON, Bytes::from(body));
        let (status, answer) = client.send(user, "organizations", "us-east-1", request).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        if status != 200 {
            return Err(format!("the accounts cannot be listed: {answer}"));
        }
        for account in answer["Accounts"].as_array().into_iter().flatten().filter_map(|one| one["Id"].as_str()) {
            if sessions.len() == load.accounts {
                return Ok(sessions);
            }
            sessions.extend(enter(client, user, account, &load.role).await?);
        }
        match answer["NextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None if sessions.is_empty() => return Err(format!("no account lets {} in", load.role)),
            None => return Ok(sessions),
        }
    }
}

/// None for an account that lets nobody in.
async fn enter(client: &Client, user: &Credentials, account: &str, role: &str) -> Result<Option<Credentials>, String> {
    let arn = format!("arn:aws:iam::{account}:role/{role}");
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleSessionName", "bare")])
        .append_pair("RoleArn", &arn)
        .finish();
    let kind = "application/x-www-form-urlencoded";
    let request = client.request(Method::POST, "/", None, kind, Bytes::from(form));
    let (_, answer) = client.send(user, "sts", "us-east-1", request).await?;
    Ok(entered(&answer))
}

/// The session that AssumeRole answers with.
fn entered(answer: &[u8]) -> Option<Credentials> {
    let (access_key, secret) = (member(answer, "AccessKeyId")?, member(answer, "SecretAccessKey")?);
    Some(Credentials { access_key, secret, token: member(answer, "SessionToken") })
}

impl Client {
    fn new(url: &str) -> Result<Self, String> {
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            url: format!("http://{host}"),
            host: HeaderValue::from_str(host).map_err(|_| format!("{url} is no URL of a simulator"))?,
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        target: Option<&'static str>,
        kind: &'static str,
        body: Bytes,
    ) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("host", self.host.clone());
        headers.insert("content-type", HeaderValue::from_static(kind));
        if let Some(target) = target {
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        Request { method, path: path.to_owned(), query: String::new(), headers, body }
    }

    async fn send(
        &self,
        key: &Credentials,
        service: &str,
        region: &str,
        mut request: Request,
    ) -> Result<(u16, Bytes), String> {
        let key = Key { access_key: &key.access_key, secret: &key.secret, token: key.token.as_deref() };
        sign(&mut request, &key, service, region, Timestamp::now());
        let mut sent = hyper::Request::new(Full::new(request.body));
        *sent.method_mut() = request.method;
        let (path, query) = (&request.path, &request.query);
        let mark = if query.is_empty() { "" } else { "?" };
        *sent.uri_mut() = format!("{}{path}{mark}{query}", self.url).parse().map_err(|error| format!("{error}"))?;
        *sent.headers_mut() = request.headers;
        let answer = self.pool.request(sent).await.map_err(|error| format!("no answer: {error}"))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| format!("half an answer: {error}"))?;
        Ok((status, body.to_bytes()))
    }
}

/// CPU time of this process so far, where the system tells: Linux counts it in hundredths of a second.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: u64 =
        after_name.split_ascii_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}
