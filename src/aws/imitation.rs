//! Tolerance for servers that imitate AWS, with `--endpoint-url` only: what is read from AWS itself stays as strict as
//! the SDK is.
//!
//! Some name the root of an S3 answer after the operation (`GetBucketVersioningResponse`) where AWS names it after the
//! document (`VersioningConfiguration`). The members are the same, so the root is renamed and nothing else.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// The root as imitated, and as AWS writes it. Only answers that the SDK would refuse are listed.
const ROOTS: &[(&str, &str)] = &[("GetBucketVersioningResponse", "VersioningConfiguration")];

/// Renames roots in the answers.
pub(crate) fn tolerant(inner: SharedHttpConnector) -> SharedHttpConnector {
    SharedHttpConnector::new(Tolerant(inner))
}

#[derive(Clone, Debug)]
struct Tolerant(SharedHttpConnector);

impl HttpConnector for Tolerant {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let concerned = request.uri().split_once('?').is_some_and(|(_, query)| query.starts_with("versioning"));
        let answer = self.0.call(request);
        if !concerned {
            return answer;
        }
        HttpConnectorFuture::new(async move {
            let mut response: HttpResponse = answer.await?;
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let bytes = ByteStream::new(body).collect().await.map_err(|e| ConnectorError::io(e.into()))?.into_bytes();
            let text = String::from_utf8_lossy(&bytes);
            *response.body_mut() = match ROOTS.iter().find(|(imitated, _)| text.contains(*imitated)) {
                Some((imitated, real)) => SdkBody::from(text.replace(imitated, real)),
                None => SdkBody::from(bytes),
            };
            response.headers_mut().remove("content-length");
            Ok(response)
        })
    }
}
