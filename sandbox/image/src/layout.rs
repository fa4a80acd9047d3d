//! OCI image layouts, taken in and written out.
