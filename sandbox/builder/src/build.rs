//! A build, from the Dockerfile to an image in the store.

mod check;
mod files;
mod inputs;
mod remote;
mod stage;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gradus_image::Digest;
use gradus_image::context::Context;
use gradus_image::dockerfile::{Base, Options, Parent, Platform, Resolved, parse};
use gradus_image::layout::model::LAYERS_MAX;
use gradus_image::layout::put_built;
use gradus_image::store::{ImageLayer, ImageRecord, Store};
use gradus_sandbox::sandbox::Sandbox;
use serde::Serialize;

use crate::bases::{Bases, ResolvedBase, Resolver};
use crate::error::BuildError;
use crate::image::{rfc3339, to_dockerfile, to_oci};
use crate::limits::BuildLimits;
use crate::mounts::{Materials, Secret};
use crate::network::Network;
use crate::progress::{Added, Event, Large, StepReport};
use crate::session::Session;
use stage::{Builder, Stage};

/// Times in images where nobody says another: the second day of 1980, since zip archives, and so Python's wheels, know no earlier year.
pub const EPOCH_S: u64 = 315_619_200;

/// What is to be built, and what the build is given.
pub struct Request<'a> {
    /// the Dockerfile's bytes
    pub dockerfile: &'a [u8],
    /// the directory that files are copied from
    pub context: &'a Path,
    /// stage by name or number; the last if none
    pub target: Option<String>,
    /// values for `ARG`
    pub args: BTreeMap<String, String>,
    /// files that commands may read while they run
    pub secrets: &'a [Secret],
    /// whose caches commands see and leave for later builds: everybody's whose builds are given the same. None for caches that end with the
    /// build; a step that is given one is then done each time
    pub cache_scope: Option<String>,
    /// whether steps are done again that were done before
    pub no_cache: bool,
    /// names that the image gets
    pub names: Vec<String>,
    /// what it may use
    pub limits: BuildLimits,
    /// what commands may reach
    pub network: Network<'a>,
    /// where images come from that the store does not have
    pub bases: &'a dyn Bases,
    /// later times in the image become this one, seconds since 1970
    pub epoch_s: u64,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The image: its configuration's digest.
    pub image: Digest,
    /// Its names.
    pub names: Vec<String>,
    /// What names of images in the Dockerfile led to.
    pub bases: Vec<ResolvedBase>,
    /// What `ADD` took from the network.
    pub added: Vec<Added>,
    /// What was done.
    pub steps: Vec<StepReport>,
    /// Files that whoever judges the image may want to know of, the largest first.
    pub large: Vec<Large>,
    /// Bytes of all layers, unpacked.
    pub bytes: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// Builds an image into `store`. `cancelled` is asked now and then whether to stop; `tell` hears what happens.
///
/// # Errors
/// As [`BuildError`] says. No name stands for another image then, and nothing of the build runs or is left but layers of steps that were done.
pub fn build(
    sandbox: &Sandbox,
    store: &Store,
    request: &Request<'_>,
    cancelled: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Built, BuildError> {
    if !rustix::process::geteuid().is_root() {
        return Err(BuildError::NotRoot);
    }
    let started = Instant::now();
    // Before anything is looked up: a Dockerfile that is none costs nothing.
    let parsed = parse(request.dockerfile)?;
    let plan = parsed.plan(Options {
        target: request.target.clone(),
        args: request.args.clone(),
        platform: Platform::default(),
    })?;
    for (line, text) in &plan.notes {
        tell(Event::Remark { line: *line, text });
    }
    let context = Context::open(request.context, request.limits.context)?;
    crate::session::sweep(sandbox)?;
    let session = Session::new(&sandbox.state().builds())?;
    let pin = store.pin()?;
    let epoch_s = i64::try_from(request.epoch_s).unwrap_or(i64::MAX);
    let proxies = plan.proxies();
    let mut builder = Builder {
        materials: Materials {
            sandbox,
            session: &session,
            limits: &request.limits,
            secrets: request.secrets,
            cache_scope: request.cache_scope.as_deref(),
            context: &context,
            epoch_s,
            cancelled,
        },
        store,
        pin: &pin,
        proxies: &proxies,
        network: request.network,
        no_cache: request.no_cache,
        started,
        resolver: Resolver::new(store, &pin, request.bases),
        stages: BTreeMap::new(),
        number: 0,
        total: 0,
        reports: Vec::new(),
        added: Vec::new(),
        selected: BTreeMap::new(),
        tell,
    };
    // All names first: a base that is not there is known before the first command has run for an hour.
    for planned in &plan.stages {
        let line = parsed.stages[planned.index].line;
        let base = match &planned.base {
            Base::Image(reference) => Some(reference),
            _ => None,
        };
        for reference in base.into_iter().chain(&planned.images) {
            builder.resolver.get(line, reference, &planned.platform)?;
        }
    }
    // Then all texts: what is refused is refused before that, too.
    let mut all: BTreeMap<usize, Resolved> = BTreeMap::new();
    for planned in &plan.stages {
        let source = &parsed.stages[planned.index];
        let resolved = match &planned.base {
            Base::Stage(index) => {
                let parent = all.get(index).expect("stages are in order");
                plan.resolve(planned, Parent::Stage(parent))?
            }
            Base::Image(reference) => {
                let base = builder
                    .resolver
                    .get(source.line, reference, &planned.platform)?;
                plan.resolve(planned, Parent::Image(&to_dockerfile(&base.config)))?
            }
            Base::Scratch => plan.resolve(planned, Parent::Scratch)?,
        };
        for step in &resolved.steps {
            builder
                .check(step)
                .map_err(|error| BuildError::at(step, error))?;
        }
        // FROM is one, ARG is none.
        builder.total += resolved.steps.len() + 1;
        all.insert(planned.index, resolved);
    }
    for planned in &plan.stages {
        let source = &parsed.stages[planned.index];
        builder.step_begins(source.line, &source.text);
        let mut stage = Stage::begin(planned, source.line, &mut builder)?;
        let resolved = all.remove(&planned.index).expect("it was resolved");
        builder.step_done(source.line, &source.text, true, Duration::ZERO, None);
        for step in &resolved.steps {
            builder.step(step, &mut stage)?;
        }
        stage.resolved = resolved;
        builder.stages.insert(planned.index, stage);
    }
    let last = plan.stages.last().expect("the target is a stage");
    let stage = builder.stages.remove(&last.index).expect("it was built");
    let (bytes, image) = finish(store, &pin, request, &stage, &last.platform)?;
    let names = request.names.iter().map(|name| {
        store.tag(name, &image.config)?;
        Ok(name.clone())
    });
    let names = names.collect::<Result<_, BuildError>>()?;
    let mut large = stage.large;
    large.sort_by(|one, other| other.bytes.cmp(&one.bytes).then(one.path.cmp(&other.path)));
    Ok(Built {
        image: image.config,
        names,
        bases: builder.resolver.resolved(),
        added: builder.added,
        steps: builder.reports,
        large,
        bytes,
        took_ms: started.elapsed().as_millis() as u64,
    })
}

fn finish(
    store: &Store,
    pin: &gradus_image::store::Pin,
    request: &Request<'_>,
    stage: &Stage,
    platform: &Platform,
) -> Result<(u64, ImageRecord), BuildError> {
    if stage.layers.len() > LAYERS_MAX {
        return Err(BuildError::Layers {
            found: stage.layers.len(),
            limit: LAYERS_MAX,
        });
    }
    let bytes = stage.bytes(store)?;
    if bytes > request.limits.image_bytes {
        return Err(BuildError::ImageSize {
            found: bytes,
            limit: request.limits.image_bytes,
        });
    }
    let diff_ids = stage.layers.iter().map(|layer| layer.diff_id).collect();
    let config = to_oci(
        stage.base.as_ref(),
        &stage.resolved.config,
        platform,
        diff_ids,
        stage.history.clone(),
        rfc3339(request.epoch_s),
    );
    let layers: Vec<ImageLayer> = stage.layers.clone();
    Ok((bytes, put_built(store, pin, &config, layers)?))
}
