//! Whole evaluations of small golden models, over a tokenizer whose words are token ids.
//!
//! | module | is about |
//! |---|---|
//! | `bits` | what must not change any bit |
//! | `isolation` | one candidate's failure is its own, and says whose and why |
//! | `damage` | candidates damaged in every way we know |
//! | `gpus` | the same on GPUs, emulated where there is none |
//! | `midway` | files that change or vanish while they are read |
//! | `context` | full models with lengths, vocabularies and configurations of their own |
//! | `rows` | data sets that are empty, alone, double, cut away |
//! | `resources` | memory limits, cancelling, progress, plans |
//! | `world` | bases, tokenizer, tasks, rows |
//! | `tensors` | weight files, taken apart and put together wrongly |

mod bits;
mod context;
mod damage;
mod gpus;
mod isolation;
mod midway;
mod resources;
mod rows;
mod tensors;
mod world;
