//! Requests as they came, written down so that another client can make the same ones.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::access::signature::Signature;
use crate::wire::Request;

/// Headers that belong to the connection, or to whoever signs.
const NOT_THEIRS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

/// One request, but for its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) access_key: String,
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The access key of the session that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<String>,
}

impl Recorded {
    fn of(request: &Request, answer: &[u8]) -> Option<Self> {
        let signature = Signature::read(request)?;
        let theirs = request.headers.iter().filter(|(name, _)| !NOT_THEIRS.contains(&name.as_str()));
        let headers = theirs.map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let makes = signature.service == "sts" && request.body.windows(10).any(|part| part == b"AssumeRole");
        Some(Self {
            access_key: signature.access_key.to_owned(),
            service: signature.service.to_owned(),
            region: signature.region.to_owned(),
            method: request.method.as_str().to_owned(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: headers.collect::<Option<_>>()?,
            body: request.body.to_vec(),
            made: makes.then(|| member(answer, "AccessKeyId")).flatten(),
        })
    }
}

/// The text of an element of an answer.
pub(crate) fn member(answer: &[u8], name: &str) -> Option<String> {
    let answer = String::from_utf8_lossy(answer);
    let (_, rest) = answer.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// Where requests are written down until that is enough.
pub(super) struct Recording(Mutex<BufWriter<File>>);

impl Recording {
    pub(super) fn to(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(BufWriter::new(File::create(path)?))))
    }

    /// Writes down a request that was signed. What is lost on a full disk is missed by whoever reads it.
    pub(super) fn note(&self, request: &Request, answer: &[u8]) {
        let Some(recorded) = Recorded::of(request, answer) else { return };
        let Ok(mut line) = serde_json::to_vec(&recorded) else { return };
        line.push(b'\n');
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }

    /// Ends it; false if something could not be written.
    pub(super) fn end(self) -> bool {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).flush().is_ok()
    }
}
