//! What is refused whatever the steps before it come to. All of it is, before the first one is done: nobody waits an hour for it.

use gradus_image::dockerfile::resolve::{CopyFrom, CopySource};
use gradus_image::dockerfile::{Action, Step};

use super::stage::Builder;
use crate::error::StepError;
use crate::network::Network;

impl Builder<'_> {
    /// Refuses a step that cannot be done: what is not supported, sources that the context does not have, hosts that may not be reached.
    pub(super) fn check(&mut self, step: &Step) -> Result<(), StepError> {
        let mut wanted: Vec<&str> = Vec::new();
        match &step.action {
            Action::Config | Action::Workdir(_) => {}
            Action::Run(run) => {
                for mount in &run.mounts {
                    self.materials.check(mount)?;
                }
                let shown = run.mount_sources.iter();
                wanted.extend(
                    shown
                        .filter(|(from, _)| *from == CopyFrom::Context)
                        .map(|(_, path)| path.as_str()),
                );
            }
            Action::Copy(copy) => {
                for source in &copy.sources {
                    match source {
                        CopySource::Path(path) if copy.from == CopyFrom::Context => {
                            wanted.push(path);
                        }
                        CopySource::Url { url, .. } | CopySource::Repository { url, .. } => {
                            self.may_fetch(url)?;
                        }
                        CopySource::Path(_) | CopySource::File { .. } => {}
                    }
                }
            }
        }
        for path in wanted {
            self.selected(path)?;
        }
        Ok(())
    }

    fn may_fetch(&self, url: &str) -> Result<(), StepError> {
        let why = match &self.network {
            Network::Egress(egress) => match egress.names(url) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            },
            Network::None => "the build may reach no host".to_owned(),
        };
        Err(StepError::NotAllowed {
            url: url.to_owned(),
            why,
        })
    }
}
