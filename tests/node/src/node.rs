//! An endpoint of a chain: a WebSocket on loopback, with faults of its own.

use crate::chain::Chain;
use crate::fault::{Fault, Method};
use crate::rpc;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Endpoints opened in this process: what [`crate::Submission::endpoint`] counts.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// An endpoint; it closes when it is dropped.
pub struct Node {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

/// What an endpoint's connections share.
pub(crate) struct Shared {
    pub(crate) chain: Chain,
    pub(crate) id: usize,
    faults: Mutex<Vec<Planned>>,
    requests: Mutex<Vec<String>>,
    sockets: Mutex<Vec<TcpStream>>,
    pub(crate) closed: AtomicBool,
}

/// A fault, after how many matches it begins, and how often it happens.
struct Planned {
    fault: Fault,
    skip: usize,
    left: Option<usize>,
}

impl Node {
    /// Opens an endpoint on a free port.
    ///
    /// # Errors
    /// If loopback has no free port.
    pub fn serve(chain: &Chain) -> io::Result<Self> {
        Self::serve_at(chain, 0)
    }

    /// Opens an endpoint on a port; 0 is any that is free.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn serve_at(chain: &Chain, port: u16) -> io::Result<Self> {
        Self::serve_on(chain, Ipv4Addr::LOCALHOST, port)
    }

    /// Opens an endpoint on another address of loopback, as 127.0.0.2: what a second operator's machine is.
    ///
    /// # Errors
    /// If the address is none of this machine's, or the port is taken.
    pub fn serve_on(chain: &Chain, host: Ipv4Addr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((host, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            chain: chain.clone(),
            id: OPENED.fetch_add(1, Ordering::Relaxed),
            faults: Mutex::default(),
            requests: Mutex::default(),
            sockets: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.closed.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                if let Ok(copy) = stream.try_clone() {
                    accepting.sockets.lock().expect("no panic").push(copy);
                }
                let shared = accepting.clone();
                std::thread::spawn(move || rpc::serve(&shared, stream));
            }
        });
        let accepting = Some(accepting);
        Ok(Self {
            shared,
            address,
            accepting,
        })
    }

    /// As in `ws://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Its port: another endpoint can take it over when this one is gone.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its number, as [`crate::Submission::endpoint`] has it.
    pub fn id(&self) -> usize {
        self.shared.id
    }

    /// The chain behind it.
    pub fn chain(&self) -> &Chain {
        &self.shared.chain
    }

    /// Lets a fault happen from now on, until [`Node::clear`].
    pub fn inject(&self, fault: Fault) {
        self.plan(fault, 0, None);
    }

    /// Lets a fault happen once.
    pub fn inject_once(&self, fault: Fault) {
        self.plan(fault, 0, Some(1));
    }

    /// Lets a fault happen once, after `skip` requests that it would have hit.
    pub fn inject_after(&self, skip: usize, fault: Fault) {
        self.plan(fault, skip, Some(1));
    }

    fn plan(&self, fault: Fault, skip: usize, left: Option<usize>) {
        let mut faults = self.shared.faults.lock().expect("no panic");
        faults.push(Planned { fault, skip, left });
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.shared.faults.lock().expect("no panic").clear();
    }

    /// Faults that have not happened as often as they should.
    pub fn pending_faults(&self) -> usize {
        self.shared.faults.lock().expect("no panic").len()
    }

    /// Methods that were asked for, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("no panic").clone()
    }

    /// Closes all connections; new ones are accepted.
    pub fn disconnect(&self) {
        for socket in self.shared.sockets.lock().expect("no panic").drain(..) {
            // Already closed is closed.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        self.disconnect();
        // Wakes the thread that accepts, so that the port is free after it.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    pub(crate) fn record(&self, method: &str) {
        let mut requests = self.requests.lock().expect("no panic");
        requests.push(method.to_owned());
    }

    /// The first fault that `matches`, counted as having happened.
    pub(crate) fn take(&self, matches: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().expect("no panic");
        let mut taken = None;
        for planned in faults.iter_mut().filter(|planned| matches(&planned.fault)) {
            if planned.skip > 0 {
                planned.skip -= 1;
                continue;
            }
            if let Some(left) = &mut planned.left {
                *left -= 1;
            }
            taken = Some(planned.fault.clone());
            break;
        }
        faults.retain(|planned| planned.left != Some(0));
        taken
    }

    /// What a fault that is a state, as a lag, says now; asking does not use it up.
    pub(crate) fn state<T>(&self, read: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let faults = self.faults.lock().expect("no panic");
        faults.iter().find_map(|planned| read(&planned.fault))
    }
}

impl Shared {
    /// What all faults that are states say.
    pub(crate) fn all<T>(&self, read: impl Fn(&Fault) -> Option<T>) -> Vec<T> {
        let faults = self.faults.lock().expect("no panic");
        faults
            .iter()
            .filter_map(|planned| read(&planned.fault))
            .collect()
    }
}

impl Method {
    /// Whether a request is meant: `called` is the runtime API's method of a `state_call`.
    pub(crate) fn matches(&self, method: &str, called: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Submit => method.starts_with("author_submit"),
            Self::Named(name) => method == *name,
            Self::RuntimeCall(name) => called == Some(name),
        }
    }
}
