//! TLS before a server that speaks none: what comes is passed on, both ways, until one side ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tls::Shown;

/// How long one side is listened to before the other is.
const TURN: Duration = Duration::from_millis(1);

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Front {
    /// Before the server at `port` of this machine.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub fn before(port: u16, shown: Shown) -> Front {
        let config = shown.config();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let is_closing = closing.clone();
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if is_closing.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let (config, is_closing) = (config.clone(), &is_closing);
                    // Who is refused or goes away ends a connection, and nothing else.
                    scope.spawn(move || pass(stream, config, port, is_closing));
                }
            });
        });
        Front {
            address,
            closing,
            thread: Some(thread),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection.
fn pass(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    port: u16,
    closing: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut outer = StreamOwned::new(connection, stream);
    outer.conn.complete_io(&mut outer.sock)?;
    let mut inner = TcpStream::connect(("127.0.0.1", port))?;
    inner.set_nodelay(true)?;
    outer.sock.set_read_timeout(Some(TURN))?;
    inner.set_read_timeout(Some(TURN))?;
    let mut buffer = vec![0; 64 << 10];
    while !closing.load(Ordering::Relaxed) {
        let ended = copy(&mut outer, &mut inner, &mut buffer)?
            || copy(&mut inner, &mut outer, &mut buffer)?;
        if ended {
            break;
        }
    }
    Ok(())
}

/// What there is to read; whether that was the end.
fn copy(from: &mut impl Read, to: &mut impl Write, buffer: &mut [u8]) -> std::io::Result<bool> {
    match from.read(buffer) {
        Ok(0) => Ok(true),
        Ok(read) => {
            to.write_all(&buffer[..read])?;
            to.flush()?;
            Ok(false)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
