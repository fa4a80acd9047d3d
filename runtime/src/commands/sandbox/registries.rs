//! Images of registries: how they are asked, and what is pulled is called.

use super::CommandError;
use crate::cli::sandbox::RegistryArgs;
use gradus_builder::{Bases, FetchError};
use gradus_fetch::registry::{Credentials, PullOptions, Puller, Reference};
use gradus_image::Owner;
use gradus_image::dockerfile::{ImageRef, Platform};
use gradus_image::store::{ImageRecord, Pin, Store};

/// Registries, as where a build's base images come from.
pub(super) struct Registries(PullOptions);

impl Registries {
    pub(super) fn new(arguments: &RegistryArgs) -> Result<Registries, CommandError> {
        Ok(Registries(options(arguments)?))
    }
}

impl Bases for Registries {
    fn fetch(
        &self,
        reference: &ImageRef,
        platform: &Platform,
        store: &Store,
        pin: &Pin,
    ) -> Result<Option<ImageRecord>, FetchError> {
        let failed = |owner, source| FetchError { owner, source };
        let reference: Reference = reference
            .to_string()
            .parse()
            .map_err(|error| failed(Owner::Submission, Box::new(error) as _))?;
        let options = PullOptions {
            platform: gradus_image::layout::Platform {
                architecture: platform.arch.clone(),
                os: platform.os.clone(),
                variant: platform.variant.clone(),
            },
            ..self.0.clone()
        };
        let pulled = Puller::new(options)
            .pull(store, pin, &reference, &|_| {})
            .map_err(|error| failed(error.owner(), Box::new(error) as _))?;
        for name in names(&reference) {
            store
                .tag(&name, &pulled.image.config)
                .map_err(|error| failed(Owner::Host, Box::new(error) as _))?;
        }
        Ok(Some(pulled.image))
    }
}

/// The name that was asked for, in full; a digest names itself.
pub(super) fn names(reference: &Reference) -> Vec<String> {
    let Some(tag) = reference.tag() else {
        return Vec::new();
    };
    let (registry, repository) = (reference.registry(), reference.repository());
    let mut names = vec![format!("{registry}/{repository}:{tag}")];
    // As people write it, and Dockerfiles.
    if registry == gradus_fetch::registry::reference::DEFAULT_REGISTRY {
        let short = repository.strip_prefix("library/").unwrap_or(repository);
        names.push(format!("{short}:{tag}"));
    }
    names
}

/// How registries are asked, as `arguments` say.
pub(super) fn options(arguments: &RegistryArgs) -> Result<PullOptions, CommandError> {
    let mut options = PullOptions {
        mirrors: arguments.mirrors.clone(),
        insecure: arguments.insecure.clone(),
        credentials: match &arguments.auth_file {
            Some(file) => Credentials::read(file).map_err(CommandError::AuthFile)?,
            None => Credentials::from_environment()?,
        },
        ..PullOptions::default()
    };
    for server in arguments.trusted.iter().chain(&arguments.insecure) {
        options.reach = options.reach.trust(server);
    }
    for mirror in &arguments.mirrors {
        options.reach = options.reach.trust(&mirror.server()?);
    }
    Ok(options)
}
