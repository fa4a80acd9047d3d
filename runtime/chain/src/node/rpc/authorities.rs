//! Whose certificates nodes may show: the world's authorities as they were built in, or instead those of the file that `SSL_CERT_FILE` names.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The variable that names a file of authorities, as with most programs.
const VARIABLE: &str = "SSL_CERT_FILE";
/// The longest such file, in bytes; a distribution's is a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Why the file that `SSL_CERT_FILE` names is no list of authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It cannot be read.
    #[error("{} of {VARIABLE} cannot be read for certificates of authorities", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{} of {VARIABLE} holds {found}, expected certificates of authorities in PEM: name a file such as /etc/ssl/certs/ca-certificates.crt",
        path.display()
    )]
    Content {
        /// Which.
        path: PathBuf,
        /// What is there.
        found: String,
    },
}

/// How TLS is spoken, read once for each process.
pub(super) fn client_config() -> Result<Arc<ClientConfig>, Arc<AuthoritiesError>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, Arc<AuthoritiesError>>> = OnceLock::new();
    let make = || {
        let roots = match std::env::var_os(VARIABLE) {
            Some(file) if !file.is_empty() => of_file(Path::new(&file)).map_err(Arc::new)?,
            _ => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    };
    CONFIG.get_or_init(make).clone()
}

/// The authorities of a file in PEM, and no others. What is no certificate in it is passed over, as keys beside one are.
fn of_file(path: &Path) -> Result<RootCertStore, AuthoritiesError> {
    let content = |found: String| AuthoritiesError::Content {
        path: path.to_owned(),
        found,
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|source| AuthoritiesError::Read {
            path: path.to_owned(),
            source,
        })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| content(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| content(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(content("no certificate".to_owned())),
        false => Ok(roots),
    }
}

/// What a node's certificate lacks, and what to do; `None` for errors that are not about one.
pub(super) fn refused(error: &io::Error) -> Option<(&'static str, &'static str)> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(why) = error else {
        return None;
    };
    Some(match why {
        UnknownIssuer => (
            "no authority that is trusted vouches for its certificate",
            "if the node is yours, name a file with its authority's certificate in SSL_CERT_FILE",
        ),
        Expired | ExpiredContext { .. } => (
            "its certificate has expired",
            "see whether this machine's clock is right, or use another node",
        ),
        NotValidYet | NotValidYetContext { .. } => (
            "its certificate is not valid yet",
            "see whether this machine's clock is right",
        ),
        NotValidForName | NotValidForNameContext { .. } => (
            "its certificate is for another name",
            "write the name that the certificate is for",
        ),
        _ => (
            "its certificate is not accepted",
            "use another node, or have its certificate renewed",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_authorities_is_refused_by_its_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("authorities.pem");
        let absent = of_file(&path).expect_err("not there");
        assert!(matches!(absent, AuthoritiesError::Read { .. }), "{absent}");
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        for text in [
            String::new(),
            "text".to_owned(),
            format!("{begin}!\n{end}"),
            format!("{begin}AAAA\n{end}"),
            format!("{begin}AAAA\n"),
        ] {
            std::fs::write(&path, &text).expect("room");
            let error = of_file(&path).expect_err(&text);
            assert!(matches!(error, AuthoritiesError::Content { .. }), "{error}");
            assert!(error.to_string().contains("authorities.pem"), "{error}");
        }
    }
}
