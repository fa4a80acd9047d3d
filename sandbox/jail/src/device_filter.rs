//! Which device nodes a group may open.
