//! The bucket that locard was told to keep its own runs in: the only place it writes to, with the caller's own
//! credentials and never with an audited account's session.
//!
//! What is kept there, and when, is decided in `cli`; audits themselves go through `request`, which knows no writes.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectInput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Input;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::base64;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::aws::classify::{chain, classify, code};
use crate::aws::client;
use crate::aws::session::{Caller, Source, caller};
use crate::inventory::operations::STORE;
use crate::model::hash;
use crate::model::ids::{AccountId, Region};
use crate::model::observed::Why;
use crate::model::prefix::S3Prefix;

pub use crate::aws::client::Limits;

/// A larger object is none of ours: what all lines of one file may add up to is limited to as much.
const MAX_OBJECT: i64 = 1 << 30;

/// How often an object is asked for that breaks off.
const READINGS: u32 = 3;

/// Bytes a second that a large object moves by at least.
const SLOWEST: u64 = 500_000;

/// An object of which nothing arrives for so long arrives no more.
const STALLED: Duration = Duration::from_secs(30);

/// How the bucket is reached.
#[derive(Clone, Debug, Default)]
pub struct StoreAccess {
    pub profile: Option<String>,
    /// Where requests go instead of AWS.
    pub endpoint_url: Option<String>,
    /// The account that must own the bucket; another one's is refused by S3.
    pub bucket_owner: Option<AccountId>,
}

/// A prefix of a bucket, open to be read and written.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    place: S3Prefix,
    owner: Option<String>,
}

/// S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {place}: {said}")]
pub struct StoreError {
    doing: &'static str,
    place: String,
    said: String,
    /// The caller may not.
    pub denied: bool,
}

/// How reading an object failed.
enum Broken {
    /// In the middle; another time it may not.
    Off(StoreError),
    For(StoreError),
}

impl Store {
    /// Opens a prefix, in whatever region its bucket is, and makes sure that it can be listed.
    pub async fn open(access: &StoreAccess, place: S3Prefix) -> Result<Self, StoreError> {
        let source =
            Source { profile: access.profile.clone(), endpoint_url: access.endpoint_url.clone(), ..Source::default() };
        let caller = caller(&source).await.map_err(|error| StoreError {
            doing: "open",
            place: place.to_string(),
            said: error.to_string(),
            denied: false,
        })?;
        let owner = access.bucket_owner.as_ref().map(ToString::to_string);
        let region = caller.region().clone();
        let store = Self { client: client_in(&caller, &region, &place), place: place.clone(), owner: owner.clone() };
        match store.page(None, 1).await {
            Ok(_) => Ok(store),
            Err(error) => match region_said(&error).filter(|said| *said != region) {
                Some(region) => {
                    let store = Self { client: client_in(&caller, &region, &place), place, owner };
                    store.page(None, 1).await.map_err(|error| store.failed("list", "", &error))?;
                    Ok(store)
                }
                None => Err(store.failed("list", "", &error)),
            },
        }
    }

    /// The place that was opened.
    pub fn place(&self) -> &S3Prefix {
        &self.place
    }

    /// The names of all objects below the prefix, sorted.
    pub async fn list(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(token.clone(), 1000).await.map_err(|error| self.failed("list", "", &error))?;
            let keys = page.contents().iter().filter_map(|object| self.place.name(object.key()?));
            names.extend(keys.map(str::to_owned));
            let last = std::mem::replace(&mut token, page.next_continuation_token);
            match (page.is_truncated, &token) {
                (Some(true), Some(_)) if token == last => {
                    return Err(self.error("list", "", "the list comes back to the same page".to_owned()));
                }
                (Some(true), Some(_)) => {}
                (Some(true), None) => {
                    let said = "the list breaks off without a token to go on".to_owned();
                    return Err(self.error("list", "", said));
                }
                _ => break,
            }
        }
        names.sort();
        Ok(names)
    }

    /// The content of an object; none if there is no such object. What breaks off is asked for again.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_part(name, None).await
    }

    async fn get_part(&self, name: &str, range: Option<&str>) -> Result<Option<Vec<u8>>, StoreError> {
        for _ in 1..READINGS {
            match self.get_once(name, range).await {
                Err(Broken::Off(error)) => tracing::debug!("{error}; asked again"),
                Err(Broken::For(error)) => return Err(error),
                Ok(content) => return Ok(content),
            }
        }
        self.get_once(name, range).await.map_err(|(Broken::Off(error) | Broken::For(error))| error)
    }

    async fn get_once(&self, name: &str, range: Option<&str>) -> Result<Option<Vec<u8>>, Broken> {
        let request = self
            .client
            .get_object()
            .bucket(self.place.bucket())
            .key(self.place.key(name))
            .set_range(range.map(str::to_owned))
            .set_expected_bucket_owner(self.owner.clone());
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
            // It is empty.
            Err(error) if range.is_some() && code(&error) == Some("InvalidRange") => return Ok(Some(Vec::new())),
            Err(error) => return Err(Broken::For(self.failed("read", name, &error))),
        };
        if output.content_length.is_some_and(|length| length > MAX_OBJECT) {
            let said = format!("it is larger than {} MiB", MAX_OBJECT >> 20);
            return Err(Broken::For(self.error("read", name, said)));
        }
        let (mut body, mut content) = (output.body, Vec::new());
        loop {
            match tokio::time::timeout(STALLED, body.next()).await {
                Ok(Some(Ok(piece))) => content.extend_from_slice(&piece),
                Ok(None) => return Ok(Some(content)),
                Ok(Some(Err(error))) => {
                    return Err(Broken::Off(self.error("read", name, chain(Some(&error)))));
                }
                Err(_elapsed) => {
                    return Err(Broken::Off(self.error("read", name, "nothing more arrives".to_owned())));
                }
            }
        }
    }

    /// The first bytes of an object, or all if there are no more; none if there is no such object.
    pub async fn beginning(&self, name: &str, bytes: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_part(name, Some(&format!("bytes=0-{}", bytes.saturating_sub(1)))).await
    }

    /// Writes a file as an object, piece by piece. Its SHA-256, as `model::hash` writes it, is what S3 holds it against.
    pub async fn put_file(&self, name: &str, path: &Path, sha256: &str) -> Result<(), StoreError> {
        let unreadable = |said: String| self.error("write", name, format!("{}: {said}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        let body = ByteStream::from_path(path).await.map_err(|error| unreadable(chain(Some(&error))))?;
        let attempt = Duration::from_secs(60 + size / SLOWEST);
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(attempt * 3).build();
        self.client
            .put_object()
            .bucket(self.place.bucket())
            .key(self.place.key(name))
            .content_type(content_type(name))
            .set_checksum_sha256(hash::bytes(sha256).map(base64::encode))
            .set_expected_bucket_owner(self.owner.clone())
            .body(body)
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| self.failed("write", name, &error))?;
        Ok(())
    }

    /// Writes an object, replacing what was there. S3 checks the SHA-256 of what arrives and keeps it with the object;
    /// encryption is the bucket's default.
    pub async fn put(&self, name: &str, content: Vec<u8>) -> Result<(), StoreError> {
        self.put_if(name, content, false).await.map(|_| ())
    }

    /// Writes an object that must not be there yet; false if it is.
    pub async fn claim(&self, name: &str, content: Vec<u8>) -> Result<bool, StoreError> {
        self.put_if(name, content, true).await
    }

    async fn put_if(&self, name: &str, content: Vec<u8>, new: bool) -> Result<bool, StoreError> {
        let request = self
            .client
            .put_object()
            .bucket(self.place.bucket())
            .key(self.place.key(name))
            .content_type(content_type(name))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_if_none_match(new.then(|| "*".to_owned()))
            .set_expected_bucket_owner(self.owner.clone())
            .body(ByteStream::from(content));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if new && matches!(code(&error), Some("PreconditionFailed" | "ConditionalRequestConflict")) => {
                Ok(false)
            }
            Err(error) => Err(self.failed("write", name, &error)),
        }
    }

    async fn page(
        &self,
        token: Option<String>,
        most: i32,
    ) -> Result<
        aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output,
        SdkError<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error, HttpResponse>,
    > {
        self.client
            .list_objects_v2()
            .bucket(self.place.bucket())
            .prefix(self.place.key(""))
            .max_keys(most)
            .set_continuation_token(token)
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
    }

    fn failed<E>(&self, doing: &'static str, name: &str, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (why, said) = classify(error);
        let said = if said.is_empty() { why.word().to_owned() } else { said };
        StoreError { denied: matches!(why, Why::Denied | Why::DeniedByScp), ..self.error(doing, name, said) }
    }

    fn error(&self, doing: &'static str, name: &str, said: String) -> StoreError {
        let place = if name.is_empty() { self.place.to_string() } else { format!("{}/{name}", self.place) };
        StoreError { doing, place, said, denied: false }
    }
}

/// A client whose every request is held against the place.
fn client_in(caller: &Caller, region: &Region, place: &S3Prefix) -> Client {
    client::store(&caller.common, region, caller.credentials_provider(), Confined { place: place.clone() })
}

/// The region that S3 names when it is asked for a bucket in another.
fn region_said<E>(error: &SdkError<E, HttpResponse>) -> Option<Region> {
    Some(Region::new(error.raw_response()?.headers().get("x-amz-bucket-region")?))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("html") => "text/html; charset=utf-8",
        Some("md") => "text/markdown; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        Some("xml") => "application/xml",
        _ => "application/octet-stream",
    }
}

/// Refuses, before anything is sent, all that is not one of [`STORE`] or touches anything but the place.
#[derive(Debug)]
pub(crate) struct Confined {
    place: S3Prefix,
}

/// A request that does not concern the place was about to be made.
#[derive(Debug, thiserror::Error)]
#[error("S3 {operation} is not for {place}; refused before anything was sent")]
struct Outside {
    operation: String,
    place: S3Prefix,
}

#[dyn_dispatch_hint]
impl Intercept for Confined {
    fn name(&self) -> &'static str {
        "locard store"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = config.load::<Metadata>().map_or(("", ""), |data| (data.service(), data.name()));
        let listed = service == "S3" && STORE.iter().any(|listed| listed.name == operation);
        let input = context.input();
        let target = if let Some(put) = input.downcast_ref::<PutObjectInput>() {
            (put.bucket(), put.key())
        } else if let Some(get) = input.downcast_ref::<GetObjectInput>() {
            (get.bucket(), get.key())
        } else if let Some(list) = input.downcast_ref::<ListObjectsV2Input>() {
            (list.bucket(), list.prefix())
        } else {
            (None, None)
        };
        let inside =
            target.0 == Some(self.place.bucket()) && target.1.is_some_and(|key| self.place.name(key).is_some());
        if listed && inside {
            return Ok(());
        }
        Err(Box::new(Outside { operation: operation.to_owned(), place: self.place.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing listens there: what is not refused fails to connect.
    fn confined() -> (Client, S3Prefix) {
        let caller = Caller::made_up("http://127.0.0.1:9".to_owned(), "111122223333", Limits::default());
        let place = S3Prefix::parse("s3://audit/runs/one").unwrap_or_else(|e| panic!("{e}"));
        (client_in(&caller, &Region::new("us-east-1"), &place), place)
    }

    async fn said<T, E>(request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>) -> String
    where
        E: Error + 'static,
        T: std::fmt::Debug,
    {
        match request.await {
            Ok(answer) => panic!("nobody can have answered: {answer:?}"),
            Err(error) => chain(Some(&error)),
        }
    }

    #[tokio::test]
    async fn only_the_place_itself_is_written_and_read() {
        let (client, place) = confined();
        let inside = place.key("snapshot/manifest.json");
        let put = |bucket: &str, key: &str| client.put_object().bucket(bucket).key(key).send();
        let get = |bucket: &str, key: &str| client.get_object().bucket(bucket).key(key).send();
        let refused = "refused before anything was sent";
        assert!(!said(put("audit", &inside)).await.contains(refused));
        assert!(!said(get("audit", &inside)).await.contains(refused));
        for (bucket, key) in [("other", inside.as_str()), ("audit", "runs/two/x"), ("audit", "runs/one")] {
            assert!(said(put(bucket, key)).await.contains(refused), "put {bucket}/{key}");
            assert!(said(get(bucket, key)).await.contains(refused), "get {bucket}/{key}");
        }
        let list = |prefix: &str| client.list_objects_v2().bucket("audit").prefix(prefix).send();
        assert!(!said(list("runs/one/")).await.contains(refused));
        assert!(said(list("runs/")).await.contains(refused));
        assert!(said(client.delete_object().bucket("audit").key(&inside).send()).await.contains(refused));
        assert!(said(client.list_buckets().send()).await.contains(refused));
    }
}
