//! The node's protocol: JSON-RPC over a WebSocket, one thread for each connection.
//!
//! | module | is about |
//! |---|---|
//! | `methods` | requests that are answered at once |
//! | `reads` | those that read storage |
//! | `subscriptions` | what is told later |
//! | `garble` | answers that are none |

mod garble;
mod methods;
mod reads;
mod subscriptions;

use crate::fault::{Fault, RpcError};
use crate::node::Shared;
use serde_json::{Value as Json, json};
use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;
use subscriptions::Subscriptions;
use tungstenite::{Error, Message, WebSocket};

/// How long a connection waits for a request before it looks for what it has to tell.
const POLL: Duration = Duration::from_millis(2);

/// What becomes of a request.
enum Reply {
    /// This is sent.
    Send(Message),
    /// Nothing is.
    Silence,
    /// The socket is closed.
    Close,
}

/// Serves one connection until it ends.
pub(crate) fn serve(shared: &Shared, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut socket) = tungstenite::accept(stream) else {
        return;
    };
    if socket.get_ref().set_read_timeout(Some(POLL)).is_err() {
        return;
    }
    let mut subscriptions = Subscriptions::new(shared.chain.listen());
    // How the connection ends is the client's matter; that it ends is not, since the endpoint keeps a handle to close it with.
    let _ = run(shared, &mut socket, &mut subscriptions);
    let _ = socket.get_ref().shutdown(Shutdown::Both);
}

fn run(
    shared: &Shared,
    socket: &mut WebSocket<TcpStream>,
    subscriptions: &mut Subscriptions,
) -> Result<(), Error> {
    while !shared.closed.load(Ordering::Relaxed) {
        match socket.read() {
            Ok(Message::Text(text)) => match answer(shared, subscriptions, &text) {
                Reply::Send(message) => socket.send(message)?,
                Reply::Silence => {}
                Reply::Close => return Ok(()),
            },
            Ok(_) => {}
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        for message in subscriptions.collect(shared) {
            socket.send(Message::text(message.to_string()))?;
        }
    }
    Ok(())
}

/// Answers one request, or a batch.
fn answer(shared: &Shared, subscriptions: &mut Subscriptions, text: &str) -> Reply {
    let Ok(request) = serde_json::from_str::<Json>(text) else {
        let error = json!({ "code": -32700, "message": "Parse error" });
        let answer = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        return Reply::Send(Message::text(answer.to_string()));
    };
    let Json::Array(batch) = request else {
        return answer_one(shared, subscriptions, &request);
    };
    let mut answers = Vec::new();
    for request in &batch {
        match answer_one(shared, subscriptions, request) {
            Reply::Send(Message::Text(text)) => answers.push(text.to_string()),
            Reply::Send(other) => return Reply::Send(other),
            Reply::Silence => {}
            Reply::Close => return Reply::Close,
        }
    }
    Reply::Send(Message::text(format!("[{}]", answers.join(","))))
}

fn answer_one(shared: &Shared, subscriptions: &mut Subscriptions, request: &Json) -> Reply {
    let id = &request["id"];
    let method = request["method"].as_str().unwrap_or("");
    let params = request["params"].as_array().cloned().unwrap_or_default();
    shared.record(method);
    let called = params.first().and_then(Json::as_str);
    let called = called.filter(|_| method.starts_with("state_call"));
    let is = |m: &crate::fault::Method| m.matches(method, called);
    let before = shared.take(|fault| match fault {
        Fault::DropBefore(m) | Fault::HangBefore(m) | Fault::Refuse(m, _) => is(m),
        _ => false,
    });
    match before {
        Some(Fault::DropBefore(_)) => return Reply::Close,
        Some(Fault::HangBefore(_)) => return Reply::Silence,
        Some(Fault::Refuse(_, error)) => return send(id, Err(error)),
        _ => {}
    }
    let result = methods::call(shared, subscriptions, method, &params);
    let after = shared.take(|fault| match fault {
        Fault::DropAfter(m) | Fault::HangAfter(m) => is(m),
        Fault::FailAfter(m, _) | Fault::Garbage(m, _) | Fault::Slow(m, _) => is(m),
        _ => false,
    });
    match after {
        Some(Fault::DropAfter(_)) => Reply::Close,
        Some(Fault::HangAfter(_)) => {
            subscriptions.silence();
            Reply::Silence
        }
        Some(Fault::FailAfter(_, error)) => send(id, Err(error)),
        Some(Fault::Slow(_, wait)) => {
            std::thread::sleep(wait);
            send(id, result)
        }
        Some(Fault::Garbage(_, garbage)) => Reply::Send(garble::message(garbage, id, result)),
        _ => send(id, result),
    }
}

fn send(id: &Json, result: Result<Json, RpcError>) -> Reply {
    Reply::Send(Message::text(response(id, result).to_string()))
}

/// A JSON-RPC response.
fn response(id: &Json, result: Result<Json, RpcError>) -> Json {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => {
            let mut object = json!({ "code": error.code, "message": error.message });
            if let Some(data) = error.data {
                object["data"] = data.into();
            }
            json!({ "jsonrpc": "2.0", "id": id, "error": object })
        }
    }
}
