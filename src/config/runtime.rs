//! Where the running service can be asked: a socket in its runtime directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The socket of the packaged service.
const PACKAGED: &str = "/run/retentiond/control.sock";

/// The control socket that a daemon opens: `control.sock` in `$RUNTIME_DIRECTORY`, which systemd makes and
/// names. `None` without one: the daemon then hears only signals.
#[must_use]
pub fn own_control_socket(env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let directories = env("RUNTIME_DIRECTORY")?;
    let first = std::env::split_paths(&directories).next()?;
    first.is_absolute().then(|| first.join("control.sock"))
}

/// The control socket of the service to be asked: by the same rule, else where the package puts it.
#[must_use]
pub fn control_socket(env: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    own_control_socket(env).unwrap_or_else(|| Path::new(PACKAGED).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_decides_and_without_one_only_a_client_has_a_default() {
        let with = |value: &'static str| {
            move |name: &str| (name == "RUNTIME_DIRECTORY").then(|| OsString::from(value))
        };
        let own = PathBuf::from("/run/other/control.sock");
        assert_eq!(
            own_control_socket(&with("/run/other:/run/more")),
            Some(own.clone())
        );
        assert_eq!(control_socket(&with("/run/other")), own);
        for useless in ["", "relative"] {
            assert_eq!(own_control_socket(&with(useless)), None);
            assert_eq!(control_socket(&with(useless)), Path::new(PACKAGED));
        }
        assert_eq!(own_control_socket(&|_| None), None);
    }
}
