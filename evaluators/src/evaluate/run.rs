//! Sets through the engine, chunk by chunk, on one executor or several.

mod progress;
mod queue;
mod rate;

use super::outcome::{outcome, overflows, score};
use super::sets::Set;
use super::{Request, Setup, failure};
use crate::engine::{
    Against, CpuExecutor, Executor, GpuExecutor, Group, Member, PassError, RowResult, order,
    run_chunk,
};
use crate::error::{EvaluateError, chain};
use crate::evaluation::{CandidateOutcome, CandidateResult, Event, Failure, Observer};
use crate::layout::Chunk;
use crate::plan::{Plan, PlannedSet, TILE_TOKENS};
use gradus_kernels::device::{DeviceError, module::take_notes};
use gradus_tasks::Owner;
use progress::{ChunkProgress, Progress};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use queue::Queue;
pub(super) use rate::product_rate;

/// Rows' numbers of one candidate, as far as they are known.
enum Numbers {
    Rows(Vec<RowResult>),
    Failed(Failure),
}

impl Setup {
    /// Runs every set; one outcome per candidate, in order.
    pub(super) fn run(
        self,
        request: &Request<'_>,
        plan: &Plan,
        observer: &dyn Observer,
    ) -> Result<Vec<CandidateOutcome>, EvaluateError> {
        let progress = Progress::new(
            observer,
            plan.flops,
            self.sets
                .iter()
                .zip(&plan.sets)
                .map(|(set, planned)| set.entrants.len() * planned.rows)
                .sum(),
            plan.tokens_total(),
        );
        let mut results: Vec<Option<CandidateResult>> = self
            .entrants
            .iter()
            .map(|entrant| {
                entrant
                    .failure()
                    .map(|f| CandidateResult::Failed(f.clone()))
            })
            .collect();
        let mut rows_before = 0;
        for (set, planned) in self.sets.iter().zip(&plan.sets) {
            let (numbers, base) = self.run_set(set, planned, rows_before, &progress)?;
            rows_before += set.entrants.len() * planned.rows;
            for (&entrant, numbers) in set.entrants.iter().zip(numbers) {
                results[entrant] = Some(match numbers {
                    Numbers::Failed(failure) => CandidateResult::Failed(failure),
                    Numbers::Rows(rows) => score(
                        request,
                        &self.entrants[entrant],
                        set,
                        &rows,
                        base.as_deref(),
                    ),
                });
            }
        }
        // Pairs that were cut away altogether are in no chunk.
        progress.all_rows();
        Ok(self
            .entrants
            .iter()
            .zip(results)
            .map(|(entrant, result)| {
                outcome(
                    entrant,
                    result.expect("every entrant is in a set or has failed"),
                )
            })
            .collect())
    }

    /// Numbers of every entrant of `set`, and of the base if it was run.
    fn run_set(
        &self,
        set: &Set,
        planned: &PlannedSet,
        rows_before: usize,
        progress: &Progress<'_>,
    ) -> Result<(Vec<Numbers>, Option<Vec<RowResult>>), EvaluateError> {
        let gpus = self.gpus.len();
        let run = SetRun {
            setup: self,
            set,
            planned,
            rows_before,
            progress,
            queue: Queue::new(
                order(&self.models(set), &set.rows),
                planned.tokens_in_flight,
                gpus.max(1),
            ),
            found: Mutex::new(Found {
                numbers: set
                    .entrants
                    .iter()
                    .map(|_| Numbers::Rows(vec![RowResult::default(); set.rows.len()]))
                    .collect(),
                base: self
                    .needs_base
                    .then(|| vec![RowResult::default(); set.rows.len()]),
            }),
        };
        if gpus == 0 {
            run.work(&mut CpuExecutor::new(&self.cpu));
        } else {
            std::thread::scope(|scope| {
                for gpu in &self.gpus {
                    let run = &run;
                    scope.spawn(move || match GpuExecutor::new(gpu, TILE_TOKENS) {
                        Ok(mut executor) => run.work(&mut executor),
                        Err(error) => {
                            run.tell_notes();
                            run.queue.absent(error);
                        }
                    });
                }
            });
        }
        run.queue.finish()?;
        let Found { numbers, base } = run
            .found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = base.iter().flatten().position(overflows) {
            let row = set.file_row(row);
            return Err(EvaluateError::BaseFailed {
                reason: format!("its loss of row {row} is not a number: its activations overflow"),
            });
        }
        Ok((numbers, base))
    }
}

/// What is known of a set so far.
struct Found {
    numbers: Vec<Numbers>,
    base: Option<Vec<RowResult>>,
}

/// One set on its way through one or several executors.
struct SetRun<'a> {
    setup: &'a Setup,
    set: &'a Set,
    planned: &'a PlannedSet,
    /// Rows of the sets before, times entrants.
    rows_before: usize,
    progress: &'a Progress<'a>,
    queue: Queue<'a>,
    found: Mutex<Found>,
}

/// The models of a set, as one executor goes through them.
struct Groups {
    /// The base itself if it is needed, then adapters; with the adapters' places among the entrants.
    base: Option<(Group, Vec<usize>)>,
    /// One for each full candidate.
    full: Vec<(usize, Group)>,
}

impl SetRun<'_> {
    fn groups(&self) -> Groups {
        let (setup, set) = (self.setup, self.set);
        let mut shared: Vec<usize> = Vec::new();
        let mut members: Vec<Member> = setup.needs_base.then(Member::plain).into_iter().collect();
        for (place, &i) in set.entrants.iter().enumerate() {
            if let Some(member) = setup.entrants[i].member(&setup.base) {
                shared.push(place);
                members.push(member);
            }
        }
        let mut first_rope = 0;
        let base = (!members.is_empty()).then(|| {
            first_rope = setup.base.model.ropes().count();
            let group = Group {
                model: setup.base.model.clone(),
                members,
                first_rope: 0,
            };
            (group, shared)
        });
        let mut full: Vec<(usize, Group)> = Vec::new();
        for (place, &i) in set.entrants.iter().enumerate() {
            if let Some(model) = setup.entrants[i].full_model() {
                full.push((
                    place,
                    Group {
                        model: model.clone(),
                        members: vec![Member::plain()],
                        first_rope,
                    },
                ));
                first_rope += model.ropes().count();
            }
        }
        Groups { base, full }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes chunks until none is left, or `executor` is lost.
    fn work<E: Executor>(&self, executor: &mut E) {
        let mut groups = self.groups();
        let loads = self.setup.loads(self.set);
        while let Some(chunk) = self.queue.take() {
            let flops = loads.iter().map(|load| load.flops(&chunk)).sum::<f64>();
            let mut monitor = self.progress.of_chunk(flops);
            let guard = self.queue.guard();
            let done = self.chunk(executor, &mut groups, &chunk, &mut monitor);
            drop(guard);
            self.tell_notes();
            match done {
                Ok(()) => {
                    let (rows, all) = self.queue.done(&chunk);
                    // Both sides of a pair are rows here; sides that were cut away are in no chunk.
                    let rows = self.planned.rows * rows / all * self.set.entrants.len();
                    self.progress.chunk_done(monitor, self.rows_before + rows);
                }
                Err(Interruption::End(error)) => self.queue.stop(error),
                Err(Interruption::Device(error)) => {
                    self.progress.chunk_lost(monitor);
                    if error.is_lost() {
                        return self.queue.lost(chunk, error);
                    } else if error.is_out_of_memory() {
                        self.queue.too_large(chunk, error);
                    } else {
                        self.queue.stop(EvaluateError::Device(error));
                    }
                }
            }
        }
    }

    /// One chunk through all models.
    fn chunk<E: Executor>(
        &self,
        executor: &mut E,
        groups: &mut Groups,
        chunk: &Chunk,
        monitor: &mut ChunkProgress<'_>,
    ) -> Result<(), Interruption> {
        let setup = self.setup;
        let mut base_head = None;
        if let Some((group, shared)) = &mut groups.base {
            let against = if setup.needs_kl {
                Against::First
            } else {
                Against::Nothing
            };
            let pass = run_chunk(executor, group, chunk, &against, monitor).map_err(stopped)?;
            let offset = usize::from(setup.needs_base);
            if let Some(error) = group.members[..offset]
                .iter()
                .find_map(|m| m.failure.as_ref())
            {
                return Err(Interruption::End(EvaluateError::BaseFailed {
                    reason: chain(error),
                }));
            }
            let mut found = self.found();
            for (member, results) in pass.results.into_iter().enumerate() {
                let Some(results) = results else { continue };
                match (member.checked_sub(offset), &mut found.base) {
                    (None, Some(rows)) => place_rows(rows, &chunk.rows, results),
                    (Some(i), _) => {
                        place_numbers(&mut found.numbers[shared[i]], &chunk.rows, results);
                    }
                    (None, None) => {}
                }
            }
            for (i, member) in group.members[offset..].iter().enumerate() {
                if let Some(error) = &member.failure {
                    self.fail(shared[i], error.owner(), error, &mut found);
                }
            }
            base_head = pass.first.filter(|_| setup.needs_kl);
        }
        for (place, group) in &mut groups.full {
            if matches!(self.found().numbers[*place], Numbers::Failed(_)) {
                continue;
            }
            let against = match &base_head {
                Some(base) => Against::Base(base),
                None => Against::Nothing,
            };
            match run_chunk(executor, group, chunk, &against, monitor) {
                Ok(pass) => {
                    let mut found = self.found();
                    if let Some(results) = pass.results.into_iter().next().flatten() {
                        place_numbers(&mut found.numbers[*place], &chunk.rows, results);
                    }
                    if let Some(error) = &group.members[0].failure {
                        self.fail(*place, error.owner(), error, &mut found);
                    }
                }
                Err(PassError::Weights(error)) => {
                    self.fail(*place, error.owner(), &error, &mut self.found());
                }
                Err(error) => return Err(stopped(error)),
            }
        }
        Ok(())
    }

    /// Says what there is to say of the kernels that were loaded.
    fn tell_notes(&self) {
        for text in take_notes() {
            self.progress.observer().on_event(Event::Note { text });
        }
    }

    /// Takes an entrant out.
    fn fail(&self, place: usize, owner: Owner, error: &dyn std::error::Error, found: &mut Found) {
        if matches!(found.numbers[place], Numbers::Failed(_)) {
            return;
        }
        let failure = failure(owner, error);
        let name = self.setup.entrants[self.set.entrants[place]].name.clone();
        self.progress.observer().on_event(Event::CandidateFailed {
            name,
            failure: failure.clone(),
        });
        found.numbers[place] = Numbers::Failed(failure);
    }
}

/// Why a chunk was not finished.
enum Interruption {
    /// Nothing more shall be done.
    End(EvaluateError),
    /// Another device, or less at a time, may do it.
    Device(DeviceError),
}

fn stopped(error: PassError) -> Interruption {
    match error {
        PassError::Device(error) => Interruption::Device(error),
        error => Interruption::End(error.into()),
    }
}

fn place_rows(all: &mut [RowResult], rows: &[usize], results: Vec<RowResult>) {
    for (&row, result) in rows.iter().zip(results) {
        all[row] = result;
    }
}

fn place_numbers(numbers: &mut Numbers, rows: &[usize], results: Vec<RowResult>) {
    if let Numbers::Rows(all) = numbers {
        place_rows(all, rows, results);
    }
}
