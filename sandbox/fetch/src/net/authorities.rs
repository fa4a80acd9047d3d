//! Whose certificates a server may show.

use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Longest file of authorities; a distribution's is a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Authorities that may vouch for a server: the world's, as this program was built with them, or those of a file instead.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Option<Vec<Certificate<'static>>>);

/// Why a file is no list of authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// it cannot be read
    #[error("{path} cannot be read for certificates of authorities")]
    Read {
        /// which
        path: PathBuf,
        /// why
        #[source]
        source: std::io::Error,
    },
    /// it is something else
    #[error(
        "{path} holds {found}, certificates in PEM were expected\nhelp: name a file of authorities, such as /etc/ssl/certs/ca-certificates.crt"
    )]
    Content {
        /// which
        path: PathBuf,
        /// what is there
        found: String,
    },
}

impl Authorities {
    /// Those of a file in PEM, and no others.
    ///
    /// # Errors
    /// It cannot be read, or has no certificate in it.
    pub fn of_file(path: &Path) -> Result<Authorities, AuthoritiesError> {
        let content = |found: String| AuthoritiesError::Content {
            path: path.to_owned(),
            found,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| {
                std::io::Read::read_to_end(
                    &mut std::io::Read::take(file, FILE_BYTES_MAX),
                    &mut bytes,
                )
            })
            .map_err(|source| AuthoritiesError::Read {
                path: path.to_owned(),
                source,
            })?;
        let mut all = Vec::new();
        for item in parse_pem(&bytes) {
            match item {
                Ok(PemItem::Certificate(certificate)) => all.push(certificate),
                Ok(_) => {}
                Err(error) => return Err(content(error.to_string())),
            }
        }
        match all.is_empty() {
            true => Err(content("no certificate".to_owned())),
            false => Ok(Authorities(Some(all))),
        }
    }

    pub(super) fn roots(&self) -> RootCerts {
        match &self.0 {
            None => RootCerts::WebPki,
            Some(all) => RootCerts::new_with_certs(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(matches!(
            Authorities::of_file(&path),
            Err(AuthoritiesError::Read { .. })
        ));
        for text in [
            "",
            "text",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Authorities::of_file(&path).unwrap_err();
            assert!(matches!(error, AuthoritiesError::Content { .. }), "{error}");
        }
    }
}
