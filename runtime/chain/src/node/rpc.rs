//! JSON-RPC over WebSocket, to one node, in the calling thread.
//!
//! | module | is about |
//! |---|---|
//! | `stream` | TCP and TLS of which no read or write outlasts a deadline |
//! | `dial` | sockets, made in a thread aside |
//! | `wait` | the patience of a question, which ends for all that are asked it at once |
//! | `authorities` | whose certificates nodes may show |
//! | `connect` | a connection, with all that can be wrong with it |
//! | `error` | what is waited for, and why there is no answer |
//! | `message` | one text to an answer or a notification |
//!
//! Threads and deadlines instead of an async runtime: a command asks a few nodes a few times, and a client that waits in one place can be cut
//! off in one place. A node is hostile: its answers are capped, and one that drips bytes ends at the deadline as one that says nothing.

mod authorities;
mod connect;
mod dial;
mod error;
mod message;
mod stream;
mod wait;

pub use authorities::AuthoritiesError;
pub use error::{RpcError, RpcLimits, Stop};
pub use stream::{is_address, is_exposed};

pub(super) use dial::Dial;
pub(super) use message::subscription_name;
pub use message::{Incoming, Refusal, parse_message};
pub(super) use stream::host_of;
pub(super) use wait::Wait;

use serde_json::{Value as Json, json};
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::time::Instant;
use stream::Stream;
use tungstenite::{Message, WebSocket};

/// Notifications that are kept while an answer is awaited.
const NOTIFICATIONS_MAX: usize = 256;
/// A longer one is none that anybody here has asked for, and is not kept.
const NOTIFICATION_BYTES_MAX: usize = 16 << 10;
/// How many calls are on the way at once: a node that answers before it reads on must not stand still.
const CALLS_MAX: usize = 64;
/// How much of a node's words is shown.
const SHOWN_CHARS_MAX: usize = 300;

/// One connection.
pub struct Rpc {
    url: String,
    limits: RpcLimits,
    socket: WebSocket<Stream>,
    next_id: u64,
    notifications: VecDeque<(String, Json)>,
}

impl Rpc {
    /// The node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on answers are awaited for as long as somebody waits for them.
    pub(super) fn set_wait(&mut self, wait: &Wait) {
        self.socket
            .get_mut()
            .set_wait(&wait.or_stop(self.limits.stop));
    }

    /// One call's result.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn call(&mut self, method: &str, params: Json) -> Result<Json, RpcError> {
        self.calls(&[(method, params)])?
            .pop()
            .expect("one result for one call")
    }

    /// Several calls within one time limit: sent together, answered in any order.
    ///
    /// # Errors
    /// The outer for the connection, the inner for each call.
    pub fn calls(
        &mut self,
        calls: &[(&str, Json)],
    ) -> Result<Vec<Result<Json, RpcError>>, RpcError> {
        self.set_deadline(Instant::now() + self.limits.call);
        let mut answers = Vec::with_capacity(calls.len());
        for calls in calls.chunks(CALLS_MAX) {
            answers.extend(self.calls_at_once(calls)?);
        }
        Ok(answers)
    }

    fn calls_at_once(
        &mut self,
        calls: &[(&str, Json)],
    ) -> Result<Vec<Result<Json, RpcError>>, RpcError> {
        let what = calls.first().map_or("nothing", |(method, _)| method);
        let first = self.next_id;
        for (method, params) in calls {
            let text =
                json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
            self.next_id += 1;
            self.socket
                .write(Message::text(text.to_string()))
                .map_err(|error| self.failed(what, error))?;
        }
        self.socket
            .flush()
            .map_err(|error| self.failed(what, error))?;
        let mut answers: HashMap<u64, Result<Json, RpcError>> = HashMap::new();
        while answers.len() < calls.len() {
            match self.receive(what)? {
                Incoming::Notification {
                    subscription,
                    result,
                } => self.keep(subscription, result),
                Incoming::Answer { id, result } if (first..self.next_id).contains(&id) => {
                    let (method, _) = calls[(id - first) as usize];
                    let result = result.map_err(|refusal| RpcError::Refused {
                        url: self.url.clone(),
                        method: method.to_owned(),
                        code: refusal.code,
                        message: shown(&refusal.message),
                        data: refusal.data.map(|data| shown(&data)),
                    });
                    answers.insert(id, result);
                }
                // An answer to what was given up on earlier.
                Incoming::Answer { .. } => (),
            }
        }
        let answer = |id| answers.remove(&id).expect("each was counted");
        Ok((first..self.next_id).map(answer).collect())
    }

    /// The next notification of a subscription, waiting until `deadline`; `None` if there was none by then.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn next(
        &mut self,
        subscription: &str,
        deadline: Instant,
    ) -> Result<Option<Json>, RpcError> {
        if let Some(position) = self
            .notifications
            .iter()
            .position(|(found, _)| found == subscription)
        {
            return Ok(self.notifications.remove(position).map(|(_, json)| json));
        }
        self.set_deadline(deadline);
        loop {
            match self.receive("a subscription") {
                Ok(Incoming::Notification {
                    subscription: found,
                    result,
                }) if found == subscription => return Ok(Some(result)),
                Ok(Incoming::Notification {
                    subscription,
                    result,
                }) => self.keep(subscription, result),
                Ok(Incoming::Answer { .. }) => (),
                Err(RpcError::TimeLimit { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(&mut self, subscription: String, result: Json) {
        if self.notifications.len() == NOTIFICATIONS_MAX {
            self.notifications.pop_front();
        }
        self.notifications.push_back((subscription, result));
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.socket.get_mut().set_deadline(deadline);
    }

    /// The next message that is one of ours.
    fn receive(&mut self, method: &str) -> Result<Incoming, RpcError> {
        loop {
            let text = match self
                .socket
                .read()
                .map_err(|error| self.failed(method, error))?
            {
                Message::Text(text) => text,
                Message::Close(_) => {
                    return Err(RpcError::WebSocket {
                        url: self.url.clone(),
                        reason: "it closed the connection".into(),
                    });
                }
                // Pings are answered by the library.
                _ => continue,
            };
            let message = parse_message(text.as_str());
            // A node could send these unasked for, as many and as long as it likes.
            if matches!(message, Some(Incoming::Notification { .. }))
                && text.len() > NOTIFICATION_BYTES_MAX
            {
                continue;
            }
            return message.ok_or_else(|| RpcError::Malformed {
                url: self.url.clone(),
                method: method.to_owned(),
                expected: "JSON-RPC 2.0",
                shown: shown(text.as_str()),
            });
        }
    }

    fn failed(&self, method: &str, error: tungstenite::Error) -> RpcError {
        let url = self.url.clone();
        let method = method.to_owned();
        match error {
            _ if self.limits.stop.is_set() => RpcError::Stopped { url },
            tungstenite::Error::Io(error) if is_time(&error) => RpcError::TimeLimit {
                url,
                method,
                limit_ms: self.limits.call.as_millis(),
            },
            tungstenite::Error::Capacity(_) => RpcError::TooLong {
                url,
                method,
                limit: self.limits.answer_bytes_max,
            },
            other => RpcError::WebSocket {
                url,
                reason: shown(&other.to_string()),
            },
        }
    }
}

fn is_time(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// The beginning of a node's words, printable.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(SHOWN_CHARS_MAX)
        .collect()
}
