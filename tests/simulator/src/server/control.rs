//! What a person or script asks the server itself, below `/_simulator/`: counters, journal, bound, faults.
//!
//! Nobody has to sign here; nothing of it is journalled.

use std::sync::PoisonError;
use std::time::Duration;

use super::recording::Recording;
use super::{Answered, State, plain};
use crate::faults::Plan;
use crate::journal::Terms;
use crate::wire::Request;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

pub(super) fn answer(state: &State, asked: &str, request: &Request) -> Answered {
    match (request.method.as_str(), asked) {
        ("GET", "counters") => {
            let counters = serde_json::to_string_pretty(&state.journal.counters());
            plain(200, JSON, counters.unwrap_or_default())
        }
        ("GET", "journal") => {
            let mut lines = Vec::new();
            // Writing to memory does not fail.
            let _ = state.journal.write(&mut lines);
            plain(200, "application/jsonl", lines)
        }
        ("GET", "bound") => {
            let parameter = |name: &str| {
                let mut pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(given, _)| *given == name).and_then(|(_, value)| value.parse::<u32>().ok())
            };
            let bound = state.journal.bound(&Terms {
                latency: state.settings.latency,
                limits: state.settings.limits.clone(),
                cpu_per_call: Duration::from_micros(parameter("cpu_us").unwrap_or(0).into()),
                cores: parameter("cores").unwrap_or(1),
            });
            plain(200, JSON, serde_json::to_string_pretty(&bound).unwrap_or_default())
        }
        ("POST", "clear") => {
            state.journal.clear();
            plain(200, TEXT, "")
        }
        ("POST", "recorded") => {
            let recording = state.recording.write().unwrap_or_else(PoisonError::into_inner).take();
            match recording.is_none_or(Recording::end) {
                true => plain(200, TEXT, ""),
                false => plain(500, TEXT, "what was recorded could not be written"),
            }
        }
        ("POST", "faults") => match Plan::parse(&String::from_utf8_lossy(&request.body)) {
            Ok(plan) => {
                state.set_faults(plan);
                plain(200, TEXT, "")
            }
            Err(problem) => plain(400, TEXT, problem),
        },
        _ => plain(404, TEXT, "GET counters, journal or bound?cpu_us=N&cores=N; POST clear, recorded or faults"),
    }
}
