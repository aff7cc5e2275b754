//! The server: connections in, one function for every request, answers out.
//!
//! What becomes of a request is decided in `process`; what of it goes wrong on the wire, in `body`.

mod body;
mod control;
mod process;
pub(crate) mod recording;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{DATE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::access::sessions::{Sessions, USER_KEY, USER_SECRET};
use crate::estate::Estate;
use crate::faults::{Faults, Plan};
use crate::journal::{Entry, Journal};
use crate::limits::{Buckets, Limit};
use crate::services::objects::Objects;
use crate::wire::Request;
use crate::world::World;
use body::{Body, Line};
use process::{Delivery, Processed};
use recording::Recording;

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0 is any that is free.
    pub listen: SocketAddr,
    /// From a request's arrival to the beginning of its answer.
    pub latency: Duration,
    /// None at all, [`published`](crate::limits::published) ones, or others.
    pub limits: Vec<Limit>,
    pub faults: Plan,
    /// Longest a session lasts, whatever is asked for; its expiration says so.
    pub longest_session: Option<Duration>,
    /// Seconds the server's clock is ahead of this machine's; more than 300 either way and signatures are refused.
    pub ahead: i64,
    /// Threads that answer.
    pub threads: usize,
    /// Requests are written down here, for a bare client to make again, until `POST /_simulator/recorded`.
    pub record: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            latency: Duration::ZERO,
            limits: Vec::new(),
            faults: Plan::default(),
            longest_session: None,
            ahead: 0,
            threads: 2,
            record: None,
        }
    }
}

/// Credentials that open a simulator and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// A server with threads of its own. It stops when this is dropped.
pub struct Running {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

struct State {
    world: World,
    settings: Settings,
    journal: Journal,
    /// None once enough is recorded, or if nobody asked for it.
    recording: RwLock<Option<Recording>>,
    buckets: Buckets,
    faults: RwLock<Arc<Faults>>,
    started: Instant,
}

/// Starts a server, on threads of its own: callers need no runtime.
pub fn start(estate: Estate, settings: Settings) -> io::Result<Running> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads.max(1))
        .thread_name("simulator")
        .enable_all()
        .build()?;
    let listener = TcpListener::bind(settings.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let world = World {
        sessions: Sessions::new(&estate.caller),
        estate,
        objects: Objects::default(),
        longest_session: settings.longest_session,
        ahead: SignedDuration::from_secs(settings.ahead),
    };
    let recording = settings.record.as_deref().map(Recording::to).transpose()?;
    let state = Arc::new(State {
        world,
        recording: RwLock::new(recording),
        journal: Journal::default(),
        buckets: Buckets::new(settings.limits.clone()),
        faults: RwLock::new(Arc::new(Faults::new(settings.faults.clone()))),
        started: Instant::now(),
        settings,
    });
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    runtime.spawn(accept(listener, state.clone()));
    Ok(Running { address, state, runtime: Some(runtime) })
}

impl Running {
    /// What to give as endpoint URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Of a user in the estate's caller account.
    pub fn credentials(&self) -> Credentials {
        Credentials { access_key_id: USER_KEY.to_owned(), secret_access_key: USER_SECRET.to_owned() }
    }

    pub fn journal(&self) -> &Journal {
        &self.state.journal
    }

    pub fn estate(&self) -> &Estate {
        &self.state.world.estate
    }

    /// Another plan from now on. What earlier faults did to sessions and accounts is forgotten.
    pub fn set_faults(&self, plan: Plan) {
        self.state.set_faults(plan);
    }

    /// Stops; requests under way are not answered.
    pub fn stop(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        // Does not wait, and so may happen inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl State {
    fn set_faults(&self, plan: Plan) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Faults::new(plan));
    }

    fn faults(&self) -> Arc<Faults> {
        self.faults.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

async fn accept(listener: tokio::net::TcpListener, state: Arc<State>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, state.clone()));
            }
            // Out of file descriptors, most likely; some will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    // Answers are small and their end is what is waited for.
    let _ = stream.set_nodelay(true);
    let number = state.journal.connect();
    let reset = Arc::new(AtomicBool::new(false));
    let line = TokioIo::new(Line::new(stream, reset.clone()));
    let service = service_fn(move |request| {
        let (state, reset) = (state.clone(), reset.clone());
        async move { handle(&state, number, &reset, request).await }
    });
    // An error is a client that went away, or a connection broken on purpose.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(line, service).await;
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped")]
struct Dropped;

/// Journals a request when its answer begins to leave, or when nobody waits for it any more.
struct Noted<'a> {
    state: &'a State,
    entry: Option<Entry>,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.state.journal.record(Entry { answered: self.state.micros(), ..entry });
        }
    }
}

/// Counts a request out when it is over, however it ends.
struct Leaves<'a>(&'a Journal);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

async fn handle(
    state: &State,
    connection: u32,
    reset: &AtomicBool,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        body,
    };
    if let Some(asked) = request.path.strip_prefix("/_simulator/") {
        let Ok(response) = control::answer(state, asked, &request);
        return Ok(response);
    }
    let sequence = state.journal.arrive();
    let _leaves = Leaves(&state.journal);
    let (arrived, at) = (state.micros(), Instant::now());
    let Processed { mut entry, reply, delivery, hang, skew } = state.process(sequence, &request);
    if let Some(recording) = &*state.recording.read().unwrap_or_else(PoisonError::into_inner) {
        recording.note(&request, &reply.body);
    }
    entry.sequence = sequence;
    entry.connection = connection;
    entry.arrived = arrived;
    let noted = Noted { state, entry: Some(entry) };
    let wait = state.settings.latency + hang;
    if !wait.is_zero() {
        tokio::time::sleep_until((at + wait).into()).await;
    }
    drop(noted);

    let body = match delivery {
        Delivery::Dropped => return Err(Dropped),
        Delivery::Whole => Body::whole(reply.body),
        Delivery::Reset => {
            reset.store(true, Ordering::Relaxed);
            Body::cut(reply.body)
        }
        Delivery::Slow(over) => Body::trickle(reply.body, over),
    };
    let mut response = hyper::Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if skew != 0 {
        let now = jiff::Timestamp::now();
        let shown = now.checked_add(SignedDuration::from_secs(skew)).unwrap_or(now);
        if let Ok(value) = HeaderValue::try_from(shown.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
            headers.insert(DATE, value);
        }
    }
    Ok(response)
}

type Answered = Result<hyper::Response<Body>, Infallible>;

fn plain(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Answered {
    let mut response = hyper::Response::new(Body::whole(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    Ok(response)
}
