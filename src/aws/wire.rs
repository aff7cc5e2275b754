//! One request on the wire: written and read by the SDK's codecs, signed, and sent through one pool of connections.
//!
//! The machinery that the SDK's clients put between costs several times what the request itself does, and a sweep makes
//! millions; what of it locard needs (pauses, timeouts, clocks) is in `call`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::endpoint::Endpoint;

use crate::aws::answer::{self, Incomplete};
use crate::aws::classify;
use crate::aws::ledger::{Event, Ledger};
use crate::aws::request::{Codec, Request, Service};
use crate::aws::signature::{self, LastKey};
use crate::model::ids::Region;

/// Names the tool in every request, and so in CloudTrail.
const USER_AGENT: &str = concat!("locard/", env!("CARGO_PKG_VERSION"), " app/locard-", env!("CARGO_PKG_VERSION"));

/// Where requests go when they do not go to AWS's own endpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    /// Where requests go instead of AWS.
    pub url: Option<String>,
    pub use_fips: Option<bool>,
    pub use_dual_stack: Option<bool>,
}

/// How requests leave the process.
#[derive(Debug)]
pub(crate) struct Wire {
    connector: SharedHttpConnector,
    endpoints: Endpoints,
    ledger: Arc<Ledger>,
    /// Of services in regions; those of buckets are soon no longer needed.
    origins: RwLock<HashMap<&'static str, HashMap<Region, Arc<Origin>>>>,
}

/// Where a service is in a region, and what its signatures say.
#[derive(Debug)]
struct Origin {
    url: String,
    region: String,
    service: String,
}

impl Wire {
    pub(crate) fn new(connector: SharedHttpConnector, endpoints: Endpoints, ledger: Arc<Ledger>) -> Self {
        Self { connector, endpoints, ledger, origins: RwLock::default() }
    }

    /// Makes one request and reads its answer. It is one attempt, as long as it takes. `last_key` is that of the service
    /// in the account and region.
    pub(crate) async fn send<R: Request>(
        &self,
        region: &Region,
        identity: &Identity,
        last_key: &LastKey,
        request: &R,
    ) -> Result<R::Output, SdkError<R::Error, HttpResponse>> {
        let codec = R::codec();
        let mut settings = codec.settings();
        let prepared = request.input().map_err(BoxError::from).and_then(|input| {
            let origin = self.origin(codec.service, region, request.bucket())?;
            let request = written(&mut settings, input)?;
            self.address(codec.service, &origin, identity, last_key, request)
        });
        let request = prepared.map_err(SdkError::construction_failure)?;
        self.ledger.count(codec.operation, Event::Attempt);
        let mut response = self.connector.call(request).await.map_err(SdkError::dispatch_failure)?;
        self.note_time(&response);
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        match ByteStream::new(body).collect().await {
            Ok(body) => *response.body_mut() = SdkBody::from(body.into_bytes()),
            Err(error) => {
                tracing::debug!(%error, operation = codec.operation.name, "the answer breaks off");
                return Err(SdkError::response_error(Incomplete::BrokenOff, response));
            }
        }
        read::<R>(codec, &settings, &self.ledger, response)
    }

    /// The request as it is sent.
    fn address(
        &self,
        service: &Service,
        origin: &Origin,
        identity: &Identity,
        last_key: &LastKey,
        mut request: HttpRequest,
    ) -> Result<HttpRequest, BoxError> {
        request.uri_mut().set_endpoint(&origin.url)?;
        let scope = signature::Scope {
            region: &origin.region,
            service: &origin.service,
            paths_as_they_are: service.name == "s3",
        };
        signature::sign(&mut request, identity, &scope, last_key, self.ledger.on_their_clock(SystemTime::now()))?;
        request.headers_mut().insert("user-agent", USER_AGENT);
        Ok(request)
    }

    fn origin(&self, service: &Service, region: &Region, bucket: Option<&str>) -> Result<Arc<Origin>, BoxError> {
        if bucket.is_some() {
            return Ok(Arc::new(Origin::new(service, region, &(service.endpoint)(&self.endpoints, region, bucket)?)));
        }
        let origins = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = origins.get(service.name).and_then(|regions| regions.get(region)) {
            return Ok(known.clone());
        }
        drop(origins);
        let endpoint = (service.endpoint)(&self.endpoints, region, None)?;
        let origin = Arc::new(Origin::new(service, region, &endpoint));
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        origins.entry(service.name).or_default().insert(region.clone(), origin.clone());
        Ok(origin)
    }

    fn note_time(&self, response: &HttpResponse) {
        if self.ledger.clock_skew_seconds().is_none()
            && let Some(seconds) = seconds_ahead(response)
        {
            self.ledger.note_skew(seconds);
        }
    }
}

impl Origin {
    /// The endpoint's own word comes first: some services are in one region for all.
    fn new(service: &Service, region: &Region, endpoint: &Endpoint) -> Self {
        let scheme = endpoint.auth_schemes().iter().find(|scheme| scheme.name() == "sigv4");
        let said = |member: &str| scheme.and_then(|scheme| scheme.get(member)?.as_string());
        Self {
            url: endpoint.url().to_owned(),
            region: said("signingRegion").unwrap_or(region.as_str()).to_owned(),
            service: said("signingName").unwrap_or(service.signs_as).to_owned(),
        }
    }
}

fn written(settings: &mut ConfigBag, input: Input) -> Result<HttpRequest, BoxError> {
    let serializer = settings.load::<SharedRequestSerializer>().ok_or("the SDK cannot write it")?.clone();
    serializer.serialize_input(input, settings)
}

/// The answer as the SDK reads it, held against the table of operations.
#[expect(clippy::result_large_err, reason = "the SDK's own errors are as large")]
fn read<R: Request>(
    codec: &Codec,
    settings: &ConfigBag,
    ledger: &Ledger,
    response: HttpResponse,
) -> Result<R::Output, SdkError<R::Error, HttpResponse>> {
    let Some(deserializer) = settings.load::<SharedResponseDeserializer>() else {
        panic!("internal error: {} cannot be read", codec.operation.name)
    };
    match deserializer.deserialize_nonstreaming_with_config(&response, settings) {
        Ok(output) => {
            if let Err(incomplete) = answer::check(codec.operation, &response) {
                return Err(SdkError::response_error(incomplete, response));
            }
            match output.downcast() {
                Ok(output) => Ok(output),
                Err(_) => panic!("internal error: {} has an answer of another shape", codec.operation.name),
            }
        }
        Err(error) => {
            if classify::throttles(response.status().as_u16(), response.body().bytes().unwrap_or(&[])) {
                ledger.count(codec.operation, Event::Throttle);
            }
            let mut refusal = None;
            let other = error.map_operation_error(|error| {
                refusal = error.downcast::<R::Error>().ok();
                std::fmt::Error
            });
            match refusal {
                Some(refusal) => Err(SdkError::service_error(refusal, response)),
                None => Err(SdkError::response_error(classify::chain(other.source()), response)),
            }
        }
    }
}

/// Seconds the host's clock is ahead of that of whoever answered, if that says what time it is.
pub(crate) fn seconds_ahead(response: &HttpResponse) -> Option<i64> {
    let theirs = DateTime::from_str(response.headers().get("date")?, Format::HttpDate).ok()?;
    Some(DateTime::from(SystemTime::now()).secs() - theirs.secs())
}
