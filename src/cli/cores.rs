//! No core dumps: the process holds the API key, and a core would carry it to disk.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off for this process, before it has read anything worth hiding. A limit of zero keeps
/// the kernel from writing a file; "not dumpable" also keeps it from handing the memory to a crash collector
/// (which ignores the limit), and other processes of the same user from reading it.
///
/// Says nothing where it is not allowed: under systemd the unit's `LimitCORE=0` stands already.
pub(super) fn forbid() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Each helps without the other, so a failure of the one must not keep the other from being tried.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn neither_a_file_nor_a_collector_gets_the_memory() {
        forbid();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
