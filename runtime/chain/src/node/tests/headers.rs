//! A node that says of a hash what that hash is not of.

use crate::Hash;
use crate::node::rpc::RpcLimits;
use crate::node::{Node, ReadError};
use serde_json::{Value as Json, json};
use std::net::TcpListener;
use tungstenite::Message;

/// A node that answers by a function of method and parameters; one connection.
fn serve(answer: impl Fn(&str, &Json) -> Json + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut socket = tungstenite::accept(stream).expect("a handshake");
        while let Ok(Message::Text(text)) = socket.read() {
            let request: Json = serde_json::from_str(&text).expect("JSON");
            let method = request["method"].as_str().expect("a method");
            let result = answer(method, &request["params"]);
            let text = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
            if socket.send(Message::text(text.to_string())).is_err() {
                return;
            }
        }
    });
    url
}

#[test]
fn a_header_or_block_of_another_hash_is_refused() {
    let golden: Json = serde_json::from_str(include_str!(
        "../../../../../tests/golden/chain/golden-461.json"
    ))
    .expect("JSON");
    let hash: Hash = golden["block"]["block_hash"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a hash");
    for lies in [false, true] {
        let mut block = golden["block"]["raw"].clone();
        if lies {
            block["block"]["header"]["number"] = "0x44".into();
        }
        let url = serve(move |method, _| match method {
            "chain_getBlockHash" | "chain_getFinalizedHead" => json!(hash),
            "chain_getHeader" => block["block"]["header"].clone(),
            _ => block.clone(),
        });
        let node = Node::connect(&url, RpcLimits::default()).expect("a node");
        let results = [
            node.header(hash).map(|header| header.block.number),
            node.block(hash).map(|block| block.header.block.number),
            node.finalized_head().map(|block| block.number),
        ];
        for result in results {
            match result {
                Ok(number) => assert!(!lies && number == 67),
                Err(error) => assert!(lies && matches!(error, ReadError::Malformed { .. })),
            }
        }
    }
}
