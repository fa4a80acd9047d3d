//! Certificates that are right and wrong, and a client that looks at them. Made by `golden/make.sh`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

/// What a server shows. All but [`Shown::Other`] are for `localhost` and 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// of the tests' authority, and valid
    Good,
    /// for another name
    Other,
    /// not valid any more
    Expired,
    /// vouched for by nobody
    Alone,
}

impl Shown {
    fn files(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Shown::Good => (
                include_bytes!("../golden/good.pem"),
                include_bytes!("../golden/good.key"),
            ),
            Shown::Other => (
                include_bytes!("../golden/other.pem"),
                include_bytes!("../golden/other.key"),
            ),
            Shown::Expired => (
                include_bytes!("../golden/expired.pem"),
                include_bytes!("../golden/expired.key"),
            ),
            Shown::Alone => (
                include_bytes!("../golden/alone.pem"),
                include_bytes!("../golden/alone.key"),
            ),
        }
    }

    /// A server's side.
    ///
    /// # Panics
    /// The files are not what they are to be.
    pub fn config(self) -> Arc<ServerConfig> {
        let (certificate, key) = self.files();
        let certificate = CertificateDer::from_pem_slice(certificate).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that there are")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a key that fits");
        Arc::new(config)
    }
}

/// The file with the authority's certificate.
pub fn authority() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/authority.pem"))
}

/// Speaks TLS over `stream` as a client that trusts the tests' authority, and asks for `name`.
///
/// # Errors
/// The handshake's.
///
/// # Panics
/// `name` is none.
pub fn connect(
    stream: TcpStream,
    name: &str,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority = include_bytes!("../golden/authority.pem");
    let authority = CertificateDer::from_pem_slice(authority).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions that there are")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(client, stream);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// Both ways of a connection.
pub(crate) trait Both: Read + Write + Send {}

impl<T: Read + Write + Send> Both for T {}
