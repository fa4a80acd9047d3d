//! A connection: the socket, TLS, and WebSocket's handshake, all within one limit.

use super::dial::Dial;
use super::stream::Stream;
use super::wait::Wait;
use super::{Rpc, RpcError, RpcLimits, authorities, is_time, shown};
use std::collections::VecDeque;
use tungstenite::protocol::WebSocketConfig;

impl Rpc {
    /// Connects.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn connect(url: &str, limits: &RpcLimits) -> Result<Self, RpcError> {
        Self::within(url, limits, &Dial::default(), &Wait::default())
    }

    /// Connects, for as long as somebody waits.
    pub(in crate::node) fn within(
        url: &str,
        limits: &RpcLimits,
        dial: &Dial,
        wait: &Wait,
    ) -> Result<Self, RpcError> {
        let stopped = || RpcError::Stopped {
            url: url.to_owned(),
        };
        let stream = Stream::connect(url, dial, limits.connect, &wait.or_stop(limits.stop));
        let stream = stream.map_err(|error| match limits.stop.is_set() {
            true => stopped(),
            false => error,
        })?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits.answer_bytes_max))
            .max_frame_size(Some(limits.answer_bytes_max));
        let websocket = |reason: String| RpcError::WebSocket {
            url: url.to_owned(),
            reason: shown(&reason),
        };
        match tungstenite::client::client_with_config(url, stream, Some(config)) {
            Err(_) if limits.stop.is_set() => Err(stopped()),
            Ok((socket, _)) => Ok(Self {
                url: url.to_owned(),
                limits: *limits,
                socket,
                next_id: 1,
                notifications: VecDeque::new(),
            }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Io(error)))
                if is_time(&error) =>
            {
                Err(RpcError::TimeLimit {
                    url: url.to_owned(),
                    method: "the handshake".into(),
                    limit_ms: limits.connect.as_millis(),
                })
            }
            Err(tungstenite::HandshakeError::Failure(error)) => Err(match &error {
                tungstenite::Error::Io(source) => match authorities::refused(source) {
                    Some((why, help)) => RpcError::Certificate {
                        url: url.to_owned(),
                        why,
                        help,
                    },
                    None => websocket(error.to_string()),
                },
                _ => websocket(error.to_string()),
            }),
            Err(tungstenite::HandshakeError::Interrupted(_)) => Err(RpcError::TimeLimit {
                url: url.to_owned(),
                method: "the handshake".into(),
                limit_ms: limits.connect.as_millis(),
            }),
        }
    }
}
