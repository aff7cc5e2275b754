//! A server that gives the answers it was handed, so that collectors meet what moto cannot say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::aws::client::Limits;
use crate::aws::session::Caller;
use crate::collect::scope::{Frame, Scope, now};
use crate::model::ids::{Partition, Region};

pub(super) const ACCOUNT: &str = "111111111111";
pub(super) const REGION: &str = "us-east-1";

/// An answer: the request it is for, status, body. Requests are named `ListModels` where the protocol names the
/// operation, else `GET /path?query`; an answer is for the first request whose name contains its own, and given once.
pub(super) type Canned = (&'static str, u16, &'static str);

/// A scope whose every request meets one of the answers, or HTTP 500. At most one job of a kind is described.
pub(super) fn scope(answers: &[Canned]) -> Scope {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answers = Arc::new(Mutex::new(answers.to_vec()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answers = answers.clone();
            std::thread::spawn(move || answer(stream, &answers));
        }
    });
    let frame = Frame { partition: Partition::new("aws"), as_of: now(), lookback_days: 365, max_jobs: 1 };
    let limits = Limits { attempts: 1, ..Limits::default() };
    let entry = Caller::made_up(format!("http://{address}"), ACCOUNT, limits).own_entry();
    Scope::new(&frame, &entry, &Region::new(REGION))
}

/// Runs a collector to its end.
pub(super) fn run<T>(collector: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(collector)
}

fn answer(mut stream: TcpStream, answers: &Mutex<Vec<Canned>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut length, mut target) = (0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-amz-target" => target = value.rsplit('.').next().map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body);
    let action = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next()).map(str::to_owned);
    let request = target.or(action).unwrap_or(first);

    let mut answers = answers.lock().ok()?;
    let found = answers.iter().position(|(name, ..)| request.contains(name)).map(|i| answers.remove(i));
    drop(answers);
    let (_, status, body) = found.unwrap_or(("", 500, "{}"));
    let head = format!(
        "HTTP/1.1 {status} canned\r\nx-amzn-requestid: r\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
