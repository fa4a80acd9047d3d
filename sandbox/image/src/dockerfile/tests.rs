//! Each instruction, each refusal, and what comes of them.

mod expanding;
mod golden;
mod hostile;
mod instructions;
mod keys;
mod stages;

use super::*;

/// Plans and resolves the target's stages on images without configuration.
pub(super) fn resolved_with(text: &str, options: Options) -> Result<Resolved, DockerfileError> {
    let image = ImageConfig::default();
    resolved_on(text, options, &image)
}

pub(super) fn resolved_on(
    text: &str,
    options: Options,
    image: &ImageConfig,
) -> Result<Resolved, DockerfileError> {
    let build = parse(text.as_bytes())?;
    let plan = build.plan(options)?;
    let mut done: std::collections::BTreeMap<usize, Resolved> = Default::default();
    for stage in &plan.stages {
        let parent = match &stage.base {
            Base::Scratch => Parent::Scratch,
            Base::Image(_) => Parent::Image(image),
            Base::Stage(index) => Parent::Stage(&done[index]),
        };
        let resolved = plan.resolve(stage, parent)?;
        done.insert(stage.index, resolved);
    }
    let last = plan.stages.last().expect("a plan has its target").index;
    Ok(done.remove(&last).expect("it was resolved"))
}

pub(super) fn resolved(text: &str) -> Result<Resolved, DockerfileError> {
    resolved_with(text, Options::default())
}

/// The steps after `FROM image`.
pub(super) fn steps(text: &str) -> Vec<Step> {
    match resolved(&format!("FROM image\n{text}\n")) {
        Ok(resolved) => resolved.steps,
        Err(e) => panic!("{text}: {e}"),
    }
}

pub(super) fn config(text: &str) -> ImageConfig {
    match resolved(&format!("FROM image\n{text}\n")) {
        Ok(resolved) => resolved.config,
        Err(e) => panic!("{text}: {e}"),
    }
}

/// The message, causes included, that instructions after `FROM image` are refused with; it names line 2.
pub(super) fn refused(text: &str) -> String {
    let error = resolved(&format!("FROM image\n{text}\n")).expect_err(text);
    assert_eq!(error.line(), Some(2), "{error}");
    assert_eq!(error.owner(), crate::Owner::Submission);
    chain(&error)
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}\n{error}");
        next = error.source();
    }
    text
}
