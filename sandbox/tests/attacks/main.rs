//! Hostile jobs: `sandbox/probe` in the sandbox, for every attack that the sandbox is meant to stand.
//!
//! Each test runs its attack inside and looks from outside: what the job ended as, what the host noticed, and that nothing of it is left
//! when it is removed (no process, control group, mount, loop device, file). They need root, and say so aloud where they cannot run. What does not
//! come from inside a job is tried where it is refused; [`table`] sees that each attack has a test of the name that stands here.
//!
//! | # | attack | test |
//! |---|---|---|
//! | 1 | fork bomb | `exhaustion::a_fork_bomb_is_bounded_and_the_host_still_forks` |
//! | 2 | memory bomb | `exhaustion::a_memory_bomb_ends_as_out_of_memory` |
//! | 3 | page cache, pipes | `exhaustion::memory_of_pipes_counts_as_the_jobs`, `exhaustion::a_file_larger_than_its_memory_does_not_end_a_job` |
//! | 4 | processor hog, realtime | `exhaustion::a_processor_hog_gets_no_realtime_and_the_host_keeps_its_beat`, `questions::no_realtime_and_no_limit_is_raised` |
//! | 5 | full disk | `exhaustion::a_full_disk_is_the_jobs_own` |
//! | 6 | files without end | `exhaustion::the_number_of_files_is_bounded` |
//! | 7 | sparse output of 8 TiB | `planted::a_sparse_output_is_refused_by_its_size` |
//! | 8 | symbolic link out of outputs | `planted::links_are_refused` |
//! | 9 | hard link to an input or another job | `planted::links_are_refused`, `questions::inputs_cannot_be_changed` |
//! | 10 | fifo, socket as an output | `planted::what_is_no_file_is_refused_without_waiting` |
//! | 11 | a file that changes while it is taken | `planted::nobody_is_left_to_change_outputs_while_they_are_taken`; by `sandbox/tests/outputs.rs` file by file |
//! | 12 | set-user-id, file capabilities | `questions::a_set_user_id_program_gains_nothing` |
//! | 13 | device nodes | `questions::no_device_is_made_or_opened` |
//! | 14 | memory of other processes | `questions::the_first_process_cannot_be_looked_into` |
//! | 15 | signals to others | `questions::nobody_outside_is_seen_or_signalled` |
//! | 16 | SIGTERM ignored past the deadline | `endings::who_ignores_signals_ends_at_the_deadline_all_the_same` |
//! | 17 | daemons | `endings::three_hundred_daemons_are_gone_within_a_second`, `endings::daemons_end_with_the_program`, `endings::who_forks_faster_than_it_is_killed_is_killed` |
//! | 18 | death of the supervisor | `endings::a_watcher_that_is_killed_takes_its_job_along`; more by the tests of recovery |
//! | 19 | `/proc/sys`, sysrq, core_pattern | `questions::kernel_files_are_read_only_and_tell_nothing` |
//! | 20 | control groups, release_agent | `questions::control_groups_are_out_of_reach` |
//! | 21 | nested user namespaces | `questions::no_namespace_is_made_or_entered` |
//! | 22 | keys, bpf, perf, userfaultfd, io_uring, kexec, modules | `questions::no_system_call_beyond_the_policy_is_made` |
//! | 23 | mounts | `questions::nothing_is_mounted_or_unmounted` |
//! | 24 | files by handle | `questions::no_system_call_beyond_the_policy_is_made` |
//! | 25 | network, names | `questions::the_network_is_the_jobs_own_loopback` |
//! | 26 | vsock | `questions::no_socket_reaches_a_subsystem_that_nobody_needs` |
//! | 27 | raw, packet, alg, netlink | `questions::no_socket_reaches_a_subsystem_that_nobody_needs` |
//! | 28 | abstract socket of a host's daemon | `questions::the_network_is_the_jobs_own_loopback` |
//! | 29 | inherited descriptors | `questions::nothing_is_inherited`, `launching::a_working_directory_in_a_descriptor_leads_nowhere` |
//! | 30 | the launcher's program overwritten | `questions::the_first_process_cannot_be_looked_into`, `questions::its_own_program_cannot_be_changed` |
//! | 31 | shared memory, System V, queues | `exhaustion::shared_memory_and_queues_are_bounded` |
//! | 32 | core dumps | `endings::a_crash_is_a_signal_and_leaves_no_core`, `questions::no_core_is_dumped_not_even_through_the_host` |
//! | 33 | clocks | `questions::no_system_call_beyond_the_policy_is_made` |
//! | 34 | log flood | `printing::a_flood_is_ended_and_costs_the_watcher_little`, `printing::a_hose_of_gigabytes_a_second_costs_the_watcher_little`, `printing::a_byte_at_a_time_costs_the_watcher_little` |
//! | 35 | terminal escapes, forged lines | `printing::what_is_printed_is_kept_and_obeyed_by_nobody`; form and rendering by `sandbox/tests/logs.rs` |
//! | 36 | GPU memory after the end | `gpus::kept::memory_that_is_held_after_the_end_puts_the_gpu_into_quarantine`, `gpus::kept::a_process_that_stays_on_the_gpu_keeps_it_from_others`, `gpus::kept::a_gpu_that_is_gone_or_says_nothing_goes_into_quarantine`, `gpus::kept::who_takes_more_memory_than_granted_is_ended_for_it`; with a driver of files |
//! | 37 | another GPU | `gpus::refused::the_other_gpu_is_not_there`, `gpus::refused::the_other_gpu_is_refused_by_the_filter_wherever_its_node_is`, `gpus::kept::a_stranger_on_a_granted_gpu_is_an_alarm_in_the_record_and_not_the_jobs_memory`, `gpus::refused::links_of_the_image_lead_the_driver_nowhere` |
//! | 38 | GPU daemons' sockets | `questions::no_daemon_listens_inside`, `gpus::refused::no_daemon_of_the_driver_is_inside` |
//! | 39 | pickled checkpoints | `tests/suite/cli_hostile.rs::a_pickled_candidate_is_refused_by_name_and_nothing_of_it_is_run` |
//! | 40 | safetensors bombs | `tests/suite/cli_hostile.rs::parameters_that_lie_about_themselves_are_refused_in_little_memory`; fuzzed by `fuzz` |
//! | 41 | code in configurations and tokenizers | `tests/suite/cli_hostile.rs::code_tokenizers_and_templates_of_a_candidate_are_neither_run_nor_read`, `tests/suite/cli_hostile.rs::an_adapter_that_asks_for_what_is_not_known_is_refused_by_the_field` |
//! | 42 | hidden test data | `questions::canaries_of_the_host_and_of_another_job_are_not_found` |
//! | 43 | another job's files | `questions::canaries_of_the_host_and_of_another_job_are_not_found`, `questions::it_does_not_learn_which_jobs_there_are` |
//! | 44 | training during the build | `sandbox/builder/tests/suite/hostile.rs::a_build_that_computes_or_hoards_ends_at_its_limits`, `sandbox/builder/tests/suite/running.rs::a_command_reaches_no_network_and_no_host` |
//! | 45 | results smuggled in an image or a repository | `sandbox/builder/tests/suite/hostile.rs::large_files_are_reported_with_the_line_that_brought_them`, `sandbox/fetch/tests/suite/git/hostile/sizes.rs::results_that_are_smuggled_in_are_bounded_and_reported` |
//! | 46 | archive, pack and submodule bombs | `sandbox/fetch/tests/suite/git/hostile/sizes.rs::a_tree_that_is_itself_ten_times_over_is_not_written`, `sandbox/fetch/tests/suite/git/hostile/sizes.rs::one_blob_many_times_over_is_not_written`, `sandbox/fetch/tests/suite/git/hostile/packs.rs::objects_that_unpack_to_more_or_less_than_they_say_are_refused`, `sandbox/fetch/tests/suite/git/real.rs::a_submodule_is_an_empty_directory_and_told`, `sandbox/image/tests/suite/malformed.rs::an_archive_of_zeros_is_refused_for_its_ratio` |
//! | 47 | image bombs, layers that lead out | `sandbox/image/tests/suite/malformed.rs::too_many_entries_are_refused_and_parents_count`, `sandbox/image/tests/suite/hostile.rs::depth_counts_where_an_entry_lies_and_not_how_it_is_called`, `sandbox/image/tests/suite/hostile.rs::names_with_dots_are_refused`, `sandbox/image/tests/suite/hostile.rs::writing_through_an_absolute_link_stays_inside`, `sandbox/image/tests/suite/hostile.rs::hard_links_reach_files_of_the_layer_and_nothing_else`, `sandbox/fetch/tests/suite/registry/hostile/layers.rs::a_bomb_is_refused` |
//! | 48 | environment of the image | `launching::variables_of_the_image_reach_nothing_but_its_program` |
//! | 49 | links and mounts that move | `launching::a_mount_on_the_host_does_not_appear_inside`, `launching::links_in_the_image_do_not_lead_mounts_out` |
//! | 50 | side channels | `questions::it_does_not_learn_which_jobs_there_are`; loads and times of the host are visible, which is accepted |
//! | 51 | forged outcome | `endings::success_after_a_child_ran_out_of_memory_is_out_of_memory`, `endings::the_first_process_has_no_ear_for_forged_reports`, `exhaustion::a_full_disk_is_the_jobs_own` |
//! | 52 | a removal that takes for ever | `endings::many_files_are_removed_at_once` |

mod arena;
#[path = "../seccomp/cases.rs"]
mod cases;
mod compare;
#[path = "../busybox/end_all.rs"]
mod end_all;
mod endings;
mod exhaustion;
mod gpus;
mod launching;
mod planted;
mod printing;
mod program;
mod questions;
mod refused;
mod remains;
mod rules;
mod table;
