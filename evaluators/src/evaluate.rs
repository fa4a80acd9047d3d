//! One task, all its candidates: data to rows once, models opened, sets run, numbers to scores.

mod candidates;
mod outcome;
mod planning;
mod request;
mod run;
mod sets;
mod setup;

use crate::error::{EvaluateError, chain};
use crate::evaluation::{Evaluation, Event, Failure, Observer, SCHEMA};
use crate::plan::{Floors, Plan};
pub(crate) use candidates::Base;
use gradus_tasks::{Owner, TaskType};
pub(crate) use planning::fitting;
pub use request::{CandidateSource, Device, GpuSet, Options, Request};
pub(crate) use run::Queue;
use setup::Setup;
use std::sync::{Mutex, PoisonError};

/// Version of the numeric contract: the order of sums and the functions that results are made of.
pub const NUMERICS: &str = "f32-1";

/// As [`NUMERICS`], of the kernels for `sm_80` and those after it but Hopper.
pub const NUMERICS_SM80: &str = "bf16-sm80-1";
/// As [`NUMERICS`], of the kernels for Hopper.
pub const NUMERICS_SM90: &str = "bf16-sm90-1";

/// Scores every candidate.
///
/// # Errors
/// [`EvaluateError`] if nothing can be scored. A candidate that fails is part of the result.
pub fn evaluate(
    request: &Request<'_>,
    observer: &dyn Observer,
) -> Result<Evaluation, EvaluateError> {
    // Rows ask from many threads; after a yes nobody is asked again.
    let stopped = Mutex::new(false);
    let cancelled = || {
        let mut stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        *stopped = *stopped || observer.cancelled();
        *stopped
    };
    let setup = Setup::new(request, &cancelled)?;
    let plan = setup.plan(0.0)?;
    for entrant in &setup.entrants {
        if let Some(failure) = entrant.failure() {
            observer.on_event(Event::CandidateFailed {
                name: entrant.name.clone(),
                failure: failure.clone(),
            });
        }
    }
    observer.on_event(Event::Started {
        rows: plan.sets.iter().map(|set| set.rows).sum(),
        tokens: plan.sets.iter().map(|set| set.tokens_computed).sum(),
        candidates: setup
            .entrants
            .iter()
            .filter(|e| e.failure().is_none())
            .count(),
        tokens_total: plan.tokens_total(),
        flops: plan.flops,
        floor_s: plan.floors.as_ref().map(Floors::seconds),
    });
    let provenance = setup.provenance();
    let parameters = setup.base.checkpoint.parameter_count();
    let candidates = setup.run(request, &plan, observer)?;
    Ok(Evaluation {
        schema: SCHEMA.to_owned(),
        task_id: request.task.id.clone(),
        task_hash: request.task.content_hash(),
        task_type: subnet_task_type(request.task.task_type).to_owned(),
        rule_set: request.rules.id.clone(),
        model_params_count: parameters,
        candidates,
        provenance,
    })
}

/// What [`evaluate`] would do, without doing it.
///
/// # Errors
/// As [`evaluate`], as far as it can be told.
pub fn explain(request: &Request<'_>) -> Result<Plan, EvaluateError> {
    let setup = Setup::new(request, &|| false)?;
    let rate = run::product_rate(&setup.cpu);
    setup.plan(rate)
}

/// The subnet's name of a task type.
fn subnet_task_type(kind: TaskType) -> &'static str {
    match kind {
        TaskType::Instruct => "InstructTextTask",
        TaskType::Chat => "ChatTask",
        TaskType::Dpo => "DpoTask",
        TaskType::Grpo => "GrpoTask",
        TaskType::Env => "EnvTask",
    }
}

/// A failure out of an error and its causes.
fn failure(owner: Owner, error: &dyn std::error::Error) -> Failure {
    Failure {
        owner,
        reason: chain(error),
    }
}

#[cfg(test)]
mod tests;
