//! A client of the node's protocol, as small as tests need.

use gradus_node::Node;
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// How long an answer or a notification may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    told: VecDeque<Json>,
    asked: u64,
}

impl Client {
    pub(crate) fn connect(node: &Node) -> Self {
        let url = node.url();
        let stream = TcpStream::connect(url.trim_start_matches("ws://")).expect("it listens");
        let (socket, _) = tungstenite::client(&url, stream).expect("a handshake");
        // Afterwards, since a machine that is busy may need longer for a handshake.
        let stream = socket.get_ref();
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a timeout is set");
        Self {
            socket,
            told: VecDeque::new(),
            asked: 0,
        }
    }

    /// Any message, or why there is none.
    pub(crate) fn receive(&mut self, patience: Duration) -> Result<Message, String> {
        let start = Instant::now();
        loop {
            match self.socket.read() {
                Ok(message) => return Ok(message),
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock
                        && start.elapsed() < patience => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    pub(crate) fn send(&mut self, method: &str, params: Json) {
        self.asked += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params });
        let message = Message::text(request.to_string());
        self.socket.send(message).expect("a request is sent");
    }

    /// Asks, and waits for the answer: a result, or an error's object.
    pub(crate) fn call(&mut self, method: &str, params: Json) -> Result<Json, Json> {
        self.send(method, params);
        loop {
            let message = self.receive(PATIENCE).expect("an answer");
            let answer: Json = serde_json::from_str(&message.to_string()).expect("JSON");
            if answer.get("id").is_none() {
                self.told.push_back(answer);
                continue;
            }
            assert_eq!(answer["id"], self.asked);
            return match answer.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(answer["result"].clone()),
            };
        }
    }

    /// Whether the connection is gone.
    pub(crate) fn call_fails(&mut self, method: &str) -> bool {
        let request = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": [] });
        let sent = self.socket.send(Message::text(request.to_string()));
        sent.is_err() || self.receive(PATIENCE).is_err()
    }

    pub(crate) fn ask(&mut self, method: &str, params: Json) -> Json {
        self.call(method, params).expect("a result")
    }

    /// The next notification's result.
    pub(crate) fn next(&mut self) -> Json {
        if let Some(told) = self.told.pop_front() {
            return told["params"]["result"].clone();
        }
        let message = self.receive(PATIENCE).expect("a notification");
        let told: Json = serde_json::from_str(&message.to_string()).expect("JSON");
        told["params"]["result"].clone()
    }

    /// A runtime API's answer.
    pub(crate) fn runtime_call(&mut self, method: &str, input: &[u8]) -> Vec<u8> {
        let answer = self.ask(
            "state_call",
            json!([method, gradus_node::hex::encode(input)]),
        );
        gradus_node::hex::decode(answer.as_str().expect("a text")).expect("hexadecimal")
    }
}
