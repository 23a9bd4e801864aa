use std::os::unix::fs::OpenOptionsExt;

use secrecy::ExposeSecret;

use super::*;

const CANARY: &str = "sk-CANARY-4711";

fn write(directory: &Path, name: &str, mode: u32, bytes: &[u8]) -> PathBuf {
    use std::io::Write;
    let path = directory.join(name);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&path)
        .unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(mode))
        .unwrap();
    file.write_all(bytes).unwrap();
    path
}

fn with_file(path: Option<PathBuf>) -> ExtractaSettings {
    ExtractaSettings {
        api_key_file: path,
        ..ExtractaSettings::default()
    }
}

fn found(path: Option<PathBuf>, env: &[(&str, &std::ffi::OsStr)]) -> Result<String, CredentialError> {
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_os_string())
    };
    api_key(&with_file(path), &env).map(|key| key.expose_secret().to_owned())
}

#[test]
fn the_file_comes_before_the_systemd_credential_and_that_before_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "named", 0o600, b"from-file\n");
    let env = [
        ("CREDENTIALS_DIRECTORY", directory.path().as_os_str()),
        ("EXTRACTA_API_KEY", "from-variable".as_ref()),
    ];
    assert_eq!(
        found(None, &env).unwrap(),
        "from-variable",
        "no credential there yet"
    );
    write(directory.path(), "api-key", 0o440, b"from-credential");
    assert_eq!(found(Some(file), &env).unwrap(), "from-file");
    assert_eq!(found(None, &env).unwrap(), "from-credential");
    assert_eq!(found(None, &env[1..]).unwrap(), "from-variable");
    assert!(matches!(found(None, &[]), Err(CredentialError::Missing)));
}

#[test]
fn a_named_file_that_cannot_be_used_is_an_error_and_not_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let env = [("EXTRACTA_API_KEY", "from-variable".as_ref())];
    let missing = directory.path().join("missing");
    let error = found(Some(missing.clone()), &env).unwrap_err();
    assert!(matches!(&error, CredentialError::Unreadable { path, .. } if *path == missing));
    assert!(error.to_string().contains("missing"));
    let error = found(Some(directory.path().to_owned()), &env).unwrap_err();
    assert!(matches!(error, CredentialError::Unreadable { .. }));
}

#[test]
fn a_file_open_to_everybody_is_refused_with_the_command_that_closes_it() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o604, 0o602, 0o601, 0o666] {
        let path = write(directory.path(), &format!("{mode:o}"), mode, CANARY.as_bytes());
        let error = found(Some(path.clone()), &[]).unwrap_err();
        assert!(matches!(error, CredentialError::OpenToAll { .. }), "{mode:o}");
        assert!(
            error
                .to_string()
                .contains(&format!("chmod 600 {}", path.display()))
        );
    }
    let path = write(directory.path(), "group", 0o640, CANARY.as_bytes());
    assert_eq!(found(Some(path), &[]).unwrap(), CANARY);
}

#[test]
fn line_ends_are_cut_off_and_everything_else_that_no_key_holds_is_refused_unseen() {
    let directory = tempfile::tempdir().unwrap();
    let good = format!("{CANARY}\r\n\n");
    let path = write(directory.path(), "good", 0o600, good.as_bytes());
    assert_eq!(found(Some(path), &[]).unwrap(), CANARY);

    let long = "x".repeat(4097);
    let cases: [(&str, Vec<u8>); 9] = [
        ("empty", b"".to_vec()),
        ("empty", b"\n\n".to_vec()),
        ("empty", b"   \n".to_vec()),
        ("space", format!("{CANARY} {CANARY}").into_bytes()),
        ("space", format!("{CANARY}\n{CANARY}\n").into_bytes()),
        ("space", format!("{CANARY}\t").into_bytes()),
        ("space", format!("{CANARY}ü").into_bytes()),
        ("space", [CANARY.as_bytes(), b"\xff"].concat()),
        ("longer", long.into_bytes()),
    ];
    for (at, (word, bytes)) in cases.into_iter().enumerate() {
        let path = write(directory.path(), &format!("bad-{at}"), 0o600, &bytes);
        let error = found(Some(path.clone()), &[]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(error.to_string().contains(word), "{at}: {error}");
        assert!(shown.contains(&format!("bad-{at}")), "{at}: {error}");
        assert!(!shown.contains(CANARY), "{at}");
    }
}

#[test]
fn a_bad_variable_is_named_and_not_shown() {
    for value in ["", " ", "sk-CANARY-4711 x", "sk-CANARY-4711\u{1b}"] {
        let error = found(None, &[("EXTRACTA_API_KEY", value.as_ref())]).unwrap_err();
        assert!(error.to_string().contains("$EXTRACTA_API_KEY"), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
    let bytes = std::os::unix::ffi::OsStrExt::from_bytes(b"sk-\xff");
    assert!(matches!(
        found(None, &[("EXTRACTA_API_KEY", bytes)]),
        Err(CredentialError::Malformed { .. })
    ));
}

#[test]
fn the_key_has_no_debug_form() {
    let key = api_key(&with_file(None), &|_| Some(CANARY.into()));
    // `CREDENTIALS_DIRECTORY` is the canary too, and no such directory exists.
    let key = key.unwrap();
    assert!(!format!("{key:?}").contains(CANARY));
}
