//! What exhausts something, or outlives something.
//!
//! | module | is about |
//! |---|---|
//! | [`bombs`] | memory, processes, processors |
//! | [`filling`] | disk, files, shared memory, queues |
//! | [`output`] | what is printed |
//! | [`endings`] | ends: refused, forged, survived |

mod bombs;
mod endings;
mod filling;
mod output;

use std::process::ExitCode;

use crate::arguments::Arguments;

/// A load's name and what it does.
pub(crate) type Load = (&'static str, fn(&Arguments) -> ExitCode);

/// All of them.
pub(crate) const ALL: &[Load] = &[
    ("who-am-i", crate::questions::identity::who_am_i),
    ("fork-bomb", bombs::forks),
    ("memory-bomb", bombs::memory),
    ("memory-bomb-of-a-child", bombs::memory_of_a_child),
    ("pipe-bomb", bombs::pipes),
    ("page-cache-bomb", bombs::page_cache),
    ("cpu-hog", bombs::processors),
    ("fill-disk", filling::disk),
    ("fill-inodes", filling::inodes),
    ("fill-shared-memory", filling::shared_memory),
    ("fill-queues", filling::queues),
    ("hostile-outputs", filling::hostile_outputs),
    ("many-files", filling::many_files),
    ("flood", output::flood),
    ("drip", output::drip),
    ("escapes", output::escapes),
    ("streams-by-name", output::streams_by_name),
    ("close-and-go-on", output::close_and_go_on),
    ("ignore-signals", endings::ignore_signals),
    ("save-at-the-end", endings::save_at_the_end),
    ("daemons", endings::daemons),
    ("forking-daemons", endings::forking_daemons),
    ("segfault", endings::segfault),
    ("zombies", endings::zombies),
    ("signal-flood", endings::signal_flood),
    ("forge", endings::forge),
    ("wait-for", endings::wait_for),
];
